import type { Clock } from "../ports/clock.ts";

interface Pause {
  readonly reason: string;
  readonly ms: number;
  /** undefined: it is over, and what is being tried will tell. */
  cancel: (() => void) | undefined;
}

/** Waits between tries, each twice as long as the one before, by what is tried. */
export class RetryPauses {
  readonly #clock: Clock;
  readonly #lengths: { readonly first: number; readonly max: number };
  readonly #pauses = new Map<string, Pause>();

  /** `lengths` in milliseconds. */
  constructor(clock: Clock, lengths: { readonly first: number; readonly max: number }) {
    this.#clock = clock;
    this.#lengths = lengths;
  }

  /** Of any that has not succeeded since. */
  get trouble(): string | undefined {
    return this.#pauses.values().next().value?.reason;
  }

  troubleOf(name: string): string | undefined {
    return this.#pauses.get(name)?.reason;
  }

  isPaused(name: string): boolean {
    return this.#pauses.get(name)?.cancel !== undefined;
  }

  /** A try has failed: `again` is called when it is time for the next. */
  begin(name: string, reason: string, again: () => void): void {
    const before = this.#pauses.get(name);
    before?.cancel?.();
    const { first, max } = this.#lengths;
    const pause: Pause = {
      reason,
      ms: before === undefined ? first : Math.min(before.ms * 2, max),
      cancel: undefined,
    };
    pause.cancel = this.#clock.after(pause.ms, () => {
      pause.cancel = undefined;
      again();
    });
    this.#pauses.set(name, pause);
  }

  /** A try has succeeded. */
  end(name: string): void {
    this.#pauses.get(name)?.cancel?.();
    this.#pauses.delete(name);
  }

  cancelAll(): void {
    for (const name of [...this.#pauses.keys()]) this.end(name);
  }
}
