import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type {
  RunResult,
  SaturateOptions,
  SteadyOptions,
  SteadyResult,
} from "./load/gateway_load.ts";
import type { UpstreamAnswer, UpstreamReceived } from "./load/gateway_upstream.ts";
import type { Latencies } from "./load/gateway_clock.ts";
import { freePort, type ServerProcess, startPeer, startProcess, startServe } from "./processes.ts";

/** A server with WebSockets on its port: the gateway, or one that it is compared with. */
export interface GatewayProcess {
  readonly pid: number;
  readonly port: number;
  /** From spawn to its ready line. */
  readonly readyMs: number;
  /** Ends it in order, and removes its files. */
  stop(): Promise<void>;
}

/** What of the configuration is no benchmark's matter. */
export interface GatewayOptions {
  readonly routes: readonly { clientIdPrefix: string; upstream: string }[];
  /** "" is no journal. */
  readonly persistFile: string;
  readonly buffer?: Readonly<Record<string, unknown>>;
  /** A directory that is there and is kept. */
  readonly directory?: string;
}

/** One rule for everybody. */
export function allTo(upstream: string): GatewayOptions["routes"] {
  return [{ clientIdPrefix: "", upstream }];
}

/** A journal with an fdatasync before each acknowledgement. That these upstreams never acknowledge
 * is said, for else a gateway may wait some seconds whether they do. */
export const journal = {
  persistFile: "data/buffer.log",
  buffer: { fsync: "always", fsyncMinIntervalMs: 2, upstreamAck: "none" },
} as const;

/** With 1,000,000 rules or messages to read. */
const readyTimeoutMs = 90_000;

/** Starts `freekill-gw serve` as a gateway: without the limits of a client address, since the load
 * has only one, and without history, since forwarders have none. */
export async function startGateway(options: GatewayOptions): Promise<
  GatewayProcess & { kill(): Promise<void> }
> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), "freekill-gw-bench-"));
  const path = join(directory, "freekill-gw.json");
  writeFileSync(
    path,
    JSON.stringify({
      gateway: { rateLimit: { enabled: false }, history: { enabled: false } },
      routes: options.routes,
      buffer: { persistFile: options.persistFile, ...options.buffer },
    }),
  );
  const port = await freePort();
  const server = await startServe(["--config", path], {
    directory,
    httpPort: port,
    readyTimeoutMs,
  });
  const removed = () => {
    if (options.directory === undefined) rmSync(directory, { recursive: true, force: true });
  };
  process.on("exit", removed);
  return {
    pid: server.pid,
    port,
    readyMs: server.readyMs,
    stop: () => server.stop().then(removed),
    kill: () => server.kill().then(removed),
  };
}

/** `bare` and `acking` run on this Bun, `ws` on Node, or on this Bun where there is no Node. */
export type ForwarderKind = "bare" | "acking" | "ws";

export async function startForwarder(
  kind: ForwarderKind,
  upstream: string,
): Promise<GatewayProcess> {
  if (kind === "acking") {
    const directory = mkdtempSync(join(tmpdir(), "freekill-gw-bench-"));
    const file = join(directory, "journal");
    const peer = await startPeer("gateway_acking_forwarder.ts", [upstream, file]);
    const removed = () => rmSync(directory, { recursive: true, force: true });
    process.on("exit", removed);
    return { ...peer, stop: () => peer.stop().then(removed) };
  }
  const peer = kind === "bare"
    ? await startPeer("gateway_forwarder.ts", [upstream])
    : await startOnNode("gateway_ws_forwarder.js", upstream);
  return { ...peer, stop: () => peer.stop().then(() => {}) };
}

/** What the `ws` forwarder runs on: its name for figures. */
export const wsRuntime: string = Bun.which("node") === null ? "Bun" : "Node";

async function startOnNode(file: string, upstream: string): Promise<ServerProcess> {
  const node = Bun.which("node");
  if (node === null) return await startPeer(file, [upstream]);
  const path = join(import.meta.dir, "peers", file);
  const { line, ...started } = await startProcess(
    [node, path, upstream],
    { directory: tmpdir() },
    "ready ",
  );
  return { ...started, port: Number(line.split(" ")[1]) };
}

/** An upstream in a process of its own. */
export interface UpstreamProcess {
  readonly pid: number;
  readonly url: string;
  answer(options: { with: UpstreamAnswer }): Promise<void>;
  receive(): Promise<void>;
  received(): Promise<UpstreamReceived>;
  push(options: { clients: number; perSecond: number; seconds: number }): Promise<{ sent: number }>;
  stop(): Promise<void>;
}

export async function startUpstream(
  options: { answer?: UpstreamAnswer; port?: number } = {},
): Promise<UpstreamProcess> {
  const load = await startCommanded("gateway_upstream.ts", { port: options.port ?? 0 });
  const { command } = load;
  const upstream: UpstreamProcess = {
    pid: load.pid,
    url: `ws://127.0.0.1:${load.line.split(" ")[2]}/`,
    answer: (what) => command("answer", what),
    receive: () => command("receive", {}),
    received: () => command("received", {}),
    push: (what) => command("push", what),
    stop: load.kill,
  };
  await upstream.answer({ with: options.answer ?? "echo" });
  return upstream;
}

/** Clients in a process of their own. */
export interface ClientsProcess {
  readonly pid: number;
  open(at: { port: number; first: number; count: number; query: string }): Promise<void>;
  saturate(options: SaturateOptions): Promise<RunResult>;
  steady(options: SteadyOptions): Promise<SteadyResult>;
  receive(): Promise<void>;
  received(): Promise<{ echo: Latencies; ack: Latencies }>;
  stop(): Promise<void>;
}

export async function startClients(): Promise<ClientsProcess> {
  const { pid, command, kill } = await startCommanded("gateway_load.ts", {});
  return {
    pid,
    open: (at) => command("open", at),
    saturate: (options) => command("saturate", options),
    steady: (options) => command("steady", options),
    receive: () => command("receive", {}),
    received: () => command("received", {}),
    stop: kill,
  };
}

async function startCommanded(file: string, options: object) {
  const path = join(import.meta.dir, "load", file);
  const { pid, line, kill } = await startProcess(
    [process.execPath, path, JSON.stringify(options)],
    { directory: tmpdir(), stderr: "inherit" },
    "ready ",
  );
  const url = `http://127.0.0.1:${line.split(" ")[1]}/`;
  const command = async <T>(name: string, body: object): Promise<T> => {
    const response = await fetch(url + name, { method: "POST", body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${file} ${name}: ${await response.text()}`);
    return await response.json() as T;
  };
  return { pid, line, command, kill };
}
