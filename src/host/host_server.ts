import { isLoopback, showAddress } from "../base/address.ts";
import { unreachable } from "../base/assert.ts";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/log.ts";
import type { TcpCloseReason, TcpConnection, TcpListener, TcpPort } from "../ports/tcp.ts";
import type { UdpPort, UdpSocket } from "../ports/udp.ts";
import type { HostDisconnect } from "./disconnect.ts";
import type { HostCommands } from "./host_commands.ts";
import { HostDatagrams } from "./host_datagrams.ts";
import type { HostMetrics } from "./host_metrics.ts";
import { HostSession } from "./host_session.ts";
import { ReportLimit } from "./report_limit.ts";
import type { ScriptBridge } from "./script_bridge.ts";
import type { SessionEffect, SessionEvent, SessionShared } from "./session_events.ts";
import type { HostStore } from "./store.ts";
import { TaskRunner } from "./task_runner.ts";
import { Ticker } from "./ticker.ts";
import { WakeTimer } from "./wake_timer.ts";

/** Reply bytes that may wait for one peer. A session stops at one batch; this is the last resort. */
const outboundBytesMax = 1_048_576;
/** How long a connection may take to close after we closed our side. */
const lingerMs = 5_000;
/** How often idle and blocked connections are looked for. */
const sweepMs = 5_000;
/** How long replies may take to leave once the server stops. */
const stopFlushMs = 150;

export interface HostServerOptions {
  readonly tcp: TcpPort;
  readonly udp: UdpPort;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly commands: HostCommands;
  readonly metrics: HostMetrics;
  readonly store: HostStore;
  readonly script: ScriptBridge;
  readonly host: string;
  readonly tcpPort: number;
  /** 0 = the TCP port's number + 1 (any free one when that was chosen by the system). */
  readonly udpPort: number;
  readonly mode: SessionShared["mode"];
  readonly idleMsMax: number;
  readonly connectionsMax: number;
  /** Connections that one other machine may hold; 0 = as many as there may be. */
  readonly connectionsPerHostMax: number;
  readonly tickMs: number;
  /** `__STOP__` was accepted. */
  stop(): void;
}

type Connection = TcpConnection<HostSession>;

const peerEnd = { kind: "peer_end" } as const;
const writable = { kind: "writable" } as const;
const blocked = { kind: "blocked" } as const;

/** The shell of the host protocol: owns its sockets and timers, decides nothing. */
export class HostServer {
  readonly #options: HostServerOptions;
  readonly #shared: SessionShared;
  readonly #datagrams: HostDatagrams;
  readonly #connections = new Set<Connection>();
  readonly #perHost = new Map<string, number>();
  readonly #tasks: TaskRunner;
  readonly #wakes: WakeTimer<Connection>;
  readonly #reports = new ReportLimit();
  readonly #ticker: Ticker;
  #startedAt = 0;
  #sweptAt = 0;
  #listener: TcpListener | undefined;
  #sockets: UdpSocket[] = [];

