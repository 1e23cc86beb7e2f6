import type { Clock } from "../../src/ports/clock.ts";

/** Time that moves only when told to. */
export interface FakeClock extends Clock {
  /**
   * Moves time on and calls what falls due, in order of time and then of asking; `now` is each
   * one's own moment during its call. What a call asks for in turn is called too if it falls due.
   */
  advance(ms: number): void;
  /** The same, but lets promises settle after each call: for owners that await. */
  advanceAsync(ms: number): Promise<void>;
  /** Moves the wall clock alone, as an operator or NTP may. */
  jumpWallClock(ms: number): void;
  /** How many calls are waiting. */
  readonly waiting: number;
}

interface Timer {
  at: number;
  readonly order: number;
  readonly everyMs: number | undefined;
  readonly call: () => void;
}

/** A repeated call of 0 ms would never let time move: it counts as this, as platforms have it. */
const EVERY_MS_MIN = 1;

const ASYNC_TURNS_A_CALL = 10;

export function fakeClock(startMs = 1_700_000_000_000): FakeClock {
  const timers = new Set<Timer>();
  let elapsed = 0;
  let wallOffset = startMs;
  let order = 0;

  function add(ms: number, everyMs: number | undefined, call: () => void): () => void {
    if (!(ms >= 0 && ms <= 2 ** 31 - 1)) {
      throw new RangeError(`A delay must be 0–${2 ** 31 - 1} ms, got ${ms}`);
    }
    const timer: Timer = { at: elapsed + (everyMs ?? ms), order: order++, everyMs, call };
    timers.add(timer);
    return () => void timers.delete(timer);
  }

  /** Calls the first that is due until `end`; false when there is none. */
  function step(end: number): boolean {
    let next: Timer | undefined;
    for (const timer of timers) {
      if (timer.at > end) continue;
      if (
        next === undefined || timer.at < next.at ||
        (timer.at === next.at && timer.order < next.order)
      ) next = timer;
    }
    if (next === undefined) return false;
    elapsed = Math.max(elapsed, next.at);
    if (next.everyMs === undefined) timers.delete(next);
    else next.at += next.everyMs;
    next.call();
    return true;
  }

  return {
    now: () => wallOffset + elapsed,
    monotonic: () => elapsed,
    after: (ms, call) => add(ms, undefined, call),
    every: (ms, call) => add(ms, Math.max(ms, EVERY_MS_MIN), call),
    advance(ms) {
      const end = elapsed + ms;
      while (step(end));
      elapsed = end;
    },
    async advanceAsync(ms) {
      const end = elapsed + ms;
      await settle();
      while (step(end)) await settle();
      elapsed = end;
      await settle();
    },
    jumpWallClock(ms) {
      wallOffset += ms;
    },
    get waiting() {
      return timers.size;
    },
  };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < ASYNC_TURNS_A_CALL; turn++) await Promise.resolve();
}
