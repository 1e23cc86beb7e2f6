/** Time. Machines get it as an argument; only shells hold a clock. */
export interface Clock {
  /** Milliseconds since 1970 (wall clock, may jump). */
  now(): number;
  /** Milliseconds from some start, with fractions; never goes back. */
  monotonic(): number;
  /** Calls once after at least `ms` (0 … 2^31−1); returns how to cancel. */
  after(ms: number, call: () => void): () => void;
  /** Calls again and again; returns how to stop. */
  every(ms: number, call: () => void): () => void;
  /** Calls once, in order of asking, when all that the sockets have ready in this turn of the event
   * loop was reported: for one write that answers all of it. Never within the call; not to be
   * cancelled. */
  soon(call: () => void): void;
}
