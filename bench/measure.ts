import { readdirSync, readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";

/** One measured value, and what it should be. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly goal?: { readonly max: number } | { readonly min: number };
}

/** Clock ticks a second of /proc/<pid>/stat: 100 on every Linux for x86_64 and aarch64. */
const ticksPerSecond = 100;

/** CPU time that a process has used so far with all its threads, in seconds, to 10 ms. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name before it may hold spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Use of CPU by each thread that lives, in nanoseconds. */
export type ThreadTimes = ReadonlyMap<string, number>;

/** For processes whose whole use is a few ticks: to the nanosecond. */
export function threadTimes(pid: number): ThreadTimes {
  return new Map(
    readdirSync(`/proc/${pid}/task`).map((thread) => [
      thread,
      Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]),
    ]),
  );
}

/** Seconds of CPU since then, without those of threads that have ended meanwhile. */
export function cpuSecondsSince(before: ThreadTimes, pid: number): number {
  let nanoseconds = 0;
  for (const [thread, used] of threadTimes(pid)) nanoseconds += used - (before.get(thread) ?? 0);
  return nanoseconds / 1e9;
}

/** Memory of a process that is in RAM, in bytes. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  if (kilobytes === undefined) throw new Error(`/proc/${pid}/status has no VmRSS line`);
  return Number(kilobytes) * 1024;
}

/** How long work that was left behind may take. */
const quietMsMax = 30_000;

/** Resolves when a process uses no more than a twentieth of a core over a second. */
export async function untilQuiet(pid: number): Promise<void> {
  const giveUpAt = performance.now() + quietMsMax;
  let before = cpuSeconds(pid);
  while (performance.now() < giveUpAt) {
    await Bun.sleep(1_000);
    const now = cpuSeconds(pid);
    if (now - before < 0.05) return;
    before = now;
  }
  throw new Error(`process ${pid} was still busy after ${quietMsMax} ms`);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) throw new Error("median of no values");
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

/** What else the machine was doing when this benchmark was started. */
const loadAtStart = loadavg()[0] ?? 0;
const timesAtStart = machineTimes();

/** From so much on, in percent, figures are the host's as much as ours. */
const stolenPercentMax = 1;

/** Clock ticks of all processors: all of them, and those in which the host of this virtual machine ran
 * others (`steal` of proc(5)). */
function machineTimes(): { readonly all: number; readonly stolen: number } {
  const line = /^cpu +(.*)$/m.exec(readFileSync("/proc/stat", "utf8"));
  const ticks = (line?.[1] ?? "").split(" ").slice(0, 8).map(Number);
  return { all: ticks.reduce((sum, value) => sum + value, 0), stolen: ticks[7] ?? 0 };
}

/** What the host took of the processors since this benchmark was started. */
function stolenPercent(): number {
  const now = machineTimes();
  const all = now.all - timesAtStart.all;
  return all === 0 ? 0 : 100 * (now.stolen - timesAtStart.stolen) / all;
}

/** Prints a table, or with `--json` one object: `{benchmark, machine, figures}`. */
export function report(benchmark: string, figures: readonly Figure[]): void {
  if (process.argv.includes("--json")) {
    const machine = {
      cpu: cpus()[0]?.model,
      cores: cpus().length,
      loadAtStart,
      stolenPercent: stolenPercent(),
      bun: Bun.version,
    };
    const judged = figures.map((figure) => ({ ...figure, met: isMet(figure) }));
    console.log(JSON.stringify({ benchmark, machine, figures: judged }));
    return;
  }
  const rows = figures.map((figure) => [
    figure.name,
    `${show(figure.value)} ${figure.unit}`,
    describeGoal(figure),
  ]);
  const widths = [0, 1, 2].map((column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0))
  );
  console.log(`\n${benchmark}`);
  if (loadAtStart > cpus().length / 2) {
    console.log(`  (the machine was busy: load average ${loadAtStart} on ${cpus().length} cores)`);
  }
  const stolen = stolenPercent();
  if (stolen > stolenPercentMax) {
    console.log(
      `  (the host of this virtual machine took ${stolen.toFixed(0)} % of its processors)`,
    );
  }
  for (const [name = "", value = "", goal = ""] of rows) {
    const line = `  ${name.padEnd(widths[0] ?? 0)}  ${value.padStart(widths[1] ?? 0)}  ${goal}`;
    console.log(line.trimEnd());
  }
}

/** A whole number from `--name N` on the command line. */
export function numberFlag(name: string, fallback: number): number {
  const index = process.argv.indexOf(`--${name}`);
  if (index < 0) return fallback;
  const value = Number(process.argv[index + 1]);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`--${name} must be a whole number over 0, got ${process.argv[index + 1]}`);
}

function isMet(figure: Figure): boolean | undefined {
  if (figure.goal === undefined) return undefined;
  return "max" in figure.goal ? figure.value <= figure.goal.max : figure.value >= figure.goal.min;
}

function describeGoal(figure: Figure): string {
  if (figure.goal === undefined) return "";
  const text = "max" in figure.goal ? `≤ ${show(figure.goal.max)}` : `≥ ${show(figure.goal.min)}`;
  return `goal ${text}: ${isMet(figure) ? "met" : "MISSED"}`;
}

function show(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 1000) {
    return Math.round(value).toLocaleString("en-US");
  }
  return value.toPrecision(3);
}
