/** A rate with a burst, in plain numbers: `take` at most `burst` at once and `perSecond` over time. */
export class TokenBucket {
  #tokens: number;
  #at: number;
  readonly #perSecond: number;
  readonly #burst: number;

  /** `now` in milliseconds of any clock that `take` gets too. Starts full. */
  constructor(rate: { perSecond: number; burst: number; now: number }) {
    this.#perSecond = rate.perSecond;
    this.#burst = rate.burst;
    this.#tokens = rate.burst;
    this.#at = rate.now;
  }

  /** Whether `count` may go now; if so they are used up. A clock that jumps back gives nothing. */
  take(now: number, count = 1): boolean {
    if (now > this.#at) {
      this.#tokens = Math.min(
        this.#burst,
        this.#tokens + (now - this.#at) / 1000 * this.#perSecond,
      );
    }
    this.#at = now;
    if (this.#tokens < count) return false;
    this.#tokens -= count;
    return true;
  }
}
