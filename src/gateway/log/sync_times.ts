/** How many of the last syncs the percentile is of. */
const kept = 256;

/** How long the last syncs took. */
export class SyncTimes {
  readonly #times = new Float64Array(kept);
  #count = 0;

  add(ms: number): void {
    this.#times[this.#count++ % kept] = ms;
  }

  /** 99th percentile, in milliseconds; 0 before the first. */
  get p99Ms(): number {
    const sorted = this.#times.slice(0, Math.min(this.#count, kept)).sort();
    return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? 0;
  }
}
