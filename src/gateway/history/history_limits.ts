/** Sizes and times of the history; tests make some of them smaller. */
export interface HistoryLimits {
  /** A file is full at this; it may be one record longer. */
  readonly segmentBytes: number;
  readonly blockBytes: number;
  /** Records kept in memory, the newest ones: those are asked for most. */
  readonly cachedBytes: number;
  /** Records that wait for a disk that is slow or fails; above that none are taken. */
  readonly unwrittenBytes: number;
  /** Messages in the index, which is in memory. */
  readonly rows: number;
  /** Files above which the oldest is copied forward whatever it holds. */
  readonly segments: number;
}

const mebibyte = 2 ** 20;
const segmentBytesMin = 256 * 1024;
const segmentBytesMax = 16 * mebibyte;
/** Of the whole history: little is copied when one file goes. */
const segmentShare = 32;
/** Big enough that a write of one is worth its call. */
const blockBytes = 256 * 1024;
const cachedBytesMax = 64 * mebibyte;
/** Shares of the memory that the gateway may use. */
const cachedShare = 16;
const indexShare = 4;
/** Who sends more than the disk takes must not fill the memory. */
const unwrittenBytesMax = 32 * mebibyte;

/** Where nothing is written to disk, the whole history is in memory: at most this share of it. */
export const memoryOnlyShare = 8;

/** What a message takes in the index. */
export const rowBytes = 40;

/** What a client takes there, roughly. */
export const clientBytes = 200;

export function defaultHistoryLimits(totalBytes: number, memoryBytes: number): HistoryLimits {
  const share = Math.floor(totalBytes / segmentShare);
  const segmentBytes = Math.min(segmentBytesMax, Math.max(segmentBytesMin, share));
  return {
    segmentBytes,
    blockBytes,
    cachedBytes: Math.min(cachedBytesMax, Math.floor(memoryBytes / cachedShare)),
    unwrittenBytes: Math.min(unwrittenBytesMax, Math.floor(memoryBytes / cachedShare)),
    rows: Math.floor(memoryBytes / indexShare / rowBytes),
    segments: 256,
  };
}

/** What was added is written this late at most: a process that is killed loses no more. */
export const writeMs = 50;

/** With so many blocks waiting it is written at once. */
export const urgentBlocks = 4;

/** Between two syncs: a power loss takes no more. */
export const syncMs = 1_000;

/** After a failure, until the next try. */
export const retryMs = 1_000;

/** Messages that one new message pushes out at most: after lower limits there may be millions. */
export const rowsAMessage = 1_000;

/** Messages that one turn of the event loop forgets or looks at. */
export const rowsATurn = 20_000;
