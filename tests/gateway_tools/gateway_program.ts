import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { programCommand, type ProgramKind } from "../client/game_program.ts";
import { cleanEnvironment, freePort } from "../program_environment.ts";
import { Changes } from "./changes.ts";
import { type ClientOptions, GatewayClient, type Refusal } from "./gateway_client.ts";

/** Far above what it takes: only a hang comes near. */
const startMs = 60_000;
const stopMs = 30_000;
/** A port that was free may be taken a moment later. */
const portAttemptsMax = 5;

/** Sections of `freekill-gw.json`; ports are chosen. */
export type GatewaySections = Readonly<Record<string, unknown>>;

export interface GatewayProgramOptions {
  readonly kind?: ProgramKind;
  readonly config: GatewaySections;
  /** In place of a new one, which is removed at the end. */
  readonly directory?: string;
  /** Names the port by the original's key `gateway.listen`, in place of `http_port`. */
  readonly isListenKey?: boolean;
  /** Flags of `serve`. */
  readonly flags?: readonly string[];
}

/** A data directory whose `serve`, a gateway, comes and goes on the same ports. */
export class GatewayProgram {
  readonly directory: string;
  readonly #kind: ProgramKind;
  readonly #isListenKey: boolean;
  readonly #flags: readonly string[];
  #config: GatewaySections;
  #ports: readonly [http: number, tcp: number] = [0, 0];
  #child: ChildProcess | undefined;
  #ended: Promise<number | null> = Promise.resolve(null);
  #said = { stdout: "", stderr: "" };
  readonly #changes = new Changes();
  readonly #clients: GatewayClient[] = [];

  private constructor(
    directory: string,
    { kind, config, isListenKey, flags }: GatewayProgramOptions,
  ) {
    this.directory = directory;
    this.#flags = flags ?? [];
    this.#kind = kind ?? "binary";
    this.#isListenKey = isListenKey ?? false;
    this.#config = config;
  }

  /** Runs `use` with a gateway that is ready; it, its clients and its directory are gone afterwards.
   * What it said last is in the message of a failure. */
  static async with(
    options: GatewayProgramOptions,
    use: (program: GatewayProgram) => Promise<void>,
  ): Promise<void> {
    const directory = options.directory ?? mkdtempSync(join(tmpdir(), "freekill-gw-gateway-"));
    const program = new GatewayProgram(directory, options);
    try {
      await program.start();
      await use(program);
    } catch (error) {
      const log = program.log.trimEnd().split("\n").slice(-15).join("\n");
      const message = error instanceof Error ? error.message : String(error);
      throw new Error(`${message}\nthe program's log ends:\n${log}`, { cause: error });
    } finally {
      for (const client of program.#clients) client.destroy();
      await program.kill();
      if (options.directory === undefined) rmSync(directory, { recursive: true, force: true });
    }
  }

  get port(): number {
    return this.#ports[0];
  }

  /** Of the game and the probes. */
  get tcpPort(): number {
    return this.#ports[1];
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Its stderr since the last start. */
  get log(): string {
    return this.#said.stderr;
  }

  /** Its exit code, once it has ended. */
  get ended(): Promise<number | null> {
    return this.#ended;
  }

  /** Starts it, with another configuration if one is given; milliseconds until it was ready. */
  async start(config: GatewaySections = this.#config): Promise<number> {
    this.#config = config;
    if (this.#ports[0] !== 0) return await this.#startOnce();
    for (let attempt = 1;; attempt++) {
      this.#ports = [await freePort(), await freePort()];
      try {
        return await this.#startOnce();
      } catch (error) {
        // Somebody else's: other tests run on this machine.
        if (attempt === portAttemptsMax || !this.log.includes("EADDRINUSE")) throw error;
      }
    }
  }

  async #startOnce(): Promise<number> {
    this.configure(this.#config);
    const startedAt = performance.now();
    this.#spawn();
    const timer = setTimeout(() => this.#child?.kill("SIGKILL"), startMs);
    try {
      await Promise.race([
        this.saysOut(/^runtime_host_server_ready /m, startMs * 2),
        this.#ended.then((code) => {
          throw new Error(`serve ended with ${code} before it was ready: ${this.log}`);
        }),
      ]);
    } finally {
      clearTimeout(timer);
    }
    return performance.now() - startedAt;
  }

  get configPath(): string {
    return join(this.directory, "freekill-gw.json");
  }

  /** A configuration with its ports, as the program reads it. */
  configText(config: GatewaySections): string {
    const [http_port, tcp_port] = this.#ports;
    const all: Record<string, unknown> = { tcp_port, tcp_port_mode: "host", ...config };
    if (this.#isListenKey) {
      all.gateway = { listen: `127.0.0.1:${http_port}`, ...config.gateway as GatewaySections };
    } else {
      all.http_port = http_port;
    }
    return JSON.stringify(all);
  }

  /** Writes another configuration, without telling a program that runs. */
  configure(config: GatewaySections): void {
    writeFileSync(this.configPath, this.configText(config));
  }

  /** The report of its n-th reload since the start, as the log shows it. */
  async reloaded(count = 1): Promise<Record<string, unknown>> {
    const mark = '"configuration reloaded"';
    await this.logs(new RegExp(`(?:${mark}[^]*){${count}}`));
    const lines = this.log.split("\n").filter((line) => line.includes(mark));
    return JSON.parse(lines[count - 1] ?? "{}");
  }

  /** SIGTERM; its exit code, null when it had to be killed. */
  async stop(): Promise<number | null> {
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), stopMs);
    const code = await this.#ended;
    clearTimeout(timer);
    this.#child = undefined;
    return code;
  }

