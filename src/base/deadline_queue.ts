/**
 * Things to be done at a time, earliest first (a binary heap). One timer of the shell serves any
 * number of them. Entries cannot be taken out: an owner ignores one that no longer matters.
 */
export class DeadlineQueue<T> {
  readonly #heap: { at: number; item: T }[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** When the earliest is due; undefined when there is none. */
  get next(): number | undefined {
    return this.#heap[0]?.at;
  }

  add(at: number, item: T): void {
    const heap = this.#heap;
    let i = heap.length;
    const entry = { at, item };
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent] as { at: number; item: T };
      if (above.at <= at) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = entry;
  }

  /** Takes out and returns the earliest when it is due at `now`. */
  take(now: number): T | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.at > now) return undefined;
    const last = heap.pop() as { at: number; item: T };
    if (heap.length > 0) this.#sink(last);
    return first.item;
  }

  #sink(entry: { at: number; item: T }): void {
    const heap = this.#heap;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      const right = heap[child + 1];
      if (right !== undefined && right.at < (heap[child] as { at: number }).at) child++;
      const below = heap[child];
      if (below === undefined || below.at >= entry.at) break;
      heap[i] = below;
      i = child;
    }
    heap[i] = entry;
  }
}
