import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { cleanEnvironment } from "../program_environment.ts";
import { binary, freePort } from "./run_program.ts";

/** Far above what any of this takes: only a hang comes near. */
const waitMsMax = 60_000;

export type Event = Readonly<Record<string, unknown>> & { readonly event: string };

/** The compiled binary's `watchdog`, in a directory of its own. */
export interface WatchdogProgram {
  readonly tcpPort: number;
  readonly pid: number;
  readonly exited: Promise<number | null>;
  /** All that it wrote to stderr so far. */
  readonly stderr: string;
  signal(name: "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGKILL"): void;
  status(): Readonly<Record<string, unknown>>;
  events(): Event[];
  /** Waits until the status shows a healthy child that is not `other`; gives its process id. */
  healthyChild(other?: number): Promise<number>;
  /** Waits for the first such event. */
  event(isIt: (event: Event) => boolean): Promise<Event>;
}

/** Starts `watchdog` in `directory`, which it and its child use as theirs, on free ports. */
export async function startWatchdog(
  directory: string,
  options: {
    tcpPort?: number;
    flags?: readonly string[];
    env?: Readonly<Record<string, string>>;
    /** Made the leader of a process group, as a shell does with what it starts at a terminal. */
    ownGroup?: boolean;
  } = {},
): Promise<WatchdogProgram> {
  const tcpPort = options.tcpPort ?? await freePort();
  writeConfig(directory, { tcp_port: tcpPort, http_port: 0 });
  const flags = ["--config", "gw.json", ...options.flags ?? []];
  const child = Bun.spawn([binary, "watchdog", ...flags], {
    cwd: directory,
    env: { ...cleanEnvironment(), ...options.env },
    detached: options.ownGroup ?? false,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const shown = { stderr: "" };
  void (async () => {
    const decoder = new TextDecoder();
    for await (const bytes of child.stderr) shown.stderr += decoder.decode(bytes, { stream: true });
  })();
  const statusPath = join(directory, "data", "watchdog_status.json");
  const eventsPath = join(directory, "data", "watchdog_events.jsonl");
  const program: WatchdogProgram = {
    tcpPort,
    pid: child.pid,
    exited: child.exited.then(() => child.exitCode),
    get stderr() {
      return shown.stderr;
    },
    signal: (name) => child.kill(name),
    status: () => JSON.parse(readFileSync(statusPath, "utf8")),
    events() {
      if (!existsSync(eventsPath)) return [];
      const lines = readFileSync(eventsPath, "utf8").split("\n");
      // The last one may still be being written.
      return lines.slice(0, -1).map((line) => JSON.parse(line));
    },
    async healthyChild(other) {
      return await until(`a healthy child; stderr:\n${shown.stderr}`, () => {
        if (!existsSync(statusPath)) return undefined;
        const { child_pid: pid, last_health_ok: isOk } = program.status();
        return isOk === true && typeof pid === "number" && pid !== other ? pid : undefined;
      });
    },
    async event(isIt) {
      return await until("an event", () => program.events().find(isIt));
    },
  };
  return program;
}

export function writeConfig(directory: string, config: object): void {
  writeFileSync(join(directory, "gw.json"), JSON.stringify(config));
}

/** Looks again and again, often, until there is something. */
export async function until<T>(what: string, look: () => T | undefined): Promise<T> {
  const end = performance.now() + waitMsMax;
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await Bun.sleep(5);
  }
}

/** Runs `use` and kills afterwards whatever is left of these watchdogs and their children. */
export async function killingAfterwards(
  programs: readonly WatchdogProgram[],
  use: () => Promise<void>,
): Promise<void> {
  try {
    await use();
  } finally {
    const children = programs.flatMap((program) =>
      program.events().flatMap((event) => event.event === "child_started" ? event["child_pid"] : [])
    );
    for (const program of programs) program.signal("SIGKILL");
    for (const pid of children) if (isServe(Number(pid))) process.kill(Number(pid), "SIGKILL");
  }
}

/** Whether a process is a `serve` of the binary under test: numbers are used again. */
export function isServe(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes("serve");
  } catch {
    // There is no such process.
    return false;
  }
}
