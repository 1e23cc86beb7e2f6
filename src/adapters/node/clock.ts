import type { Clock } from "../../ports/clock.ts";

/** Timers take 32 bits; the platforms turn more into 1 ms without a word. */
const DELAY_MS_MAX = 2 ** 31 - 1;

/** The system's time. What waits in `after` or `every` keeps the process alive until it is
 * cancelled. Throws RangeError for a delay outside 0 … 2^31−1. */
export function systemClock(): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after(ms, call) {
      const timer = setTimeout(call, checkedDelay(ms));
      return () => clearTimeout(timer);
    },
    every(ms, call) {
      const timer = setInterval(call, checkedDelay(ms));
      return () => clearInterval(timer);
    },
  };
}

function checkedDelay(ms: number): number {
  if (!(ms >= 0 && ms <= DELAY_MS_MAX)) {
    throw new RangeError(`A delay must be 0–${DELAY_MS_MAX} ms, got ${ms}`);
  }
  return ms;
}
