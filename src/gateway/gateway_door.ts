import type { GatewayConfig } from "../config/gateway_config.ts";
import type { Clock } from "../ports/clock.ts";
import type {
  UpgradeDecision,
  UpgradeRequest,
  WebSocketConnection,
  WebSocketHandlers,
  WebSocketLimits,
} from "../ports/http.ts";
import type { Logger } from "../ports/log.ts";
import type { Random } from "../ports/random.ts";
import { reconnectFrame, welcomeFrame } from "../wire/gateway_frames.ts";
import { Admission, refusalResponse } from "./admission.ts";
import { ClientConnection, type ConnectionOwner } from "./client_connection.ts";
import type { ClientLedger } from "./client_ledger.ts";
import { ConnectionRing } from "./connection_ring.ts";
import { ConnectionWatch } from "./connection_watch.ts";
import { type DoorClose, doorClose } from "./door_close.ts";
import { doorLimits } from "./door_limits.ts";
import type { GatewayCore, GatewayCounters } from "./gateway_types.ts";
import type { MemoryAccount } from "./memory_account.ts";
import { MessageRate } from "./message_rate.ts";
import { SendRound } from "./send_round.ts";
import { parseUpgradeQuery, pathOf, type UpgradeQuery } from "./upgrade_query.ts";

/** Distance of the steps in which clients are sent away. */
const goodbyeEveryMs = 50;

/** How many are sent away at once at least, and at most, where they need not go one by one. */
const goodbyesMin = 1;
const goodbyesMax = 500;

/** When a client that is sent away should come back: not all of them at once. */
const returnMsMin = 500;
const returnMsSpreadMin = 4_500;

export interface GatewayDoorOptions {
  readonly config: GatewayConfig;
  readonly core: GatewayCore;
  readonly counters: GatewayCounters;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Worked out of the configuration and the limit of open files. */
  readonly maxConnections: number;
  readonly memory: MemoryAccount;
  readonly ledger: ClientLedger;
}

/** One open connection, for operators. */
export interface ConnectionFacts {
  readonly clientId: string;
  readonly remoteHost: string;
  readonly remotePort: number;
  readonly bufferedBytes: number;
  readonly silentMs: number;
}

/**
 * Where clients come in: decides who may connect, keeps one connection for each client id, and holds
 * each to its limits. What they send goes to the core. `handlers`, `limits` and `counters` are for
 * `HttpServerPort.listen`.
 */
export class GatewayDoor implements ConnectionOwner {
  readonly limits: WebSocketLimits;
  readonly handlers: WebSocketHandlers<ClientConnection>;
  readonly priorityMax: number;
  readonly outboundBytesMax: number;
  readonly round: SendRound;
  readonly admission: Admission;
  readonly #options: GatewayDoorOptions;
  readonly #core: GatewayCore;
  readonly #counters: GatewayCounters;
  readonly #ring = new ConnectionRing<ClientConnection>();
  readonly #watch: ConnectionWatch;
  readonly #rate: MessageRate | undefined;
  /** Those that were let in and have not opened yet, which they may never do. */
  readonly #arriving = new WeakMap<ClientConnection, UpgradeQuery>();
  #isDraining = false;

