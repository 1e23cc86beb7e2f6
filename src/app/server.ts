import { parseAddressBlock } from "../base/address.ts";
import type { Settings } from "../config/settings.ts";
import { childTokenVariable } from "../config/settings_keys.ts";
import { runRoomLife } from "../game/room_life.ts";
import { RoomList } from "../game/room_list.ts";
import { accessRules } from "../host/access.ts";
import { HostCommands } from "../host/host_commands.ts";
import { emptyHostMetrics, type HostMetrics } from "../host/host_metrics.ts";
import { HostServer } from "../host/host_server.ts";
import type { ScriptBridge } from "../host/script_bridge.ts";
import { BindError } from "../ports/bind_error.ts";
import { FileError } from "../ports/files.ts";
import type { HttpServer } from "../ports/http.ts";
import type { Logger } from "../ports/log.ts";
import type { Runtime } from "../ports/runtime.ts";
import { type DirectoryLock, lockDirectory } from "./directory_lock.ts";
import { httpRoutes } from "./http_routes.ts";
import { PrometheusText } from "./prometheus.ts";
import { openScriptBridge } from "./script_bridges.ts";
import { StoreClient } from "./store_client.ts";

/** Files that the program needs besides its connections, HTTP included; a quarter if those are fewer. */
const reservedFilesMax = 512;
const connectionsMax = 100_000;
/** Below it an operator should know. */
const fileLimitLow = 4_096;
/** Where the system does not say how many files a process may open. */
const defaultFileLimit = 1_024;
/** An HTTP request here carries no body worth reading. */
const httpBodyBytesMax = 65_536;
/** How long work under way may hold up the end. */
const finishMsMax = 2_000;
/** How often the end looks whether what it waits for has come. */
const lookAgainMs = 5;

export interface RunningServer {
  readonly tcpPort: number;
  readonly udpPort: number;
  /** undefined when HTTP is off. */
  readonly httpPort: number | undefined;
  /** Whether the rules of the game are installed here. */
  readonly hasGameCore: boolean;
  /** Stops in order: no new work, what is under way, connections, store. Idempotent. */
  stop(): Promise<void>;
}

export type ServerStart =
  | { readonly ok: true; readonly server: RunningServer }
  /** One line: what was tried, what was found. */
  | { readonly ok: false; readonly reason: string };

/** Puts the parts together and starts them; what was started is stopped again when one fails. */
export async function startServer(
  parts: { runtime: Runtime; settings: Settings; logger: Logger; requestStop(): void },
): Promise<ServerStart> {
  const server = new Server(parts);
  try {
    await server.start();
    return { ok: true, server };
  } catch (error) {
    await server.stop();
    if (error instanceof StartError || error instanceof BindError || error instanceof FileError) {
      return { ok: false, reason: error.message };
    }
    throw error;
  }
}

/** A cause that the operator can do something about. */
class StartError extends Error {
  override readonly name = "StartError";
}

class Server implements RunningServer {
  readonly #runtime: Runtime;
  readonly #settings: Settings;
  readonly #logger: Logger;
  readonly #requestStop: () => void;
  readonly #metrics: HostMetrics = emptyHostMetrics();
  #lock: DirectoryLock | undefined;
  #store: StoreClient | undefined;
  #script: ScriptBridge | undefined;
  #host: HostServer | undefined;
  #http: HttpServer | undefined;
  #phase: "starting" | "running" | "draining" = "starting";
  #stopped: Promise<void> | undefined;
  tcpPort = 0;
  udpPort = 0;
  httpPort: number | undefined;
  hasGameCore = false;

  constructor(
    parts: { runtime: Runtime; settings: Settings; logger: Logger; requestStop(): void },
  ) {
    this.#runtime = parts.runtime;
    this.#settings = parts.settings;
    this.#logger = parts.logger;
    this.#requestStop = parts.requestStop;
  }

