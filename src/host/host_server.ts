import { showAddress } from "../base/address.ts";
import { unreachable } from "../base/assert.ts";
import { ReportLimit } from "../base/report_limit.ts";
import type { TcpCloseReason, TcpListener } from "../ports/tcp.ts";
import { ConnectionCounts } from "./connection_counts.ts";
import type { HostDisconnect } from "./disconnect.ts";
import { Guests, type HostConnection, tellGuest } from "./guests.ts";
import type { HostServerOptions } from "./host_server_options.ts";
import { HostSession } from "./host_session.ts";
import { HostUdp } from "./host_udp.ts";
import type { Guest } from "./other_protocol.ts";
import type { SessionEffect, SessionEvent, SessionShared } from "./session_events.ts";
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

const peerEnd = { kind: "peer_end" } as const;
const writable = { kind: "writable" } as const;
const silent = { kind: "silent" } as const;
const blocked = { kind: "blocked" } as const;

/** The shell of the host protocol: owns its sockets and timers, decides nothing. */
export class HostServer {
  readonly #options: HostServerOptions;
  readonly #shared: SessionShared;
  readonly #udp: HostUdp;
  readonly #connections = new Set<HostConnection>();
  readonly #counts: ConnectionCounts;
  readonly #guests: Guests | undefined;
  readonly #tasks: TaskRunner;
  readonly #wakes: WakeTimer<HostConnection>;
  readonly #reports = new ReportLimit<HostDisconnect>();
  readonly #ticker: Ticker;
  #startedAt = 0;
  #sweptAt = 0;
  #listener: TcpListener | undefined;

  constructor(options: HostServerOptions) {
    const { clock, commands, metrics, mode, idleMsMax } = options;
    this.#options = options;
    this.#shared = { commands, metrics, mode, hasOther: options.other !== undefined, idleMsMax };
    this.#counts = new ConnectionCounts({
      most: options.connectionsMax,
      mostPerHost: options.connectionsPerHostMax,
    });
    this.#tasks = new TaskRunner(options);
    this.#udp = new HostUdp({
      ...options,
      discovery: options.discovery,
      tasks: this.#tasks,
      now: () => this.#now(),
      heard: () => this.#ticker.wake(),
      stop: () => options.stop(),
    });
    this.#ticker = new Ticker({
      clock,
      tickMs: options.tickMs,
      isIdle: () => this.#connections.size === 0,
      tick: (ticks, now) => this.#tick(ticks, now),
    });
    this.#wakes = new WakeTimer(
      clock,
      (connection) => this.#handle(connection, { kind: "wake" }),
    );
    this.#guests = options.other && new Guests({
      ...options,
      other: options.other,
      silent: (connection) => this.#handle(connection, silent),
      givenBack: (connection, bytes) => this.#givenBack(connection, bytes),
    });
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
      await this.#udp.bind(listener.port, { onGamePort: true });
      const asked = this.#options.udpPort;
      const next = this.#options.tcpPort === 0 ? 0 : listener.port + 1;
      const udpPort = await this.#udp.bind(asked === 0 ? next : asked, { onGamePort: false });
      this.#options.metrics.tcp_port = listener.port;
      this.#options.metrics.udp_port = udpPort;
      this.#startedAt = this.#now();
      this.#ticker.start();
      return { tcpPort: listener.port, udpPort };
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Takes no more connections. Those that are open go on, and so do datagrams. */
  async stopAccepting(): Promise<void> {
    await this.#listener?.close();
  }

  /** Sends what waits, closes all connections, those of guests too, and all sockets. */
  async close(): Promise<void> {
    this.#ticker.stop();
    this.#wakes.stop();
    this.#guests?.stop();
    const closed = this.#listener?.close();
    this.#endAll("stopping");
    this.#udp.close();
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
    return this.#options.tcp.listen<HostSession | Guest>({
      host: this.#options.host,
      port: this.#options.tcpPort,
      limits: {
        outboundBytesMax: Math.max(outboundBytesMax, this.#options.otherOutboundBytesMax ?? 0),
        lingerMs,
      },
      handlers: {
        open: (connection) => this.#open(connection),
        data: (connection, bytes) => this.#handle(connection, { kind: "data", bytes }),
        end: (connection) => this.#handle(connection, peerEnd),
        drain: (connection) => this.#handle(connection, writable),
        close: (connection, reason) => this.#closed(connection, reason),
      },
    });
  }

  #open(connection: HostConnection): void {
    const { metrics, mode, other } = this.#options;
    const host = connection.remoteHost;
    this.#ticker.wake();
    metrics.tcp_accept_count++;
    connection.data = new HostSession(this.#shared, host, this.#now());
    this.#connections.add(connection);
    metrics.active_connections = this.#connections.size;
    if (this.#counts.add(host)) return this.#drop(connection, "server_full");
    if (mode === "game" && other === undefined) return this.#drop(connection, "game_unavailable");
    metrics.accepted_connections++;
    metrics.max_active_connections = Math.max(
      metrics.max_active_connections,
      this.#connections.size,
    );
    this.#guests?.opened(connection);
  }

  #drop(connection: HostConnection, reason: HostDisconnect): void {
    this.#report(connection, reason);
    connection.destroy();
  }

  #closed(connection: HostConnection, reason: TcpCloseReason): void {
    if (!this.#connections.delete(connection)) return;
    const host = connection.remoteHost;
    this.#counts.remove(host);
    this.#guests?.closed(connection);
    this.#options.metrics.active_connections = this.#connections.size;
    const owner = connection.data;
    if (owner instanceof HostSession) {
      if (reason === "slow_consumer") this.#report(connection, "slow_consumer");
      else if (reason === "error") this.#report(connection, "lost");
      return;
    }
    try {
      owner.closed(reason);
    } catch (error) {
      this.#failed(connection, { error, event: "closed" });
    }
  }

  #handle(connection: HostConnection, event: SessionEvent): void {
    const owner = connection.data;
    try {
      if (owner instanceof HostSession) {
        this.#perform(connection, owner, owner.handle(event, this.#now()));
      } else {
        tellGuest(owner, event);
      }
    } catch (error) {
      this.#failed(connection, { error, event: event.kind });
    }
  }

  /** A fault of ours costs the connection at which it showed, not the server. */
  #failed(connection: HostConnection, what: { error: unknown; event: string }): void {
    this.#options.metrics.error_count++;
    this.#options.logger.error(
      { error: String(what.error), event: what.event },
      "connection failed",
    );
    this.#drop(connection, "internal_error");
  }

  #givenBack(connection: HostConnection, bytes: Uint8Array): void {
    if (!this.#connections.has(connection)) return;
    const host = connection.remoteHost;
    connection.data = HostSession.ofText(this.#shared, host, this.#now());
    this.#handle(connection, { kind: "data", bytes });
  }

  #perform(
    connection: HostConnection,
    session: HostSession,
    effects: readonly SessionEffect[],
  ): void {
    let more = effects;
    while (more.length > 0) {
      const wrote = this.#performOnce(connection, more);
      if (wrote === undefined) return;
      if (!wrote) {
        this.#performOnce(connection, session.handle(blocked, this.#now()));
        return;
      }
      if (!session.inputWaits) return;
      more = session.handle(writable, this.#now());
    }
  }

  /** Whether all writes were taken at once; undefined when nothing was written. */
  #performOnce(connection: HostConnection, effects: readonly SessionEffect[]): boolean | undefined {
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
        case "adopt":
          this.#guests?.adopt(connection, effect.bytes);
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

  #report(connection: HostConnection, reason: HostDisconnect): void {
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
