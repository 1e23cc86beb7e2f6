import type { Clock } from "../ports/clock.ts";

/** Of one slice: with what else a turn of the event loop does, well below what anybody notices. */
const sliceMs = 2;

/** Long work on the thread that serves sockets is done in slices, and messages go between them. */
export class Slices {
  readonly #clock: Clock;
  #endsAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.restart();
  }

  /** Whether this slice is used up. To be asked every hundred steps or so: it reads the clock. */
  get isOver(): boolean {
    return this.#clock.monotonic() >= this.#endsAt;
  }

  /** Begins a slice: after anything that has waited. */
  restart(): void {
    this.#endsAt = this.#clock.monotonic() + sliceMs;
  }

  /** Resolves when the next slice may begin. */
  async next(): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.after(0, resolve));
    this.restart();
  }
}
