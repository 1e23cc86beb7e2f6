import { setImmediate } from "node:timers";
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
    // A microtask would run after each socket's event, a timer of 0 ms up to a millisecond later.
    soon: (call) => void setImmediate(call),
  };
}

function checkedDelay(ms: number): number {
  if (!(ms >= 0 && ms <= DELAY_MS_MAX)) {
    throw new RangeError(`A delay must be 0–${DELAY_MS_MAX} ms, got ${ms}`);
  }
  return ms;
}
