import type { Clock } from "../ports/clock.ts";

/** How long an idle server sleeps at a time: waking up costs 0.1 ms of processor time. */
export const idleSleepMs = 1_000;
/** What is left of an old lag after a second: a tenth after ten. */
const lagKeptPerSecond = 0.8;

/**
 * The tick loop. While nothing is going on it sleeps through several ticks and counts those that
 * passed when it wakes, so that an idle server costs little and its figures stay true.
 */
export class Ticker {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #isIdle: () => boolean;
  readonly #tick: (ticks: number, now: number) => void;
  #startedAt = 0;
  #ticks = 0;
  #lagMs = 0;
  #sleepsLong = false;
  #cancel = () => {};

  /** `tick` is told how many ticks passed since it was told last (at least 1), and the time. */
  constructor(parts: {
    clock: Clock;
    tickMs: number;
    isIdle(): boolean;
    tick(ticks: number, now: number): void;
  }) {
    this.#clock = parts.clock;
    this.#tickMs = parts.tickMs;
    this.#isIdle = parts.isIdle;
    this.#tick = parts.tick;
  }

  /** How late the latest wake-ups came at most, in milliseconds; an old one fades. */
  get lagMs(): number {
    return this.#lagMs;
  }

  start(): void {
    this.#startedAt = this.#clock.monotonic();
    this.#sleep(this.#startedAt);
  }

  stop(): void {
    this.#cancel();
  }

  /** Something happens: counts what was slept through, and ticks at its pace again. */
  wake(): void {
    if (!this.#sleepsLong) return;
    this.#cancel();
    const now = this.#clock.monotonic();
    this.#count(now);
    this.#sleep(now);
  }

  #sleep(now: number): void {
    const next = this.#startedAt + (this.#ticks + 1) * this.#tickMs;
    const idle = this.#isIdle();
    const long = Math.max(1, Math.floor(idleSleepMs / this.#tickMs)) - 1;
    const at = idle ? next + long * this.#tickMs : next;
    this.#sleepsLong = idle && long > 0;
    const delay = Math.max(0, Math.ceil(at - now));
    this.#cancel = this.#clock.after(delay, () => {
      const woken = this.#clock.monotonic();
      const slept = woken - now;
      this.#lagMs = Math.max(slept - delay, this.#lagMs * lagKeptPerSecond ** (slept / 1_000));
      this.#count(woken);
      this.#sleep(woken);
    });
  }

  #count(now: number): void {
    const ticks = Math.floor((now - this.#startedAt) / this.#tickMs) - this.#ticks;
    if (ticks < 1) return;
    this.#ticks += ticks;
    this.#tick(ticks, now);
  }
}
