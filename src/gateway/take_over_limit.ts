/** Two old clients that fight for one id take it from each other several times a second; a phone
 * that changes networks does it once or twice. */
const takeOversMax = 5;
const periodMs = 60_000;

/** Ids that are watched; beyond that the one that was taken over longest ago is forgotten. */
const watchedIdsMax = 10_000;

/** Counts how often one client id went from one connection to another. */
export class TakeOverLimit {
  /** Times of the last ones, oldest first; ids that were taken over last are last. */
  readonly #times = new Map<string, number[]>();

  get size(): number {
    return this.#times.size;
  }

  /** One took place at `now` (milliseconds, monotonic). */
  count(id: string, now: number): void {
    const times = this.#recent(id, now);
    times.push(now);
    this.#times.delete(id);
    this.#times.set(id, times);
    this.#tidy(now);
  }

  /** 0 when one more may take place; else the whole seconds after which it may. */
  wait(id: string, now: number): number {
    if (!this.#times.has(id)) return 0;
    const times = this.#recent(id, now);
    if (times.length < takeOversMax) return 0;
    return Math.max(1, Math.ceil(((times[0] as number) + periodMs - now) / 1000));
  }

  #recent(id: string, now: number): number[] {
    return this.#times.get(id)?.filter((time) => now - time < periodMs) ?? [];
  }

  #tidy(now: number): void {
    for (const [id, times] of this.#times) {
      const isOver = now - (times.at(-1) ?? -Infinity) >= periodMs;
      if (!isOver && this.#times.size <= watchedIdsMax) return;
      this.#times.delete(id);
    }
  }
}
