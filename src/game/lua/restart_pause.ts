/** How many times in a row a worker or child may be lost before restarts are slowed down: one bad
 * call must not make the next one wait. */
const restartsAtOnce = 3;
const pauseMsMin = 500;
const pauseMsMax = 10_000;

/** Keeps something that dies again and again from being restarted all the time. */
export class RestartPause {
  #losses = 0;
  #until = 0;

  /** It was lost at `now` (monotonic milliseconds). */
  lost(now: number): void {
    this.#losses++;
    const doublings = Math.min(this.#losses - restartsAtOnce, 10);
    if (doublings < 0) return;
    this.#until = now + Math.min(pauseMsMax, pauseMsMin * 2 ** doublings);
  }

  /** It did what it should: all is forgotten. */
  worked(): void {
    this.#losses = 0;
    this.#until = 0;
  }

  /** Milliseconds until the next start is allowed; 0 when it is now. */
  remaining(now: number): number {
    return Math.max(0, this.#until - now);
  }
}
