/** Sizes and times of the log that tests make smaller. */
export interface LogLimits {
  /** A segment is full at this; it may be one record longer. */
  readonly segmentBytes: number;
  /**
   * Bytes of records on disk that nobody needs any more. Up to `deadBytesMin` they are left there.
   * Above that, the oldest segment is given up when what has to be written for it, live messages
   * and ids, is little beside it. Above `deadBytesMax`, and three times what is needed, it is
   * whatever it costs. All of them are read at start.
   */
  readonly deadBytesMin: number;
  readonly deadBytesMax: number;
  /** Segments that are not full, above which the oldest is given up whatever it holds: many
   * restarts, each with little to write, must not fill a directory. */
  readonly segmentsMax: number;
  /** Ids that stay known over a restart. */
  readonly idsMax: number;
  /** Two files of dead letters of this size are kept at most. */
  readonly deadLetterBytes: number;
}

const segmentBytesMin = 4 * 1024;
/** What is dead in the newest segment cannot be given up, and is read at start. */
const segmentBytesMax = 32 * 1024 * 1024;
/** Of `maxBytes`: when all of it is waiting, one segment can go while the others stay. */
const segmentShare = 16;

export function defaultLogLimits(maxBytes: number): LogLimits {
  const share = Math.floor(maxBytes / segmentShare);
  return {
    segmentBytes: Math.min(segmentBytesMax, Math.max(segmentBytesMin, share)),
    deadBytesMin: 32 * 1024 * 1024,
    // 1,000,000 of the short messages whose ids would be too much to write once more.
    deadBytesMax: 192 * 1024 * 1024,
    segmentsMax: 64,
    idsMax: 1_000_000,
    deadLetterBytes: 16 * 1024 * 1024,
  };
}

/** What is written to give up a segment is little when the segment is so many times as long. With it,
 * less than 1.3 bytes are written for each byte of a message. */
export const cheapShare = 16;

/** Copies count for so much: what stays for long is copied again and again, ids are written once. */
export const copyCost = 8;

/** Messages that were delivered are noted on disk this late at most, if nothing else is written. */
export const doneMsMax = 50;

/** Between syncs with `fsync` `interval`. */
export const syncIntervalMs = 1_000;

/** After a failure, until the next try. */
export const retryMs = 1_000;

/** What is copied or looked at in one go, so that the serving thread is never held for long. */
export const stepBytes = 256 * 1024;
export const stepSlots = 20_000;
