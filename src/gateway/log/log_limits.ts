/** Sizes and times of the log that tests make smaller. */
export interface LogLimits {
  /** A segment is full at this; it may be one record longer. */
  readonly segmentBytes: number;
  /**
   * Bytes of records on disk that nobody needs any more, beside three times those that are needed:
   * above that, the oldest segment is copied forward. Until then its ids stay known for free.
   */
  readonly deadBytesMax: number;
  /** Segments above which the oldest is copied forward whatever it holds: many restarts, each with
   * little to write, must not fill a directory. */
  readonly segmentsMax: number;
  /** Ids that stay known over a restart. */
  readonly idsMax: number;
  /** Two files of dead letters of this size are kept at most. */
  readonly deadLetterBytes: number;
}

const segmentBytesMin = 4 * 1024;
const segmentBytesMax = 64 * 1024 * 1024;
/** Of `maxBytes`: when all of it is waiting, one segment can go while the others stay. */
const segmentShare = 16;

export function defaultLogLimits(maxBytes: number): LogLimits {
  const share = Math.floor(maxBytes / segmentShare);
  return {
    segmentBytes: Math.min(segmentBytesMax, Math.max(segmentBytesMin, share)),
    deadBytesMax: 256 * 1024 * 1024,
    segmentsMax: 128,
    idsMax: 1_000_000,
    deadLetterBytes: 16 * 1024 * 1024,
  };
}

/** Messages that were delivered are noted on disk this late at most, if nothing else is written. */
export const doneMsMax = 50;

/** Between syncs with `fsync` `interval`. */
export const syncIntervalMs = 1_000;

/** After a failure, until the next try. */
export const retryMs = 1_000;

/** What is copied or looked at in one go, so that the serving thread is never held for long. */
export const stepBytes = 256 * 1024;
export const stepSlots = 20_000;
