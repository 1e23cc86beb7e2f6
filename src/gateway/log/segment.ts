/** A file of the log, from the first to the current one. */
export interface Segment {
  readonly number: number;
  readonly base: number;
  readonly salt: number;
  /** Bytes on disk or on their way there. */
  bytes: number;
  /** Its messages that wait, and the bytes of their bodies. */
  live: number;
  liveBytes: number;
  /** Messages whose ids have to stay known, and when the last of them came (monotonic). */
  acked: number;
  ackedAtMs: number;
  /**
   * What of it cannot be relied on after a failure: `tail` what was not yet known to be stored,
   * `all` everything, since a failed sync may have lost any of it.
   */
  doubt: "none" | "tail" | "all";
  /** Numbers given to clients in it. */
  names: number;
}

export function newSegment(head: { number: number; base: number; salt: number }): Segment {
  return {
    ...head,
    bytes: 0,
    live: 0,
    liveBytes: 0,
    acked: 0,
    ackedAtMs: -Infinity,
    doubt: "none",
    names: 0,
  };
}

/** The segments in the order of their numbers. */
export class SegmentList {
  readonly #byNumber = new Map<number, Segment>();

  get oldest(): Segment | undefined {
    return this.all().next().value;
  }

  get count(): number {
    return this.#byNumber.size;
  }

  at(number: number): Segment | undefined {
    return this.#byNumber.get(number);
  }

  /** From the oldest. */
  all(): MapIterator<Segment> {
    return this.#byNumber.values();
  }

  /** `segment` has the highest number of all. */
  add(segment: Segment): void {
    this.#byNumber.set(segment.number, segment);
  }

  remove(segment: Segment): void {
    this.#byNumber.delete(segment.number);
  }
}
