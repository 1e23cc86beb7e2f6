/** Durations as Go programs write them: `90s`, `1h30m`, `1.5h`, or a number of nanoseconds. */

const nanosecondsPerMs = 1_000_000;

const msOfUnit: Readonly<Record<string, number>> = {
  ns: 1 / nanosecondsPerMs,
  us: 1 / 1_000,
  µs: 1 / 1_000, // U+00B5
  μs: 1 / 1_000, // U+03BC
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Matches what `parseNanoseconds` reads as text, for schemas. */
export const goDurationPattern =
  /^(?:0|(?:\d{1,16}(?:\.\d{1,16})?(?:ns|us|µs|μs|ms|s|m|h|d)){1,9})$/;

/** Milliseconds, rounded to whole ones; undefined for what is no duration. */
export function parseNanoseconds(value: number | string): number | undefined {
  if (typeof value === "number") return rounded(value / nanosecondsPerMs);
  if (!goDurationPattern.test(value)) return undefined;
  let ms = 0;
  for (const [, count, unit] of value.matchAll(/([\d.]+)([a-zµμ]+)/g)) {
    ms += Number(count) * (msOfUnit[unit as string] as number);
  }
  return rounded(ms);
}

function rounded(ms: number): number | undefined {
  const whole = Math.round(ms);
  return ms >= 0 && Number.isSafeInteger(whole) ? whole : undefined;
}
