import type { ChildExit } from "../ports/process.ts";
import type { PortTriple } from "./free_ports.ts";
import { configure, type PrivateServerOptions } from "./private_server.ts";
import { eventually, expect, ProbeFailure } from "./probe_failure.ts";
import { TcpClient } from "./tcp_client.ts";
import type { Program } from "./program.ts";
import type { Workspace } from "./workspace.ts";

/** A reply on loopback takes under a millisecond; this is for machines that are very busy. */
const replyMs = 5_000;

/** The status file is small; a watchdog that fills the disk is at fault. */
const statusBytesMax = 1 << 16;
const eventLogBytesMax = 1 << 20;

/** How long a child's end may take once its watchdog was told to stop (4 s until SIGTERM). */
const stopMs = 15_000;

/** The status file's keys that the check leans on. */
export interface WatchdogStatusFile {
  readonly restart_count: number;
  readonly health_failure_streak: number;
  readonly last_health_ok: boolean;
  readonly child_pid: number | null;
  readonly child_running: boolean;
}

/** A `watchdog` in a directory of its own, looking at its child a few times a second. */
export class PrivateWatchdog {
  readonly directory: string;
  readonly ports: PortTriple;
  readonly #workspace: Workspace;
  readonly #program: Program;

  private constructor(
    workspace: Workspace,
    what: { directory: string; ports: PortTriple; program: Program },
  ) {
    this.#workspace = workspace;
    this.directory = what.directory;
    this.ports = what.ports;
    this.#program = what.program;
  }

  /** Starts it and waits until its child is healthy. */
  static async start(
    workspace: Workspace,
    options: PrivateServerOptions & { flags?: readonly string[] },
  ): Promise<PrivateWatchdog> {
    const directory = await workspace.makeDirectory();
    const { ports } = await configure(workspace, directory, options);
    const flags = [...quickFlags, ...options.flags ?? []];
    const program = await workspace.start(["watchdog", ...flags], { cwd: directory });
    const watchdog = new PrivateWatchdog(workspace, { directory, ports, program });
    // Its child is not ours: when the watchdog is killed, nobody else would end it.
    workspace.onClose(() => watchdog.#killOrphan());
    await watchdog.waitForStatus("a healthy child", 30_000, (status) => status.last_health_ok);
    return watchdog;
  }

  /** What it wrote last; undefined before the first time. */
  async status(): Promise<WatchdogStatusFile | undefined> {
    const { files } = this.#workspace.runtime;
    const path = `${this.directory}/${statusName}`;
    if (await files.info(path) === undefined) return undefined;
    const text = new TextDecoder().decode(await files.read(path, { bytesMax: statusBytesMax }));
    try {
      return JSON.parse(text) as WatchdogStatusFile;
    } catch (error) {
      throw new ProbeFailure("The watchdog's status file is no JSON", { cause: error });
    }
  }

  /** Waits until the status file says so, for at most `ms`. */
  waitForStatus(
    what: string,
    ms: number,
    isWanted: (status: WatchdogStatusFile) => boolean,
  ): Promise<WatchdogStatusFile> {
    return eventually(this.#workspace.runtime.clock, { ms, what }, async () => {
      expect(!this.#hasEnded, `the watchdog ended: ${this.#program.stderr.slice(-300)}`);
      const status = await this.status();
      return status !== undefined && isWanted(status) ? status : undefined;
    });
  }

  /** The process number of the child that runs now. */
  async childPid(): Promise<number> {
    const pid = (await this.status())?.child_pid;
    expect(typeof pid === "number" && pid > 1, "the status file names no child_pid");
    return pid;
  }

  /** The lines of its event log. */
  async events(): Promise<string[]> {
    const path = `${this.directory}/${eventLogName}`;
    const bytes = await this.#workspace.runtime.files.read(path, { bytesMax: eventLogBytesMax });
    return new TextDecoder().decode(bytes).trim().split("\n");
  }

  /** One command to the child. */
  async ask(command: string): Promise<string> {
    const client = await TcpClient.open(this.#workspace.runtime, {
      host: "127.0.0.1",
      port: this.ports.tcpPort,
      timeoutMs: replyMs,
    });
    try {
      return await client.ask(command);
    } finally {
      client.close();
    }
  }

  /** Asks it to stop and waits. */
  async stop(): Promise<ChildExit> {
    this.#program.kill("SIGTERM");
    return await this.waitForExit();
  }

  waitForExit(): Promise<ChildExit> {
    return this.#program.waitForExit(stopMs);
  }

  get log(): string {
    return this.#program.stderr;
  }

  get #hasEnded(): boolean {
    return this.#program.exit !== undefined;
  }

  async #killOrphan(): Promise<void> {
    const { process } = this.#workspace.runtime;
    const status = await this.status();
    if (this.#program.exit?.code === 0 || typeof status?.child_pid !== "number") return;
    process.kill(status.child_pid, "SIGKILL");
  }
}

const statusName = "status.json";
const eventLogName = "events.jsonl";

/** Short enough for a test, long enough for a busy machine. */
const quickFlags = [
  ["--health-interval-s", "0.2"],
  ["--health-timeout-ms", "1000"],
  ["--start-grace-s", "2"],
  ["--max-consecutive-health-failures", "3"],
  ["--restart-delay-s", "0.1"],
  ["--status-path", statusName],
  ["--event-log-path", eventLogName],
  ["--stdout-log-path", "child_stdout.log"],
  ["--stderr-log-path", "child_stderr.log"],
].flat();
