import { waitUntil } from "../base/wait_until.ts";
import type { GatewayConfig } from "../config/gateway_config.ts";
import type { Settings } from "../config/settings.ts";
import { childTokenVariable } from "../config/settings_keys.ts";
import { Discovery } from "../game/discovery.ts";
import { type GatewayChange, GatewayServer } from "../gateway/gateway_server.ts";
import { accessRules } from "../host/access.ts";
import { HostCommands } from "../host/host_commands.ts";
import { emptyHostMetrics, type HostMetrics } from "../host/host_metrics.ts";
import { HostServer } from "../host/host_server.ts";
import type { ScriptBridge } from "../host/script_bridge.ts";
import { BindError } from "../ports/bind_error.ts";
import { FileError } from "../ports/files.ts";
import type { Logger } from "../ports/log.ts";
import type { Runtime } from "../ports/runtime.ts";
import { type DirectoryLock, lockDirectory } from "./directory_lock.ts";
import type { GameConfigReload } from "../config/reload_game_config.ts";
import { type Admin, startAdmin } from "./admin.ts";
import { Api } from "./api.ts";
import { allowedConnections } from "./connection_limits.ts";
import { GamePart } from "./game_part.ts";
import { RunningGame } from "./operated_game.ts";
import { openScriptBridge } from "./script_bridges.ts";
import { startHttp } from "./start_http.ts";
import { type HttpSide, TlsFilesError } from "./start_https.ts";
import type { TlsReload } from "./tls_files.ts";
import type { ReloadReport } from "./reloader.ts";
import { StoreClient } from "./store_client.ts";
import { tryRoom } from "./trial_room.ts";

/** How long work under way may hold up the end. */
const finishMsMax = 2_000;

export interface RunningServer {
  readonly tcpPort: number;
  readonly udpPort: number;
  /** undefined when HTTP is off. */
  readonly httpPort: number | undefined;
  /** undefined when no game is served. */
  readonly game: GamePart | undefined;
  /** undefined when no messages are passed on. */
  readonly gateway: GatewayServer | undefined;
  /** Another configuration of the gateway, as far as it can be taken over. */
  configureGateway(config: GatewayConfig): Promise<GatewayChange>;
  /** Reads the files of the HTTP port's certificate again; undefined without TLS. */
  reloadTls(): Promise<TlsReload | undefined>;
  /** The operator's shell, where there is a terminal for it. */
  openShell(): Promise<void>;
  /** Stops in order: no new work, what is under way, connections, store. Idempotent. */
  stop(): Promise<void>;
}

export type ServerStart =
  | { readonly ok: true; readonly server: RunningServer }
  /** One line: what was tried, what was found. */
  | { readonly ok: false; readonly reason: string };

export interface ServerParts {
  readonly runtime: Runtime;
  readonly settings: Settings;
  readonly logger: Logger;
  /** Serves the page `/demo`. */
  readonly isDemo?: boolean;
  /** Somebody wants the server to stop. */
  requestStop(): void;
  /** Reads the configuration again, and takes it over. */
  reload(): Promise<ReloadReport>;
  /** Reads the game's configuration again. */
  readGame(): Promise<GameConfigReload>;
}

