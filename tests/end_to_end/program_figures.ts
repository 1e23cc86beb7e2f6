import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A unit of `/proc/<pid>/stat` on every Linux of today. */
const ticksPerSecond = 100;

/** Far above what any figure takes to come right: only a leak or a hang comes near. */
const withinMs = 20_000;

/** A program that runs in a directory of its own, with HTTP on. */
export interface Measured {
  readonly directory: string;
  readonly pid: number;
}

/** The JSON form of `/metrics`; a counter that has not begun is 0. */
export async function figures({ directory }: Measured): Promise<(name: string) => number> {
  const settings = JSON.parse(readFileSync(join(directory, "freekill-gw.json"), "utf8"));
  const answer = await fetch(`http://127.0.0.1:${settings.http_port}/metrics`);
  const json = await answer.json() as Record<string, number>;
  return (name) => json[name] ?? 0;
}

/** Waits until a figure is what it should be; throws with what it was at last. */
export async function figureBecomes(
  program: Measured,
  name: string,
  isRight: (value: number) => boolean,
): Promise<void> {
  const giveUpAt = performance.now() + withinMs;
  for (;;) {
    const value = (await figures(program))(name);
    if (isRight(value)) return;
    if (performance.now() > giveUpAt) throw new Error(`${name} is still ${value}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Memory that is in use of the machine. */
export function residentBytes({ pid }: Measured): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
}

/** Time that all threads have spent on a processor, in milliseconds. */
export function cpuMs({ pid }: Measured): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // After the name, which may hold anything, comes the state, the 3rd field; utime is the 14th.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 1_000 / ticksPerSecond;
}
