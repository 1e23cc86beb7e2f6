import type { Clock } from "../../src/ports/clock.ts";

/** Time that moves only when told to; what `soon` asked for is called by the next `advance`, of 0 ms
 * too. */
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
  isCancelled: boolean;
}

/** A repeated call of 0 ms would never let time move: it counts as this, as platforms have it. */
const EVERY_MS_MIN = 1;

const ASYNC_TURNS_A_CALL = 10;

export function fakeClock(startMs = 1_700_000_000_000): FakeClock {
  const timers = new TimerHeap();
  let elapsed = 0;
  let waiting = 0;
  let wallOffset = startMs;
  let order = 0;

  function add(ms: number, everyMs: number | undefined, call: () => void): () => void {
    if (!(ms >= 0 && ms <= 2 ** 31 - 1)) {
      throw new RangeError(`A delay must be 0–${2 ** 31 - 1} ms, got ${ms}`);
    }
    const at = elapsed + (everyMs ?? ms);
    const timer = { at, order: order++, everyMs, call, isCancelled: false };
    timers.add(timer);
    waiting++;
    return () => {
      if (timer.isCancelled) return;
      timer.isCancelled = true;
      waiting--;
    };
  }

  /** Calls the first that is due until `end`; false when there is none. */
  function step(end: number): boolean {
    const next = timers.takeUntil(end);
    if (next === undefined) return false;
    elapsed = Math.max(elapsed, next.at);
    if (next.everyMs === undefined) {
      next.isCancelled = true;
      waiting--;
    } else {
      next.at += next.everyMs;
      timers.add(next);
    }
    next.call();
    return true;
  }

  return {
    now: () => wallOffset + elapsed,
    monotonic: () => elapsed,
    after: (ms, call) => add(ms, undefined, call),
    every: (ms, call) => add(ms, Math.max(ms, EVERY_MS_MIN), call),
    soon(call) {
      add(0, undefined, call);
    },
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
      return waiting;
    },
  };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < ASYNC_TURNS_A_CALL; turn++) await Promise.resolve();
}

/** Timers by time, then by the order of asking: simulations have thousands at once. */
class TimerHeap {
  readonly #heap: Timer[] = [];

  add(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(timer, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = timer;
  }

  /** Takes out the first that is due until `end` and was not cancelled. */
  takeUntil(end: number): Timer | undefined {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (!first.isCancelled && first.at > end) return undefined;
      const last = this.#heap.pop()!;
      if (this.#heap.length > 0) this.#sink(last);
      if (!first.isCancelled) return first;
    }
    return undefined;
  }

  #sink(timer: Timer): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (child >= heap.length || !isBefore(heap[child]!, timer)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = timer;
  }
}

function isBefore(one: Timer, other: Timer): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
