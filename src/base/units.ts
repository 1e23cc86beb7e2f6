/**
 * Durations and sizes as people write them: a number, then its unit. `1.5h` is fine, `1h30m` is not.
 * Arithmetic is exact: what would not be a whole number of milliseconds or bytes is refused.
 */

const durationUnits: readonly Unit[] = [
  ["ms", 1n],
  ["s", 1_000n],
  ["m", 60_000n],
  ["h", 3_600_000n],
  ["d", 86_400_000n],
];

/** KiB and the like are powers of 1,024, kB and the like of 1,000 (IEC 80000-13). */
const sizeUnits: readonly Unit[] = [
  ["B", 1n],
  ["kB", 1_000n],
  ["KiB", 1_024n],
  ["MB", 1_000_000n],
  ["MiB", 1_048_576n],
  ["GB", 1_000_000_000n],
  ["GiB", 1_073_741_824n],
  ["TB", 1_000_000_000_000n],
  ["TiB", 1_099_511_627_776n],
];

type Unit = readonly [name: string, factor: bigint];

/** Matches what `parseDuration` reads, for schemas; the value may still be too large or not whole. */
export const durationPattern = /^\d{1,16}(\.\d{1,16})? ?([mM]?[sS]|[mMhHdD])$/;

/** Matches what `parseSize` reads, for schemas; the value may still be too large or not whole. */
export const sizePattern = /^\d{1,16}(\.\d{1,16})? ?([kKmMgGtT][iI]?)?[bB]$/;

/** Milliseconds of `500ms`, `90s`, `2m`, `1h`, `1d`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  return parse(text, durationPattern, durationUnits);
}

/** Bytes of `512B`, `10MB`, `64KiB`, `1GiB`; undefined for anything else. */
export function parseSize(text: string): number | undefined {
  return parse(text, sizePattern, sizeUnits);
}

/** The shortest exact text that `parseDuration` reads back, for whole `ms` from 0. */
export function showDuration(ms: number): string {
  return show(ms, durationUnits);
}

/** The shortest exact text that `parseSize` reads back, for whole `bytes` from 0. */
export function showSize(bytes: number): string {
  return show(bytes, sizeUnits);
}

function parse(text: string, pattern: RegExp, units: readonly Unit[]): number | undefined {
  if (!pattern.test(text)) return undefined;
  const [, whole = "", fraction = "", name = ""] = /^(\d+)(?:\.(\d+))? ?([a-z]+)$/i.exec(text) ??
    [];
  const unit = units.find(([known]) => known.toLowerCase() === name.toLowerCase());
  if (unit === undefined) return undefined;
  const scaled = BigInt(whole + fraction) * unit[1];
  const scale = 10n ** BigInt(fraction.length);
  if (scaled % scale !== 0n) return undefined;
  const value = Number(scaled / scale);
  return Number.isSafeInteger(value) ? value : undefined;
}

function show(value: number, units: readonly Unit[]): string {
  const exact = BigInt(value);
  let best = `${exact}${units[0]![0]}`;
  for (const [name, factor] of units) {
    if (exact === 0n || exact % factor !== 0n) continue;
    const text = `${exact / factor}${name}`;
    // Of equally short ones the larger unit reads better: 1s, 1KiB.
    if (text.length <= best.length || exact / factor < 1_000n) best = text;
  }
  return best;
}
