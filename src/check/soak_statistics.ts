import { LatencyHistogram } from "../base/latency_histogram.ts";

/** What the release gate allows (host protocol, "Check"). */
export const failureShareMax = 0.03;
export const repliesPerSecondMin = 20;

/** Different reasons that are kept: more would only repeat them. */
const reasonsMax = 20;

/** The figures of one kind of traffic, or of all. */
export interface TrafficFigures {
  readonly replies: number;
  readonly failures: number;
  readonly p50_ms: number;
  readonly p90_ms: number;
  readonly p99_ms: number;
  readonly max_ms: number;
}

/** The JSON report of a soak. */
export interface SoakReport {
  readonly ok: boolean;
  /** Why not, one line each. */
  readonly reasons: readonly string[];
  readonly seconds: number;
  readonly replies_per_second: number;
  /** 0 to 1. */
  readonly failure_share: number;
  readonly total: TrafficFigures;
  readonly by_traffic: Readonly<Record<string, TrafficFigures>>;
  /** Different failures with how often each was seen; at most 20 of them. */
  readonly failures: Readonly<Record<string, number>>;
  /** Of the server's process; null where the system does not tell. */
  readonly memory_first_bytes: number | null;
  readonly memory_last_bytes: number | null;
}

/** Counts what a soak sends and gets. Its size does not grow with the soak's length. */
export class SoakStatistics {
  readonly #traffic = new Map<string, { latency: LatencyHistogram; failures: number }>();
  readonly #reasons = new Map<string, number>();

  /** A right reply. */
  reply(traffic: string, ms: number): void {
    this.#of(traffic).latency.add(ms);
  }

  /** A wrong one, or none. */
  failure(traffic: string, reason: string): void {
    this.#of(traffic).failures++;
    const seen = this.#reasons.get(reason);
    if (seen !== undefined || this.#reasons.size < reasonsMax) {
      this.#reasons.set(reason, (seen ?? 0) + 1);
    }
  }

  /** The figures so far, judged. `faults` are other things that went wrong. */
  report(
    what: {
      seconds: number;
      memoryFirst: number | undefined;
      memoryLast: number | undefined;
      faults: readonly string[];
    },
  ): SoakReport {
    const latency = new LatencyHistogram();
    let failures = 0;
    for (const traffic of this.#traffic.values()) {
      latency.merge(traffic.latency);
      failures += traffic.failures;
    }
    const total = figuresOf({ latency, failures });
    const asked = total.replies + failures;
    const share = asked === 0 ? 1 : failures / asked;
    const rate = what.seconds > 0 ? total.replies / what.seconds : 0;
    const reasons = [
      ...soakFaults({ failureShare: share, repliesPerSecond: rate }),
      ...what.faults,
    ];
    return {
      ok: reasons.length === 0,
      reasons,
      seconds: round(what.seconds),
      replies_per_second: round(rate),
      failure_share: share,
      total,
      by_traffic: Object.fromEntries(
        [...this.#traffic].map(([name, traffic]) => [name, figuresOf(traffic)]),
      ),
      failures: Object.fromEntries(this.#reasons),
      memory_first_bytes: what.memoryFirst ?? null,
      memory_last_bytes: what.memoryLast ?? null,
    };
  }

  #of(traffic: string) {
    let found = this.#traffic.get(traffic);
    if (found === undefined) {
      found = { latency: new LatencyHistogram(), failures: 0 };
      this.#traffic.set(traffic, found);
    }
    return found;
  }
}

/** What the gate has against these figures, one line each. */
export function soakFaults(
  figures: { failureShare: number; repliesPerSecond: number },
): string[] {
  const faults: string[] = [];
  if (figures.failureShare > failureShareMax) {
    const percent = (figures.failureShare * 100).toFixed(2);
    faults.push(`${percent} % of all requests failed, allowed ≤ ${failureShareMax * 100} %`);
  }
  if (figures.repliesPerSecond < repliesPerSecondMin) {
    const rate = figures.repliesPerSecond.toFixed(1);
    faults.push(`${rate} replies/s, allowed ≥ ${repliesPerSecondMin}`);
  }
  return faults;
}

/** A table for people. */
export function showSoak(report: SoakReport): string {
  const rows = [...Object.entries(report.by_traffic), ["all", report.total] as const];
  const head = ["traffic", "replies", "failed", "p50 ms", "p90 ms", "p99 ms", "max ms"];
  const cells = rows.map(([name, figures]) => [
    name,
    String(figures.replies),
    String(figures.failures),
    ...[figures.p50_ms, figures.p90_ms, figures.p99_ms, figures.max_ms].map((ms) => ms.toFixed(2)),
  ]);
  const table = [head, ...cells].map((row) =>
    row.map((cell, column) => column === 0 ? cell.padEnd(18) : cell.padStart(10)).join("")
  );
  const memory = report.memory_first_bytes === null || report.memory_last_bytes === null
    ? "unknown here"
    : `${mib(report.memory_first_bytes)} MiB at first, ${
      mib(report.memory_last_bytes)
    } MiB at last`;
  const percent = (report.failure_share * 100).toFixed(3);
  return [
    ...table,
    `${
      report.replies_per_second.toFixed(0)
    } replies/s over ${report.seconds} s, ${percent} % failed`,
    `memory of the server: ${memory}`,
    ...Object.entries(report.failures).map(([reason, count]) => `failed ${count} times: ${reason}`),
    ...report.reasons.map((reason) => `SOAK: ${reason}`),
  ].map((line) => `${line}\n`).join("");
}

function figuresOf(
  traffic: { latency: LatencyHistogram; failures: number },
): TrafficFigures {
  const { latency } = traffic;
  return {
    replies: latency.count,
    failures: traffic.failures,
    p50_ms: round(latency.percentile(0.5)),
    p90_ms: round(latency.percentile(0.9)),
    p99_ms: round(latency.percentile(0.99)),
    max_ms: round(latency.maxMs),
  };
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