/** Puts the parts together and starts them; what was started is stopped again when one fails. */
export async function startServer(
  parts: ServerParts,
): Promise<ServerStart> {
  const server = new Server(parts);
  try {
    await server.start();
    return { ok: true, server };
  } catch (error) {
    await server.stop();
    if (
      error instanceof StartError || error instanceof BindError || error instanceof FileError ||
      error instanceof TlsFilesError
    ) {
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
  readonly #parts: ServerParts;
  readonly #runtime: Runtime;
  readonly #settings: Settings;
  readonly #logger: Logger;
  readonly #metrics: HostMetrics = emptyHostMetrics();
  #lock: DirectoryLock | undefined;
  #store: StoreClient | undefined;
  #script: ScriptBridge | undefined;
  #game: GamePart | undefined;
  #gateway: GatewayServer | undefined;
  #api: Api | undefined;
  #admin: Admin | undefined;
  #host: HostServer | undefined;
  #http: HttpSide | undefined;
  #phase: "starting" | "running" | "draining" = "starting";
  #stopped: Promise<void> | undefined;
  tcpPort = 0;
  udpPort = 0;
  httpPort: number | undefined;

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.#runtime = parts.runtime;
    this.#settings = parts.settings;
    this.#logger = parts.logger;
  }

  get game(): GamePart | undefined {
    return this.#game;
  }

  get gateway(): GatewayServer | undefined {
    return this.#gateway;
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
    if (settings.tcp_port_mode !== "host") await this.#startGame();
    const script = this.#script = openScriptBridge({
      runtime: this.#runtime,
      scriptPath: settings.lua_script_path,
      luaCommand: settings.lua_command,
      turnMs: settings.lua_turn_ms,
      memoryMb: settings.lua_memory_mb,
      logger: this.#logger.child({ part: "lua" }),
    });
    await this.#startHost(store, script);
    if (settings.gateway.enabled) await this.#startGateway();
    await this.#startHttp();
    await this.#admin?.publish(this.#http?.plain);
    this.#phase = "running";
  }

  async openShell(): Promise<void> {
    await this.#admin?.openShell();
  }

  async configureGateway(config: GatewayConfig): Promise<GatewayChange> {
    // Whether there is a gateway at all is settled at the start.
    if (this.#gateway === undefined || !config.enabled) return { ok: true, hasOtherRules: false };
    const maxConnections = this.#connectionsMax(config.maxConnections);
    const change = await this.#gateway.configure(config, { maxConnections });
    if (change.ok) this.#api?.configure(config.api);
    return change;
  }

  async reloadTls(): Promise<TlsReload | undefined> {
    return await this.#http?.reloadTls();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stopOnce();
    return this.#stopped;
  }

  async #startGame(): Promise<void> {
    const { runtime, settings, logger, readGame } = this.#parts;
    const started = await GamePart.open({ runtime, settings, logger, reload: readGame });
    if (!started.ok) throw new StartError(started.reason);
    const game = this.#game = started.game;
    const requestStop = () => this.#parts.requestStop();
    this.#admin = await startAdmin({
      runtime,
      logger: logger.child({ part: "admin" }),
      game: new RunningGame({ runtime, game, requestStop }),
      httpHost: settings.http_host,
    });
  }

  async #startGateway(): Promise<void> {
    const { gateway: config, http_port } = this.#settings;
    if (http_port === 0) {
      throw new StartError(
        "Cannot start the message gateway: http_port is 0, and its clients come over HTTP",
      );
    }
    const opened = await GatewayServer.open({
      ports: this.#runtime,
      config,
      logger: this.#logger.child({ part: "gateway" }),
      maxConnections: this.#connectionsMax(config.maxConnections),
    });
    if (!opened.ok) throw new StartError(opened.reason);
    this.#gateway = opened.gateway;
    this.#api = new Api({
      runtime: this.#runtime,
      config: config.api,
      gateway: opened.gateway,
      logger: this.#logger.child({ part: "api" }),
      reload: () => this.#parts.reload(),
    });
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
      flow: () => tryRoom({ metrics: this.#metrics, logger: this.#logger }),
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
      sniffMs: settings.sniff_ms,
      sniffLoopbackMs: settings.sniff_loopback_ms,
      ...this.#otherProtocol(),
      idleMsMax: settings.idle_timeout_s * 1_000,
      connectionsMax: this.#connectionsMax(settings.max_connections),
      connectionsPerHostMax: settings.max_connections_per_host,
      tickMs: settings.tick_interval_ms,
      stop: () => this.#parts.requestStop(),
    });
    this.#host = host;
    const { tcpPort, udpPort } = await host.start();
    this.tcpPort = tcpPort;
    this.udpPort = udpPort;
    this.#metrics.persisted_state_count = store.counters.states;
  }

  #otherProtocol() {
    const server = this.#game?.server;
    if (server === undefined) return {};
    const discovery = new Discovery(() => {
      const { iconUrl, description, capacity } = server.config;
      return { iconUrl, description, capacity, online: server.lobby.online.size };
    });
    const { outboundBytesMax: otherOutboundBytesMax } = server.config;
    return { other: server, otherOutboundBytesMax, discovery };
  }

  async #startHttp(): Promise<void> {
    if (this.#settings.http_port === 0) return;
    this.#http = await startHttp({
      runtime: this.#runtime,
      settings: this.#settings,
      logger: this.#logger,
      host: () => this.#currentMetrics(),
      lagMs: () => this.#host?.lagMs ?? 0,
      notReady: () => this.#notReady(),
      game: this.#game,
      gateway: this.#gateway,
      admin: this.#admin,
      api: this.#api,
      isDemo: this.#parts.isDemo ?? false,
    });
    this.httpPort = this.#http.port;
  }

  #currentMetrics(): HostMetrics {
    this.#host?.refreshFigures();
    return this.#metrics;
  }

  #notReady(): string | undefined {
    if (this.#phase !== "running") return this.#phase;
    const trouble = this.#store?.trouble ?? this.#game?.store.trouble ?? this.#gateway?.trouble;
    return trouble === undefined ? undefined : `store: ${trouble}`;
  }

  /** As many as are asked for; 0: as many as can be. */
  #connectionsMax(asked: number): number {
    return allowedConnections(asked, { process: this.#runtime.process, logger: this.#logger });
  }

  async #stopOnce(): Promise<void> {
    const { clock } = this.#runtime;
    const drainMs = this.#phase === "running" ? this.#settings.drainSeconds * 1_000 : 0;
    this.#phase = "draining";
    await this.#admin?.stop();
    await this.#host?.stopAccepting();
    await Promise.all([
      this.#gateway?.stop(drainMs),
      waitUntil(clock, () => this.#metrics.active_connections === 0, drainMs),
    ]);
    // Replies that were promised go out, unless they take too long.
    await waitUntil(clock, () => this.#metrics.inflight_async_tasks === 0, finishMsMax);
    this.#script?.close();
    await this.#game?.stop();
    await this.#host?.close();
    await this.#http?.close();
    await this.#api?.close();
    await this.#store?.close();
    if (this.#lock?.ok) await this.#lock.release();
  }
}

function directoryOf(path: string): string {
  const slash = path.lastIndexOf("/");
  if (slash < 0) return ".";
  return slash === 0 ? "/" : path.slice(0, slash);
}
