/**
 * A clock that agrees between processes to some microseconds, in milliseconds since 1970 with
 * fractions: `performance.now()` starts with its process, and `Date.now()` has whole milliseconds.
 */
export function sharedClock(): () => number {
  let offset = -Infinity;
  for (let edge = 0; edge < 8; edge++) {
    const before = Date.now();
    while (Date.now() === before);
    // Seen late it is too small, never too large.
    offset = Math.max(offset, Date.now() - performance.now());
  }
  return () => offset + performance.now();
}

/**
 * Calls `send(count, dueMs)` about each millisecond with what is due at an even rate, until the
 * time is over. A message is due when its tick was planned, or, when that tick comes late, when its
 * turn was: so a stall counts for all whom it delayed.
 */
export async function paced(
  clock: () => number,
  pace: { perSecond: number; seconds: number },
  send: (dueMs: number) => void,
): Promise<void> {
  const { perSecond, seconds } = pace;
  const start = clock();
  const total = Math.floor(perSecond * seconds);
  let sent = 0;
  let planned = start;
  await new Promise<void>((resolve) => {
    const tick = () => {
      const due = Math.min(total, Math.floor((clock() - start) * perSecond / 1000));
      for (; sent < due; sent++) send(Math.max(planned, start + sent * 1000 / perSecond));
      if (sent === total) return resolve();
      planned = clock() + 1;
      setTimeout(tick, 1);
    };
    tick();
  });
}

/** Latencies by tens of microseconds up to ten seconds. */
export class LatencyHistogram {
  private readonly counts = new Uint32Array(1_000_000);
  count = 0;

  add(ms: number): void {
    const bucket = Math.min(this.counts.length - 1, Math.max(0, Math.floor(ms * 100)));
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.count++;
  }

  clear(): void {
    this.counts.fill(0);
    this.count = 0;
  }

  /** The upper end of the bucket that holds it, in milliseconds; 0 when there are none. */
  quantile(share: number): number {
    let left = Math.ceil(this.count * share);
    if (left === 0) return 0;
    let bucket = 0;
    while (left > 0) left -= this.counts[bucket++] ?? left;
    return bucket / 100;
  }

  summary(): Latencies {
    return {
      count: this.count,
      p50Ms: this.quantile(0.5),
      p99Ms: this.quantile(0.99),
      maxMs: this.quantile(1),
    };
  }
}

export interface Latencies {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}
