/** Counts for each power of two: neighbouring ones differ by 1/32, so a figure is within 3 %. */
const stepsPerDouble = 32;

/** Up to 2^40 µs (12 days), so that no wait can fall outside. */
const doublesMax = 40;

/** Durations of any number in memory of a fixed size, with percentiles within 3 %. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(stepsPerDouble * (doublesMax + 1));
  #count = 0;
  #max = 0;

  /** How many were added. */
  get count(): number {
    return this.#count;
  }

  /** The longest, exactly; 0 when there is none. */
  get maxMs(): number {
    return this.#max;
  }

  /** Adds a duration of 0 ms or more. */
  add(ms: number): void {
    const step = stepOf(ms);
    this.#counts[step] = (this.#counts[step] ?? 0) + 1;
    this.#count++;
    this.#max = Math.max(this.#max, ms);
  }

  /** Adds all that the other one holds. */
  merge(other: LatencyHistogram): void {
    for (const [step, count] of other.#counts.entries()) {
      this.#counts[step] = (this.#counts[step] ?? 0) + count;
    }
    this.#count += other.#count;
    this.#max = Math.max(this.#max, other.#max);
  }

  /** The duration that `share` (0 to 1) of all do not exceed, in milliseconds; 0 when there is none. */
  percentile(share: number): number {
    const wanted = Math.max(1, Math.ceil(share * this.#count));
    let seen = 0;
    for (const [step, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= wanted) return Math.min(upperBoundMs(step), this.#max);
    }
    return this.#max;
  }
}

function stepOf(ms: number): number {
  const micros = Math.max(0, ms * 1_000);
  if (micros < stepsPerDouble) return Math.floor(micros);
  const double = Math.floor(Math.log2(micros / stepsPerDouble));
  const within = Math.floor(micros / 2 ** double) - stepsPerDouble;
  const step = (double + 1) * stepsPerDouble + Math.max(0, within);
  return Math.min(step, stepsPerDouble * (doublesMax + 1) - 1);
}

function upperBoundMs(step: number): number {
  const double = Math.floor(step / stepsPerDouble) - 1;
  if (double < 0) return (step + 1) / 1_000;
  const within = step % stepsPerDouble;
  return (stepsPerDouble + within + 1) * 2 ** double / 1_000;
}
