import type { GatewayConfig } from "../config/gateway_config.ts";
import type { Clock } from "../ports/clock.ts";
import type { ClientConnection } from "./client_connection.ts";
import type { ClientLedger } from "./client_ledger.ts";
import type { ConnectionRing } from "./connection_ring.ts";
import { type DoorClose, doorClose } from "./door_close.ts";
import type { GatewayCore } from "./gateway_types.ts";
import type { MemoryAccount } from "./memory_account.ts";

/** One timer serves all connections: each of its ticks visits as many as are due. */
const tickMs = 250;

/** Visits in one turn of the event loop. A ping is a write to the system, and its pong a read: all
 * that are due among 19,000 clients in one go held messages up by 5 ms, four times a second. */
const visitsATurn = 16;

/** Within this part of a tick the turns are spread, so that they are done before the next one. */
const spreadShare = 0.8;

/** A tick that comes later than this means that this process stood still, not that clients were
 * silent: what they sent meanwhile is yet to be read. */
const countedMsMax = 1_000;

/** Clients that stay are noted as seen this often within the time for which they are remembered. */
const notesATtl = 4;
const noteMsMin = 60_000;

export interface ConnectionWatchOptions {
  readonly config: GatewayConfig;
  readonly core: GatewayCore;
  readonly clock: Clock;
  readonly memory: MemoryAccount;
  readonly ledger: ClientLedger;
  readonly ring: ConnectionRing<ClientConnection>;
  end(connection: ClientConnection, close: DoorClose): void;
}

/** Watches over open connections: pings them, ends silent and slow ones, counts what waits for them. */
export class ConnectionWatch {
  readonly #options: ConnectionWatchOptions;
  #config: GatewayConfig;
  #noteEveryMs = 0;
  /** In which everybody is visited once: who keeps silent was asked before it is closed. */
  #roundMs = 0;
  /** Those that something waits for. */
  readonly #congested = new Set<ClientConnection>();
  /** Those that a message had no room for, and since when. */
  readonly #slow = new Map<ClientConnection, number>();
  /** Visits that are due; the fraction waits for the next tick. */
  #visitsDue = 0;
  /** Visits that the turns after this one make. */
  #visitsLeft = 0;
  #isNoting = false;
  #visitGapMs = 0;
  #cancelVisits = () => {};
  readonly #visitOn = () => this.#visitSome();
  /** Time as far as clients could show a sign of life. */
  #livelyMs = 0;
  #tickAtMs = 0;
  #stop: (() => void) | undefined;

  constructor(options: ConnectionWatchOptions) {
    this.#options = options;
    this.#config = options.config;
    this.configure(options.config);
  }

  /** Other times, also for those that are connected. */
  configure(config: GatewayConfig): void {
    const { heartbeatIntervalMs, connectionTimeoutMs, waiting } = config;
    this.#config = config;
    this.#roundMs = Math.min(heartbeatIntervalMs, connectionTimeoutMs / 2);
    this.#noteEveryMs = Math.max(noteMsMin, waiting.ttlSeconds * 1_000 / notesATtl);
  }

  /** The monotonic clock at the last tick. */
  get nowMs(): number {
    return this.#tickAtMs;
  }

  /** Exact to a tick. */
  silentMs(connection: ClientConnection): number {
    return this.#livelyMs - connection.heardAtMs;
  }

  heard(connection: ClientConnection): void {
    connection.heardAtMs = this.#livelyMs;
  }

  joined(connection: ClientConnection): void {
    this.heard(connection);
    if (this.#stop !== undefined) return;
    const { clock } = this.#options;
    this.#tickAtMs = clock.monotonic();
    this.#stop = clock.every(tickMs, () => this.#tick());
  }

  left(connection: ClientConnection): void {
    this.#congested.delete(connection);
    this.#slow.delete(connection);
  }

  congested(connection: ClientConnection): void {
    this.#congested.add(connection);
  }

  slow(connection: ClientConnection): void {
    if (!this.#slow.has(connection)) this.#slow.set(connection, this.#options.clock.monotonic());
  }

  drained(connection: ClientConnection): void {
    if (!connection.isOpen) return;
    connection.drained();
    this.#congested.delete(connection);
    this.#endOfSlowness(connection);
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
    this.#cancelVisits();
    this.#visitsLeft = 0;
    this.#options.memory.set("outbound", 0);
  }

  #tick(): void {
    const { clock, ring } = this.#options;
    const now = clock.monotonic();
    const elapsed = now - this.#tickAtMs;
    this.#tickAtMs = now;
    this.#livelyMs += Math.min(elapsed, countedMsMax);
    this.#countWaiting();
    this.#judgeSlow(now);
    this.#visitDue(elapsed);
    if (ring.size === 0) this.stop();
  }

  #visitDue(elapsedMs: number): void {
    const { size } = this.#options.ring;
    this.#visitsDue += size * elapsedMs / this.#roundMs;
    // One round in so many, rather than a time of its own for each connection. Not the first: all who
    // came then are noted already.
    this.#isNoting = this.#livelyMs % this.#noteEveryMs >= this.#noteEveryMs - this.#roundMs;
    const visits = Math.min(size, Math.floor(this.#visitsDue));
    this.#visitsDue = Math.min(1, this.#visitsDue - visits);
    this.#visitsLeft = Math.min(size, this.#visitsLeft + visits);
    this.#visitGapMs = Math.floor(tickMs * spreadShare * visitsATurn / this.#visitsLeft);
    this.#cancelVisits();
    this.#visitSome();
  }

  #visitSome(): void {
    const { ring, ledger, clock } = this.#options;
    const visits = Math.min(this.#visitsLeft, visitsATurn, ring.size);
    for (let i = 0; i < visits; i++) {
      const connection = ring.next();
      if (connection === undefined) break;
      this.#visit(connection);
      if (this.#isNoting && connection.isOpen) {
        ledger.arrived(connection.client.id, { again: true });
      }
    }
    this.#visitsLeft = Math.min(this.#visitsLeft - visits, ring.size);
    if (this.#visitsLeft > 0) this.#cancelVisits = clock.after(this.#visitGapMs, this.#visitOn);
  }

  #visit(connection: ClientConnection): void {
    if (this.silentMs(connection) >= this.#config.connectionTimeoutMs) {
      this.#options.end(connection, doorClose.silent);
      return;
    }
    // Who was heard not long ago need not be asked for a sign of life. Not more than half a round: the
    // answer to the ping of the last round is nearly one old.
    if (this.silentMs(connection) >= this.#roundMs / 2) connection.webSocket.ping();
  }

  #countWaiting(): void {
    let bytes = 0;
    for (const connection of this.#congested) bytes += connection.bufferedBytes;
    this.#options.memory.set("outbound", bytes);
  }

  #judgeSlow(now: number): void {
    const { end } = this.#options;
    const { outboundBytesMax, slowConsumerSeconds } = this.#config;
    // Of a copy: whoever is slow again at once would come round for ever.
    for (const [connection, since] of [...this.#slow]) {
      if (connection.bufferedBytes <= outboundBytesMax / 2) {
        this.#endOfSlowness(connection);
        // What comes next had no room either: it has been slow all the time.
        if (this.#slow.has(connection)) this.#slow.set(connection, since);
      }
      if (this.#slow.has(connection) && now - since >= slowConsumerSeconds * 1_000) {
        end(connection, doorClose.slow);
      }
    }
  }

  #endOfSlowness(connection: ClientConnection): void {
    if (this.#slow.delete(connection)) this.#options.core.drained(connection);
  }
}
