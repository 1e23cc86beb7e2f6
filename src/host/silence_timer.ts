import type { Clock } from "../ports/clock.ts";

/** Items told in one turn: a wave of thousands of connections must not hold up those served. */
const perTurnMax = 256;
/**
 * A timer so late means that this thread was busy and that bytes of peers that spoke in time may
 * wait unread: they are read before the timer's next turn.
 */
const lateMs = 2;

/**
 * Finds the items of which nothing was heard for a fixed time. As all have the same delay, the one
 * added first is due first: a map in order of insertion holds them, at one entry each, and one timer
 * of the clock serves them all.
 */
export class SilenceTimer<T> {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #silent: (item: T) => void;
  readonly #dueAt = new Map<T, number>();
  #isArmed = false;
  /** What came before that was read since. */
  #ranAt = -Infinity;
  #isStopped = false;
  #cancel = () => {};

  /** `silent` is called at most once for each item, on time or later. It must not throw. */
  constructor(parts: { clock: Clock; delayMs: number; silent(item: T): void }) {
    this.#clock = parts.clock;
    this.#delayMs = parts.delayMs;
    this.#silent = parts.silent;
  }

  /** How many items wait. */
  get size(): number {
    return this.#dueAt.size;
  }

  /** An item that is not waiting yet. */
  add(item: T): void {
    if (this.#isStopped) return;
    const now = this.#clock.monotonic();
    this.#dueAt.set(item, now + this.#delayMs);
    if (!this.#isArmed) this.#arm(this.#delayMs);
  }

  /** The item waits no more; nothing of it is kept. */
  delete(item: T): void {
    this.#dueAt.delete(item);
  }

  /** Tells nobody any more. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel();
    this.#dueAt.clear();
  }

  #arm(delayMs: number): void {
    this.#isArmed = true;
    this.#cancel = this.#clock.after(delayMs, () => this.#run());
  }

  #run(): void {
    const now = this.#clock.monotonic();
    const readSince = this.#ranAt;
    this.#ranAt = now;
    let told = 0;
    for (const [item, at] of this.#dueAt) {
      if (at > now) return this.#arm(Math.ceil(at - now));
      const isUnread = now - at > lateMs && at > readSince;
      if (isUnread || told === perTurnMax) return this.#arm(0);
      this.#dueAt.delete(item);
      told++;
      this.#silent(item);
      if (this.#isStopped) return;
    }
    this.#isArmed = false;
  }
}
