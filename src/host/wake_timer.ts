import { DeadlineQueue } from "../base/deadline_queue.ts";
import type { Clock } from "../ports/clock.ts";

/** One timer of the clock for any number of items that want to be woken, each at its time. */
export class WakeTimer<T> {
  readonly #clock: Clock;
  readonly #wake: (item: T, now: number) => void;
  readonly #queue = new DeadlineQueue<T>();
  #armedAt = Infinity;
  #cancel = () => {};

  /** `wake` is called once for each item that was added, on time or later. */
  constructor(clock: Clock, wake: (item: T, now: number) => void) {
    this.#clock = clock;
    this.#wake = wake;
  }

  /** `at` is a monotonic time in milliseconds. */
  add(at: number, item: T): void {
    this.#queue.add(at, item);
    this.#arm();
  }

  /** Wakes nobody any more. */
  stop(): void {
    this.#cancel();
    this.#armedAt = -Infinity;
  }

  #arm(): void {
    const next = this.#queue.next;
    if (next === undefined || next >= this.#armedAt) return;
    this.#cancel();
    this.#armedAt = next;
    const delay = Math.max(0, Math.ceil(next - this.#clock.monotonic()));
    this.#cancel = this.#clock.after(delay, () => this.#run());
  }

  #run(): void {
    this.#armedAt = Infinity;
    const now = this.#clock.monotonic();
    for (let due = this.#queue.take(now); due !== undefined; due = this.#queue.take(now)) {
      this.#wake(due, now);
    }
    this.#arm();
  }
}