  constructor(options: GatewayDoorOptions) {
    const { config, core, counters, clock, ledger } = options;
    this.#options = options;
    this.#core = core;
    this.#counters = counters;
    this.limits = doorLimits(config);
    this.priorityMax = config.priorityMax;
    this.outboundBytesMax = config.outboundBytesMax;
    this.round = new SendRound(clock);
    this.admission = new Admission(config, ledger);
    ledger.connected = () => this.#connectedIds();
    this.#rate = config.messagesPerSecond > 0
      ? new MessageRate({ perSecond: config.messagesPerSecond, burst: config.messageBurst, clock })
      : undefined;
    this.#watch = new ConnectionWatch({
      ...options,
      ring: this.#ring,
      end: (connection, close) => this.#end(connection, close),
    });
    this.handlers = {
      upgrade: (request) => this.#upgrade(request),
      open: (webSocket) => this.#open(webSocket),
      message: (webSocket, message) => this.#message(webSocket.data, message),
      ping: (webSocket) => this.#watch.heard(webSocket.data),
      pong: (webSocket) => this.#watch.heard(webSocket.data),
      drain: (webSocket) => this.#watch.drained(webSocket.data),
      close: (webSocket) => {
        if (webSocket.data.isOpen) this.#leave(webSocket.data);
      },
    };
  }

  /** Open connections. */
  get size(): number {
    return this.#ring.size;
  }

  /** From now on nobody comes in. */
  startDraining(): void {
    this.#isDraining = true;
  }

  /** Sends everybody away, evenly spread over `spreadMs`: those who understand it are asked to come
   * back. Resolves when all are gone. */
  async closeAll(spreadMs: number): Promise<void> {
    this.#isDraining = true;
    const { clock, random } = this.#options;
    const steps = Math.max(1, Math.ceil(spreadMs / goodbyeEveryMs));
    const atOnce = spreadMs > 0
      ? Math.max(goodbyesMin, Math.ceil(this.#ring.size / steps))
      : goodbyesMax;
    const returnMs = Math.max(spreadMs, returnMsSpreadMin);
    while (this.#ring.size > 0) {
      for (let i = 0; i < atOnce && this.#ring.size > 0; i++) {
        const connection = this.#ring.next() as ClientConnection;
        if (connection.isModern) {
          const afterMs = returnMsMin + Math.floor(random.fraction() * returnMs);
          connection.send(reconnectFrame(afterMs));
        }
        this.#end(connection, doorClose.goingAway);
      }
      if (this.#ring.size === 0) break;
      const waitMs = spreadMs > 0 ? goodbyeEveryMs : 0;
      await new Promise<void>((resolve) => clock.after(waitMs, resolve));
    }
    this.#watch.stop();
  }

  /** In no particular order; the list is as long as there are connections. */
  list(): ConnectionFacts[] {
    return Array.from(this.#ring.all(), (connection) => ({
      clientId: connection.client.id,
      remoteHost: connection.remoteHost,
      remotePort: connection.remotePort,
      bufferedBytes: connection.bufferedBytes,
      silentMs: this.#watch.silentMs(connection),
    }));
  }

  /** Closes the connection of a client with 1008 `kicked`; false when it has none. */
  kick(clientId: string): boolean {
    const session = this.#core.clientWithId(clientId)?.session;
    if (!(session instanceof ClientConnection)) return false;
    this.#end(session, doorClose.kicked);
    return true;
  }

  congested(connection: ClientConnection): void {
    this.#watch.congested(connection);
  }

  slow(connection: ClientConnection): void {
    this.#watch.slow(connection);
  }

  end(connection: ClientConnection, code: number, reason: string): void {
    this.#end(connection, { code, reason });
  }

  queryOf(connection: ClientConnection): UpgradeQuery | undefined {
    return this.#arriving.get(connection);
  }

  #upgrade(request: UpgradeRequest): UpgradeDecision<ClientConnection> {
    if (pathOf(request.href) !== "/ws") {
      const response = new Response(`{"error":"not found"}`, {
        status: 404,
        headers: { "content-type": "application/json" },
      });
      return { accept: false, response };
    }
    const query = parseUpgradeQuery(request.href);
    const refusal = this.admission.refusal(request, query, {
      nowMs: this.#options.clock.monotonic(),
      isFull: this.#ring.size >= this.#options.maxConnections,
      isDraining: this.#isDraining,
      isConnected: (id) => this.#core.clientWithId(id)?.session !== undefined,
    });
    if (refusal !== undefined) {
      if (refusal.error === "rate limit exceeded") this.#counters.rateLimitExceeded++;
      return { accept: false, response: refusalResponse(refusal) };
    }
    const connection = new ClientConnection(this, query);
    this.#arriving.set(connection, query);
    return { accept: true, data: connection };
  }

  #open(webSocket: WebSocketConnection<ClientConnection>): void {
    const connection = webSocket.data;
    const query = this.#arriving.get(connection);
    const id = query?.clientId;
    if (query === undefined || id === undefined) return webSocket.terminate();
    this.#takeOver(id);
    const client = this.#core.clientNamed(id);
    connection.opened(client, webSocket);
    client.session = connection;
    this.#counters.connectionsTotal++;
    this.#ring.add(connection);
    this.#watch.joined(connection);
    this.#rate?.fill(connection);
    const { ledger } = this.#options;
    if (query.hasIdentity) {
      const isOwner = query.resume !== "" && ledger.check(id, query.resume) === "owner";
      const token = isOwner ? query.resume : ledger.newToken(id);
      if (token !== undefined) connection.send(welcomeFrame(token));
    }
    ledger.arrived(id);
    this.#core.joined(connection);
    this.#arriving.delete(connection);
  }

  *#connectedIds(): Iterable<string> {
    for (const connection of this.#ring.all()) yield connection.client.id;
  }

  /** Nothing goes to the connection that had the id so far, from here on. */
  #takeOver(id: string): void {
    const before = this.#core.clientWithId(id)?.session;
    if (!(before instanceof ClientConnection)) return;
    this.admission.takeOvers.count(id, this.#options.clock.monotonic());
    this.#end(before, doorClose.replaced);
  }

  #message(connection: ClientConnection, message: string | Uint8Array): void {
    if (!connection.isOpen) return;
    this.#watch.heard(connection);
    this.#counters.messagesReceived++;
    if (this.#rate !== undefined && !this.#rate.take(connection, this.#watch.nowMs)) {
      this.#overRate(this.#rate, connection, message);
    } else if (typeof message === "string") {
      this.#core.text(connection, message);
    } else {
      this.#core.binary(connection, message);
    }
  }

  #overRate(rate: MessageRate, connection: ClientConnection, message: string | Uint8Array): void {
    const verdict = rate.refuse(connection, message);
    if (verdict.kind === "ping") {
      this.#counters.pingsDropped++;
      return;
    }
    this.#counters.rateLimitExceeded++;
    if (verdict.kind === "flood") this.#end(connection, doorClose.flood);
    else if (connection.isModern) connection.send(verdict.frame);
  }

  #end(connection: ClientConnection, { code, reason }: DoorClose): void {
    if (!connection.isOpen) return;
    this.#leave(connection);
    connection.webSocket.close(code, reason);
  }

  #leave(connection: ClientConnection): void {
    const { client } = connection;
    connection.ended();
    this.#ring.remove(connection);
    this.#watch.left(connection);
    this.#rate?.forget(connection);
    if (client.session === connection) client.session = undefined;
    this.#options.ledger.departed(client.id);
    this.#core.left(connection);
  }
}
