import type { ChildExit } from "../ports/process.ts";
import { findFreePorts, type PortTriple } from "./free_ports.ts";
import { type HostFigures, parseFigures } from "./host_figures.ts";
import { ProbeFailure, show } from "./probe_failure.ts";
import { TcpClient } from "./tcp_client.ts";
import { UdpClient } from "./udp_client.ts";
import { lastLine, type Program, showExit } from "./program.ts";
import type { Workspace } from "./workspace.ts";

/** A reply on loopback takes under a millisecond; this is for machines that are very busy. */
const replyMs = 5_000;

/** Start to ready is 200 ms; this is for machines that are very busy. */
const readyMs = 15_000;

/** Other ports are tried when somebody took one between finding and binding it. */
const startTriesMax = 5;

/** `serve` ends with it when a port cannot be bound. */
const runtimeFaultCode = 3;

const readyLine =
  /^runtime_host_server_ready host=(\S+) tcp_port=(\d+) udp_port=(\d+) runtime=(\S+)$/m;

export interface PrivateServerOptions {
  /** Configuration keys over those that `start` chooses. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** The text of its Lua script; none is set without. */
  readonly script?: string;
  /** HTTP listens too (off by default). */
  readonly http?: boolean;
}

/** A `serve` in a directory of its own that nobody else talks to. */
export class PrivateServer {
  readonly workspace: Workspace;
  readonly directory: string;
  readonly host: string;
  readonly ports: PortTriple;
  #program: Program;
  /** The ready line's parts, as printed. */
  readonly ready: { host: string; tcpPort: number; udpPort: number; runtimeName: string };

  private constructor(
    workspace: Workspace,
    what: { directory: string; host: string; ports: PortTriple; program: Program },
    ready: PrivateServer["ready"],
  ) {
    this.workspace = workspace;
    this.directory = what.directory;
    this.host = what.host;
    this.ports = what.ports;
    this.#program = what.program;
    this.ready = ready;
  }

  /** Writes a configuration, starts `serve` and waits until it is ready. */
  static async start(
    workspace: Workspace,
    options: PrivateServerOptions = {},
  ): Promise<PrivateServer> {
    const directory = await workspace.makeDirectory();
    for (let tries = 1;; tries++) {
      const { host, ports } = await configure(workspace, directory, options);
      const program = await workspace.start(["serve"], { cwd: directory });
      try {
        const ready = await waitUntilReady(program);
        return new PrivateServer(workspace, { directory, host, ports, program }, ready);
      } catch (error) {
        program.kill("SIGKILL");
        const { code } = await program.waitForExit(replyMs);
        const portTaken = code === runtimeFaultCode && program.stderr.includes("in use");
        if (!portTaken || tries >= startTriesMax) throw error;
      }
    }
  }

  get pid(): number {
    return this.#program.pid;
  }

  get scriptPath(): string {
    return `${this.directory}/${scriptName}`;
  }

  /** Opens a TCP connection that the caller closes. */
  connect(options: { host?: string; timeoutMs?: number } = {}): Promise<TcpClient> {
    return TcpClient.open(this.workspace.runtime, {
      host: options.host ?? connectable(this.host),
      port: this.ports.tcpPort,
      timeoutMs: options.timeoutMs ?? replyMs,
    });
  }

  /** Runs `talk` on a TCP connection of its own. */
  async tcp<T>(talk: (client: TcpClient) => Promise<T>, host?: string): Promise<T> {
    const client = await this.connect(host === undefined ? {} : { host });
    try {
      return await talk(client);
    } finally {
      client.close();
    }
  }

  /** Runs `talk` on a UDP socket of its own; `port` is `udp_port` unless it says otherwise. */
  async udp<T>(
    talk: (client: UdpClient) => Promise<T>,
    options: { host?: string; port?: number; timeoutMs?: number } = {},
  ): Promise<T> {
    const client = await UdpClient.open(this.workspace.runtime, {
      host: options.host ?? connectable(this.host),
      port: options.port ?? this.ports.udpPort,
      timeoutMs: options.timeoutMs ?? replyMs,
    });
    try {
      return await talk(client);
    } finally {
      client.close();
    }
  }

  /** One command on a TCP connection of its own. */
  ask(command: string): Promise<string> {
    return this.tcp((client) => client.ask(command));
  }

