/** The longest wait between two starts: an operator who mended the cause should not wait longer. */
export const restartDelayMsMax = 60_000;

/** What the doubling starts from when `restart_delay_s` is smaller: never a tight loop of starts. */
export const restartDelayMsFloor = 500;

export type RestartDecision =
  | { readonly kind: "restart"; readonly delayMs: number }
  | { readonly kind: "limit_reached" };

/** Counts starts and decides when the next one may be. */
export class RestartPolicy {
  readonly #restartDelayMs: number;
  readonly #maxRestarts: number;
  #restartCount = 0;
  #failedStarts = 0;

  /** `maxRestarts` 0: no limit. */
  constructor(settings: { restartDelayMs: number; maxRestarts: number }) {
    this.#restartDelayMs = settings.restartDelayMs;
    this.#maxRestarts = settings.maxRestarts;
  }

  /** How many restarts were decided on since the watchdog started. */
  get restartCount(): number {
    return this.#restartCount;
  }

  /** Starts in a row that did not come to a healthy probe. */
  get failedStarts(): number {
    return this.#failedStarts;
  }

  startFailed(): void {
    this.#failedStarts++;
  }

  becameHealthy(): void {
    this.#failedStarts = 0;
  }

  /** `fraction`, 0 up to 1, is the jitter. */
  restart(fraction: number): RestartDecision {
    if (this.#maxRestarts > 0 && this.#restartCount >= this.#maxRestarts) {
      return { kind: "limit_reached" };
    }
    this.#restartCount++;
    return { kind: "restart", delayMs: this.#delayMs(fraction) };
  }

  /**
   * A child that was healthy starts again after `restartDelayMs`. After n failed starts the wait is
   * between half and all of a span that doubles each time, up to `restartDelayMsMax` (the jitter
   * chooses where, so that many servers do not start in step), and never less than `restartDelayMs`.
   */
  #delayMs(fraction: number): number {
    if (this.#failedStarts === 0) return this.#restartDelayMs;
    const first = Math.max(this.#restartDelayMs, restartDelayMsFloor);
    // 2^30 is past the maximum from any floor, and keeps the product finite.
    const span = Math.min(first * 2 ** Math.min(this.#failedStarts, 30), restartDelayMsMax);
    return Math.max(this.#restartDelayMs, Math.round(span * (0.5 + fraction / 2)));
  }
}