  constructor(options: HostServerOptions) {
    const { commands, metrics, mode, idleMsMax } = options;
    this.#options = options;
    this.#shared = { commands, metrics, mode, idleMsMax };
    this.#datagrams = new HostDatagrams({ commands, metrics });
    this.#tasks = new TaskRunner(options);
    this.#ticker = new Ticker({
      clock: options.clock,
      tickMs: options.tickMs,
      isIdle: () => this.#connections.size === 0,
      tick: (ticks, now) => this.#tick(ticks, now),
    });
    this.#wakes = new WakeTimer(
      options.clock,
      (connection) => this.#handle(connection, { kind: "wake" }),
    );
  }

  /** How late the latest ticks came at most, in milliseconds. */
  get lagMs(): number {
    return this.#ticker.lagMs;
  }

  /** Brings the figures up to now, for a reader who comes by another way than this protocol. */
  refreshFigures(): void {
    this.#ticker.wake();
  }

  /** Listens. Rejects with BindError, and then holds no port. */
  async start(): Promise<{ tcpPort: number; udpPort: number }> {
    try {
      const listener = await this.#listen();
      this.#listener = listener;
      const onGamePort = await this.#bind(listener.port, true);
      this.#sockets.push(onGamePort);
      const asked = this.#options.udpPort;
      const next = this.#options.tcpPort === 0 ? 0 : listener.port + 1;
      const own = await this.#bind(asked === 0 ? next : asked, false);
      this.#sockets.push(own);
      this.#options.metrics.tcp_port = listener.port;
      this.#options.metrics.udp_port = own.port;
      this.#startedAt = this.#now();
      this.#ticker.start();
      return { tcpPort: listener.port, udpPort: own.port };
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Takes no more connections. Those that are open go on, and so do datagrams. */
  async stopAccepting(): Promise<void> {
    await this.#listener?.close();
  }

  /** Sends what waits, closes all connections and sockets. */
  async close(): Promise<void> {
    this.#ticker.stop();
    this.#wakes.stop();
    const closed = this.#listener?.close();
    this.#endAll("stopping");
    for (const socket of this.#sockets.splice(0)) socket.close();
    await closed;
    await this.#allClosed();
    for (const connection of this.#connections) connection.destroy();
  }

  #endAll(reason: HostDisconnect): void {
    if (this.#connections.size === 0) return;
    this.#options.logger.info({ reason, count: this.#connections.size }, "host connections closed");
    for (const connection of this.#connections) connection.end();
  }

  #allClosed(): Promise<void> {
    const { clock } = this.#options;
    const giveUpAt = clock.monotonic() + stopFlushMs;
    return new Promise((resolve) => {
      const look = () => {
        const waits = [...this.#connections].some((each) => each.bufferedBytes > 0);
        if (!waits || clock.monotonic() >= giveUpAt) resolve();
        else clock.after(10, look);
      };
      look();
    });
  }

  #listen(): Promise<TcpListener> {
    return this.#options.tcp.listen<HostSession>({
      host: this.#options.host,
      port: this.#options.tcpPort,
      limits: { outboundBytesMax, lingerMs },
      handlers: {
        open: (connection) => this.#open(connection),
        data: (connection, bytes) => this.#handle(connection, { kind: "data", bytes }),
        end: (connection) => this.#handle(connection, peerEnd),
        drain: (connection) => this.#handle(connection, writable),
        close: (connection, reason) => this.#closed(connection, reason),
      },
    });
  }

  #open(connection: Connection): void {
    const { metrics, connectionsMax, connectionsPerHostMax, mode } = this.#options;
    const host = connection.remoteHost;
    this.#ticker.wake();
    metrics.tcp_accept_count++;
    connection.data = new HostSession(this.#shared, host, this.#now());
    const fromHost = this.#perHost.get(host) ?? 0;
    this.#connections.add(connection);
    this.#perHost.set(host, fromHost + 1);
    metrics.active_connections = this.#connections.size;
    const full = this.#connections.size > connectionsMax ||
      (connectionsPerHostMax > 0 && fromHost >= connectionsPerHostMax && !isLoopback(host));
    if (full) return this.#drop(connection, "server_full");
    if (mode === "game") return this.#drop(connection, "game_unavailable");
    metrics.accepted_connections++;
    metrics.max_active_connections = Math.max(
      metrics.max_active_connections,
      this.#connections.size,
    );
  }

  #drop(connection: Connection, reason: HostDisconnect): void {
    this.#report(connection, reason);
    connection.destroy();
  }

  #closed(connection: Connection, reason: TcpCloseReason): void {
    if (!this.#connections.delete(connection)) return;
    const host = connection.remoteHost;
    const left = (this.#perHost.get(host) ?? 1) - 1;
    if (left === 0) this.#perHost.delete(host);
    else this.#perHost.set(host, left);
    this.#options.metrics.active_connections = this.#connections.size;
    if (reason === "slow_consumer") this.#report(connection, "slow_consumer");
    else if (reason === "error") this.#report(connection, "lost");
  }

  /** A fault of ours costs the connection at which it showed, not the server. */
  #handle(connection: Connection, event: SessionEvent): void {
    try {
      this.#perform(connection, connection.data.handle(event, this.#now()));
    } catch (error) {
      this.#options.metrics.error_count++;
      this.#options.logger.error({ error: String(error), event: event.kind }, "session failed");
      this.#drop(connection, "internal_error");
    }
  }

  #perform(connection: Connection, effects: readonly SessionEffect[]): void {
    let more = effects;
    while (more.length > 0) {
      const wrote = this.#performOnce(connection, more);
      if (wrote === undefined) return;
      if (!wrote) {
        this.#performOnce(connection, connection.data.handle(blocked, this.#now()));
        return;
      }
      if (!connection.data.inputWaits) return;
      more = connection.data.handle(writable, this.#now());
    }
  }

  /** Whether all writes were taken at once; undefined when nothing was written. */
  #performOnce(connection: Connection, effects: readonly SessionEffect[]): boolean | undefined {
    let wrote: boolean | undefined;
    for (const effect of effects) {
      switch (effect.kind) {
        case "write":
          wrote = connection.write(effect.bytes) && wrote !== false;
          break;
        case "task": {
          const { slot } = effect;
          this.#tasks.run(
            effect.task,
            (text) => this.#handle(connection, { kind: "replied", slot, text }),
          );
          break;
        }
        case "wake":
          this.#wakes.add(effect.at, connection);
          break;
        case "pause":
          connection.pause();
          break;
        case "resume":
          connection.resume();
          break;
        case "end":
          this.#report(connection, effect.reason);
          connection.end();
          break;
        case "destroy":
          this.#report(connection, effect.reason);
          connection.destroy();
          break;
        case "stop_server":
          this.#options.stop();
          break;
        default:
          unreachable(effect);
      }
    }
    return wrote;
  }

  #report(connection: Connection, reason: HostDisconnect): void {
    const { logger } = this.#options;
    const peer = showAddress(connection.remoteHost, connection.remotePort);
    if (reason === "peer_done" || reason === "ping_answered") {
      logger.debug({ peer, reason }, "host connection closed");
      return;
    }
    const suppressed = this.#reports.report(reason, this.#now());
    if (suppressed === undefined) return;
    const more = suppressed === 0 ? {} : { not_shown: suppressed };
    logger.info({ peer, reason, ...more }, "host connection closed");
  }

  #bind(port: number, onGamePort: boolean): Promise<UdpSocket> {
    return this.#options.udp.bind({
      host: this.#options.host,
      port,
      handlers: {
        message: (socket, bytes, host, peerPort) =>
          this.#datagram(socket, { bytes, host, port: peerPort, onGamePort }),
        error: (_, error) => this.#options.logger.warn({ error: error.message }, "udp error"),
      },
    });
  }

  #datagram(
    socket: UdpSocket,
    datagram: { bytes: Uint8Array; host: string; port: number; onGamePort: boolean },
  ): void {
    this.#ticker.wake();
    const outcome = this.#datagrams.handle(datagram, this.#now());
    const { host, port } = datagram;
    const requestBytes = datagram.bytes.length;
    switch (outcome.kind) {
      case "silence":
        return;
      case "reply":
        return this.#send(socket, outcome.bytes, { host, port });
      case "stop_server":
        this.#send(socket, outcome.bytes, { host, port });
        return this.#options.stop();
      case "task":
        return this.#tasks.run(outcome.task, (text) => {
          const bytes = this.#datagrams.replyTo({ host }, requestBytes, text);
          if (bytes !== undefined) this.#send(socket, bytes, { host, port });
        });
      default:
        unreachable(outcome);
    }
  }

  #send(socket: UdpSocket, bytes: Uint8Array, to: { host: string; port: number }): void {
    if (!socket.send(bytes, to.host, to.port)) return;
    this.#options.metrics.udp_tx_datagram_count++;
    this.#options.metrics.udp_tx_bytes += bytes.length;
  }

  #tick(ticks: number, now: number): void {
    const { metrics } = this.#options;
    metrics.timer_tick_count += ticks;
    metrics.io_poll_count += ticks;
    metrics.uptime_ms = Math.round(now - this.#startedAt);
    if (now - this.#sweptAt < sweepMs) return;
    this.#sweptAt = now;
    for (const connection of this.#connections) this.#handle(connection, { kind: "sweep" });
  }

  #now(): number {
    return this.#options.clock.monotonic();
  }
}