  /** The whole answer to a GET on the HTTP port, head and body as text. `headers` end in `\r\n`. */
  async httpGet(path: string, headers = ""): Promise<string> {
    const client = await TcpClient.open(this.workspace.runtime, {
      host: connectable(this.host),
      port: this.ports.httpPort,
      timeoutMs: replyMs,
    });
    try {
      client.send(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${headers}\r\n`);
      return new TextDecoder().decode(await client.readToEnd(`answer to GET ${path}`));
    } finally {
      client.close();
    }
  }

  /** The reply to `__METRICS__`, checked. */
  async figures(): Promise<HostFigures> {
    return parseFigures(await this.ask("__METRICS__"));
  }

  /** Replaces its Lua script. */
  async writeScript(text: string): Promise<void> {
    await this.workspace.runtime.files.replace(this.scriptPath, new TextEncoder().encode(text));
  }

  /** Changes its configuration file for the next start. */
  async configure(settings: Readonly<Record<string, unknown>>): Promise<void> {
    const path = `${this.directory}/${configName}`;
    const { files } = this.workspace.runtime;
    const old = JSON.parse(new TextDecoder().decode(await files.read(path)));
    await files.replace(path, new TextEncoder().encode(JSON.stringify({ ...old, ...settings })));
  }

  /** Ends it without a chance to clean up. */
  async kill(): Promise<void> {
    this.#program.kill("SIGKILL");
    await this.#program.waitForExit(replyMs);
  }

  /** Asks it to stop by signal and waits. */
  async stop(): Promise<ChildExit> {
    this.#program.kill("SIGTERM");
    return await this.#program.waitForExit(replyMs);
  }

  /** Waits until it ended by itself. */
  waitForExit(): Promise<ChildExit> {
    return this.#program.waitForExit(replyMs);
  }

  /** Starts it again in the same directory on the same ports, after it ended. */
  async startAgain(flags: readonly string[] = []): Promise<void> {
    this.#program = await this.workspace.start(["serve", ...flags], { cwd: this.directory });
    await waitUntilReady(this.#program);
  }

  /** The last bytes of its log. */
  get log(): string {
    return this.#program.stderr;
  }
}

/** Writes `freekill-gw.json` (and the script) for free ports into `directory`. */
export async function configure(
  workspace: Workspace,
  directory: string,
  options: PrivateServerOptions = {},
): Promise<{ host: string; ports: PortTriple }> {
  const { files } = workspace.runtime;
  const host = String(options.settings?.["host"] ?? "127.0.0.1");
  const ports = await findFreePorts(workspace.runtime, host);
  const settings = {
    host,
    tcp_port: ports.tcpPort,
    udp_port: ports.udpPort,
    http_port: options.http === true ? ports.httpPort : 0,
    runtime_name: "acceptance",
    lua_script_path: options.script === undefined ? "" : scriptName,
    ...options.settings,
  };
  if (options.script !== undefined) {
    await files.replace(`${directory}/${scriptName}`, new TextEncoder().encode(options.script));
  }
  const text = JSON.stringify(settings, null, 2);
  await files.replace(`${directory}/${configName}`, new TextEncoder().encode(text));
  return { host, ports };
}

export const configName = "freekill-gw.json";
const scriptName = "script.lua";

async function waitUntilReady(program: Program): Promise<PrivateServer["ready"]> {
  try {
    const match = await program.waitForOutput(readyLine, readyMs);
    const [, host = "", tcpPort, udpPort, runtimeName = ""] = match;
    return { host, tcpPort: Number(tcpPort), udpPort: Number(udpPort), runtimeName };
  } catch (error) {
    if (!(error instanceof ProbeFailure)) throw error;
    throw new ProbeFailure(`serve did not become ready: ${error.message}`, { cause: error });
  }
}

function connectable(host: string): string {
  return host === "::" ? "::1" : host === "0.0.0.0" ? "127.0.0.1" : host;
}

/** Throws ProbeFailure unless the program ended with `code`. */
export function expectExit(exit: ChildExit, code: number, log: string): void {
  if (exit.code !== code) {
    throw new ProbeFailure(
      `It ended ${showExit(exit)} instead of ${code}; last line: ${show(lastLine(log))}`,
    );
  }
}
