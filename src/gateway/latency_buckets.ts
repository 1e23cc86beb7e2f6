/** Upper bounds in seconds, from a quarter of a millisecond to 10 s. */
export const latencyBounds = [
  0.000_25,
  0.000_5,
  0.001,
  0.002_5,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
] as const;

/** Counts of durations since the start, by upper bound, as Prometheus wants them. */
export class LatencyBuckets {
  readonly #counts = new Float64Array(latencyBounds.length + 1);
  #sumSeconds = 0;

  add(ms: number): void {
    const seconds = ms / 1_000;
    let i = 0;
    while (i < latencyBounds.length && seconds > (latencyBounds[i] as number)) i++;
    this.#counts[i] = (this.#counts[i] as number) + 1;
    this.#sumSeconds += seconds;
  }

  /** A histogram in Prometheus' text form 0.0.4. */
  text(name: string, help: string): string {
    const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
    let count = 0;
    for (const [i, added] of this.#counts.entries()) {
      count += added;
      lines.push(`${name}_bucket{le="${latencyBounds[i] ?? "+Inf"}"} ${count}`);
    }
    lines.push(`${name}_sum ${this.#sumSeconds}`, `${name}_count ${count}`);
    return lines.join("\n") + "\n";
  }
}
