import type { Clock } from "../ports/clock.ts";

/** How far the two clocks may drift apart before the stamps follow the wall clock again: more than
 * its own step of 1 ms. */
const driftMsMax = 2;

/**
 * Unix time to the nanosecond, as a whole number of milliseconds and the rest: in one number it
 * would not fit a double. Later stamps are larger, unless the system's clock is set back.
 */
export class StampClock {
  readonly #clock: Clock;
  /** Unix time less the monotonic one, in milliseconds. */
  #offset: number;
  ms = 0;
  /** 0–999,999. */
  ns = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offset = clock.now() - clock.monotonic();
    this.take();
  }

  /** Makes `ms` and `ns` those of this moment. */
  take(): void {
    const monotonic = this.#clock.monotonic();
    const now = this.#clock.now();
    if (Math.abs(monotonic + this.#offset - now) > driftMsMax) this.#offset = now - monotonic;
    const time = monotonic + this.#offset;
    const ms = Math.floor(time);
    const ns = Math.floor((time - ms) * 1e6);
    const isLater = ms > this.ms || (ms === this.ms && ns > this.ns);
    if (isLater || this.ms - ms > driftMsMax) {
      this.ms = ms;
      this.ns = ns;
    } else if (this.ns < 999_999) {
      this.ns++;
    } else {
      this.ms++;
      this.ns = 0;
    }
  }
}