  async start(): Promise<void> {
    const { files, process, sqlite, workers } = this.#runtime;
    const settings = this.#settings;
    // The store's thread takes the longest to come up: it starts first and is waited for last.
    const store = this.#store = new StoreClient({ workers, logger: this.#logger });
    const lock = await lockDirectory({ sqlite, files, process, directory: process.cwd });
    if (!lock.ok) throw new StartError(lock.reason);
    this.#lock = lock;
    await files.makeDirectory(directoryOf(settings.db_path), { mode: 0o700 });
    const opened = await store.open(settings.db_path);
    if (!opened.ok) throw new StartError(opened.reason);
    this.hasGameCore = await files.info("packages/freekill-core") !== undefined;
    const script = this.#script = openScriptBridge({
      runtime: this.#runtime,
      scriptPath: settings.lua_script_path,
      luaCommand: settings.lua_command,
      turnMs: settings.lua_turn_ms,
      memoryMb: settings.lua_memory_mb,
      logger: this.#logger.child({ part: "lua" }),
    });
    await this.#startHost(store, script);
    await this.#startHttp();
    this.#phase = "running";
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stopOnce();
    return this.#stopped;
  }

  async #startHost(store: StoreClient, script: ScriptBridge): Promise<void> {
    const { tcp, udp, clock, process } = this.#runtime;
    const settings = this.#settings;
    const commands = new HostCommands({
      rules: {
        runtimeName: settings.runtime_name,
        access: accessRules({
          allow: settings.control_allow,
          token: settings.control_token,
          childToken: process.env[childTokenVariable] ?? "",
        }),
        threadCount: settings.thread_count,
        taskBudget: settings.task_budget,
        driftMode: settings.drift_mode,
      },
      metrics: this.#metrics,
      flow: () => this.#runRoomLife(),
      routes: store.routes,
    });
    const host = new HostServer({
      tcp,
      udp,
      clock,
      logger: this.#logger.child({ part: "host" }),
      commands,
      metrics: this.#metrics,
      store,
      script,
      host: settings.host,
      tcpPort: settings.tcp_port,
      udpPort: settings.tcp_port === 0 && settings.udp_port === 0 ? 0 : settings.udp_port,
      mode: settings.tcp_port_mode,
      idleMsMax: settings.idle_timeout_s * 1_000,
      connectionsMax: this.#connectionsMax(),
      connectionsPerHostMax: settings.max_connections_per_host,
      tickMs: settings.tick_interval_ms,
      stop: this.#requestStop,
    });
    this.#host = host;
    const { tcpPort, udpPort } = await host.start();
    this.tcpPort = tcpPort;
    this.udpPort = udpPort;
    this.#metrics.persisted_state_count = store.counters.states;
  }

  async #startHttp(): Promise<void> {
    const settings = this.#settings;
    if (settings.http_port === 0) return;
    const prometheus = new PrometheusText({
      host: () => this.#currentMetrics(),
      process: () => ({
        residentBytes: this.#runtime.process.usage().residentBytes,
        cpuSeconds: this.#runtime.process.usage().cpuMicros / 1e6,
        eventLoopLagSeconds: (this.#host?.lagMs ?? 0) / 1_000,
      }),
      runtimeName: settings.runtime_name,
    });
    this.#http = await this.#runtime.http.listen({
      host: settings.http_host,
      port: settings.http_port,
      bodyBytesMax: httpBodyBytesMax,
      fetch: httpRoutes({
        notReady: () => this.#notReady(),
        metrics: () => ({ ...this.#currentMetrics(), runtime_name: settings.runtime_name }),
        prometheus: async () => ({
          contentType: prometheus.contentType,
          text: await prometheus.text(),
        }),
        metricsAllow: settings.metricsAllow.map(parseAddressBlock)
          .filter((block) => block !== undefined),
      }),
      error: (error) => {
        this.#metrics.error_count++;
        this.#logger.error({ error: error.message }, "http request failed");
      },
    });
    this.httpPort = this.#http.port;
  }

  #currentMetrics(): HostMetrics {
    this.#host?.refreshFigures();
    return this.#metrics;
  }

  #notReady(): string | undefined {
    if (this.#phase !== "running") return this.#phase;
    const trouble = this.#store?.trouble;
    return trouble === undefined ? undefined : `store: ${trouble}`;
  }

  #runRoomLife(): { ok: boolean } {
    // Rooms of its own: a life that fails half way leaves nothing behind either.
    const result = runRoomLife(new RoomList());
    if (!result.ok) {
      this.#metrics.error_count++;
      this.#logger.error({ step: result.step, found: result.found }, "trial room failed");
    }
    return result;
  }

  #connectionsMax(): number {
    const asked = this.#settings.max_connections;
    if (asked > 0) return asked;
    const limit = this.#runtime.process.fileDescriptorLimit() ?? defaultFileLimit;
    const connections = connectionsFor(limit);
    if (limit < fileLimitLow) {
      this.#logger.warn(
        { file_limit: limit, max_connections: connections },
        "few files may be opened here: raise the limit (ulimit -n) for more connections",
      );
    }
    return connections;
  }

  async #stopOnce(): Promise<void> {
    const drainMs = this.#phase === "running" ? this.#settings.drainSeconds * 1_000 : 0;
    this.#phase = "draining";
    await this.#host?.stopAccepting();
    await this.#until(() => this.#metrics.active_connections === 0, drainMs);
    // Replies that were promised go out, unless they take too long.
    await this.#until(() => this.#metrics.inflight_async_tasks === 0, finishMsMax);
    this.#script?.close();
    await this.#host?.close();
    await this.#http?.close();
    await this.#store?.close();
    if (this.#lock?.ok) await this.#lock.release();
  }

  /** Waits for something, but not longer than so many milliseconds. */
  #until(isDone: () => boolean, msMax: number): Promise<void> {
    const { clock } = this.#runtime;
    const giveUpAt = clock.monotonic() + msMax;
    return new Promise((resolve) => {
      const look = () => {
        if (isDone() || clock.monotonic() >= giveUpAt) resolve();
        else clock.after(lookAgainMs, look);
      };
      look();
    });
  }
}

/** Connections that a limit of open files leaves room for. */
export function connectionsFor(fileLimit: number): number {
  const reserved = Math.min(reservedFilesMax, Math.ceil(fileLimit / 4));
  return Math.max(1, Math.min(connectionsMax, fileLimit - reserved));
}

function directoryOf(path: string): string {
  const slash = path.lastIndexOf("/");
  if (slash < 0) return ".";
  return slash === 0 ? "/" : path.slice(0, slash);
}
