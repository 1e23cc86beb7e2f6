import type { Clock } from "../ports/clock.ts";

/** A clock that is kept right moves by less than this between two looks; one that is set, by more. */
const jumpMsMin = 60_000;

/** Beyond it the first is forgotten: a clock that is set that often tells no ages. */
const jumpsMax = 8;

/**
 * Knows when the system's clock was set forward, so that what was stamped before does not seem old
 * all at once. What was stamped before a clock was set back only stays for longer.
 */
export class ClockJumps {
  readonly #clock: Clock;
  /** Unix time less the monotonic one. */
  #offset: number;
  #jumps: { readonly before: number; readonly ms: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offset = clock.now() - clock.monotonic();
  }

  /** To be called about once a second. */
  look(): void {
    const now = this.#clock.now();
    const ms = now - this.#clock.monotonic() - this.#offset;
    this.#offset += ms;
    if (ms < -jumpMsMin) this.#jumps = [];
    if (ms > jumpMsMin) this.#jumps = [...this.#jumps, { before: now - ms, ms }].slice(-jumpsMax);
  }

  /** What the stamp would be had the clock been set as it is now. */
  asOfNow(stampMs: number): number {
    let stamp = stampMs;
    for (const { before, ms } of this.#jumps) if (stamp < before) stamp += ms;
    return stamp;
  }
}
