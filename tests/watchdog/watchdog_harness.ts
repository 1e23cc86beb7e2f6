import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { loadSettings } from "../../src/config/load_settings.ts";
import type { Runtime } from "../../src/ports/runtime.ts";
import { runWatchdog } from "../../src/watchdog/watchdog.ts";
import { runtimeCommand } from "../adapters/helper_program.ts";
import { freePort } from "../program_environment.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";
import { fakeLog } from "../fakes/log.ts";
import type { FakeLife } from "./fake_server.ts";

/** Far above what anything here takes: only a hang comes near. */
const waitMsMax = 30_000;

export type WatchdogFlags = Readonly<Record<string, string | number | boolean>>;

/** A watchdog in this very process with real sockets and files, and fake servers as children. */
export interface WatchdogHarness {
  readonly directory: string;
  readonly port: number;
  /** What the next child does. */
  live(life: Partial<FakeLife>): Promise<void>;
  /** Starts `runWatchdog` with quick settings besides these. */
  run(flags?: WatchdogFlags): Promise<number>;
  raise(signal: "SIGINT" | "SIGTERM" | "SIGHUP"): void;
  /** The next start of a child fails with this. */
  failNextStart(message: string): void;
  readonly notified: readonly string[];
  readonly logged: readonly string[];
  readonly shownStderr: string;
  status(): Promise<Record<string, unknown>>;
  events(): Promise<Record<string, unknown>[]>;
  /** The whole text of a file of this directory, "" when it is not there. */
  text(name: string): Promise<string>;
  /** Waits until `isSo` gives something other than undefined or false. */
  until<T>(what: string, isSo: () => Promise<T | undefined | false>): Promise<T>;
  /** The process id of a child that is healthy and not `other`. */
  healthyChild(other?: number): Promise<number>;
}

/** Runs `use` with a harness; whatever is left of it afterwards is killed and removed. */
export async function withWatchdog(
  use: (harness: WatchdogHarness) => Promise<void>,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "watchdog-"));
  const left: Left = { pids: [], runs: [], receivers: new Map() };
  try {
    await use(await makeHarness(directory, left, env));
  } finally {
    // A test that failed leaves a watchdog that would go on for ever.
    left.receivers.get("SIGTERM")?.();
    for (const pid of left.pids) killProcess(pid);
    await Promise.all(left.runs);
    await rm(directory, { recursive: true, force: true });
  }
}

export function killProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}

interface Left {
  readonly pids: number[];
  readonly runs: Promise<number>[];
  readonly receivers: Map<string, () => void>;
}

async function makeHarness(
  directory: string,
  { pids, runs, receivers }: Left,
  env: Readonly<Record<string, string>>,
): Promise<WatchdogHarness> {
  const port = await freePort();
  const path = (name: string) => join(directory, name);
  const real = await runtimeUnderTest();
  const notified: string[] = [];
  const log = fakeLog();
  const shown = { stderr: "" };
  let startFailure: string | undefined;
  const [command, ...first] = runtimeCommand(
    new URL("./fake_server.ts", import.meta.url).href,
  );
  const runtime: Runtime = {
    ...real,
    notifyServiceManager: (message) => void notified.push(message),
    process: {
      ...real.process,
      env: { ...real.process.env, ...env },
      writeStderr: (text) => void (shown.stderr += text),
      onSignal(signal, receive) {
        receivers.set(signal, receive);
        return () => void receivers.delete(signal);
      },
      async spawnSelf(options) {
        const failure = startFailure;
        startFailure = undefined;
        if (failure !== undefined) throw new Error(failure);
        const args = [...first, ...options.args];
        const child = await real.process.spawn(command, { ...options, args });
        pids.push(child.pid);
        return child;
      },
    },
  };
  const text = async (name: string) =>
    existsSync(path(name)) ? await readFile(path(name), "utf8") : "";
  const life = path("life.json");
  const live = async (given: Partial<FakeLife>) => {
    const whole: FakeLife = { port, does: "serves", journal: path("journal"), ...given };
    await writeFile(life, JSON.stringify(whole));
  };
  await live({});
  const harness: WatchdogHarness = {
    directory,
    port,
    live,
    async run(flags = {}) {
      const loaded = await loadSettings({
        files: real.files,
        env: {},
        flags: {
          tcp_port: port,
          "watchdog.health_interval_s": 0.1,
          "watchdog.health_timeout_ms": 2_000,
          "watchdog.restart_delay_s": 0.05,
          "watchdog.status_path": path("status.json"),
          "watchdog.event_log_path": path("events.jsonl"),
          "watchdog.stdout_log_path": path("stdout.log"),
          "watchdog.stderr_log_path": path("stderr.log"),
          ...flags,
        },
      });
      if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
      const run = runWatchdog(runtime, {
        settings: loaded.settings,
        configPath: life,
        childTokenVariable: "FREEKILL_GW_CHILD_TOKEN",
        log: log.logger,
      });
      runs.push(run);
      return await run;
    },
    raise(signal) {
      const receive = receivers.get(signal);
      if (receive === undefined) throw new Error(`nobody listens for ${signal}`);
      receive();
    },
    failNextStart(message) {
      startFailure = message;
    },
    notified,
    get logged() {
      return log.lines.map((line) =>
        `${line.level} ${line.message} ${JSON.stringify(line.fields)}`
      );
    },
    get shownStderr() {
      return shown.stderr;
    },
    status: async () => JSON.parse(await text("status.json")),
    async events() {
      const lines = (await text("events.jsonl")).split("\n").filter((line) => line !== "");
      return lines.map((line) => JSON.parse(line));
    },
    text,
    async until(what, isSo) {
      const end = performance.now() + waitMsMax;
      for (;;) {
        const found = await isSo();
        if (found !== undefined && found !== false) return found;
        if (performance.now() > end) throw new Error(`waited in vain: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    async healthyChild(other) {
      return await harness.until("a healthy child", async () => {
        if (await text("status.json") === "") return undefined;
        const status = await harness.status();
        const pid = status["child_pid"];
        const isIt = status["last_health_ok"] === true && typeof pid === "number" && pid !== other;
        return isIt ? pid : undefined;
      });
    },
  };
  return harness;
}