  /** SIGKILL; does nothing when none runs. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#ended;
    this.#child = undefined;
  }

  signal(name: "SIGTERM" | "SIGKILL" | "SIGHUP" | "SIGSTOP" | "SIGCONT"): void {
    if (this.#child === undefined || this.#child.exitCode !== null) return;
    if (this.#child.signalCode === null) process.kill(this.pid, name);
  }

  /** A client that is destroyed at the end. */
  async client(
    clientId: string,
    query = "",
    options: Partial<ClientOptions> = {},
  ): Promise<GatewayClient> {
    const client = await GatewayClient.open({ port: this.port, clientId, query, ...options });
    this.#clients.push(client);
    return client;
  }

  /** An upgrade that must be refused. */
  refused(options: Partial<ClientOptions>): Promise<Refusal> {
    return GatewayClient.refused({ port: this.port, ...options });
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.port}${path}`, { headers });
  }

  /** A figure of the JSON metrics; NaN when it is missing. */
  async figure(name: string): Promise<number> {
    const all = await (await this.get("/metrics")).json() as Record<string, number>;
    return all[name] ?? NaN;
  }

  /** Waits until a figure is what it should be; throws with what it was at last. */
  async figureBecomes(name: string, isRight: (value: number) => boolean): Promise<void> {
    const giveUpAt = performance.now() + startMs / 2;
    for (;;) {
      const value = await this.figure(name);
      if (isRight(value)) return;
      if (performance.now() > giveUpAt) throw new Error(`${name} is still ${value}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Memory that is in use of the machine, in MiB. */
  residentMiB(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1_024;
  }

  saysOut(pattern: RegExp, limitMs?: number): Promise<true> {
    return this.#changes.until(
      `${pattern} on stdout`,
      () => pattern.test(this.#said.stdout) || undefined,
      limitMs,
    );
  }

  /** Waits for something on its stderr. */
  logs(pattern: RegExp, limitMs?: number): Promise<true> {
    return this.#changes.until(
      `${pattern} on stderr`,
      () => pattern.test(this.#said.stderr) || undefined,
      limitMs,
    );
  }

  #spawn(): void {
    const [program = "", ...args] = programCommand(this.#kind);
    const child = spawn(program, [...args, "serve", ...this.#flags], {
      cwd: this.directory,
      env: cleanEnvironment(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    this.#said = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8");
      child[name].on("data", (text: string) => {
        this.#said[name] += text;
        this.#changes.happened();
      });
    }
    this.#ended = new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => resolve(code));
    });
    // Who waits for it sees how it ended.
    this.#ended.catch(() => {});
  }
}
