import type { GatewayConfig } from "../config/gateway_config.ts";
import type { Clock } from "../ports/clock.ts";
import type {
  WebSocketCompression,
  WebSocketConnection,
  WebSocketHandlers,
  WebSocketLimits,
} from "../ports/http.ts";
import type { Logger } from "../ports/log.ts";
import type { Random } from "../ports/random.ts";
import { welcomeFrame } from "../wire/gateway_frames.ts";
import { Admission, type AdmissionFacts } from "./admission.ts";
import { ClientConnection, type ConnectionOwner } from "./client_connection.ts";
import type { ClientLedger } from "./client_ledger.ts";
import { ConnectionEnds } from "./connection_ends.ts";
import type { ConnectionFacts } from "./connection_facts.ts";
import { ConnectionRing } from "./connection_ring.ts";
import { ConnectionWatch } from "./connection_watch.ts";
import { type DoorClose, doorClose } from "./door_close.ts";
import { DoorEntrance } from "./door_entrance.ts";
import { doorCompression, doorLimits } from "./door_limits.ts";
import type { GatewayCore, GatewayCounters } from "./gateway_types.ts";
import type { ClientIdentity } from "./identity/client_identity.ts";
import type { MemoryAccount } from "./memory_account.ts";
import { MessageRate } from "./message_rate.ts";
import { sendAway } from "./send_away.ts";
import { SendRound } from "./send_round.ts";
import { TokenSessions } from "./token_sessions.ts";
import type { UpgradeQuery } from "./upgrade_query.ts";

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
  /** Absent where no tokens are in use, for the time being. */
  readonly identity?: ClientIdentity | undefined;
}

/**
 * Where clients come in: decides who may connect, keeps one connection for each client id, and holds
 * each to its limits. What they send goes to the core. `handlers`, `limits` and `counters` are for
 * `HttpServerPort.listen`.
 */
export class GatewayDoor implements ConnectionOwner {
  readonly limits: WebSocketLimits;
  readonly compression: WebSocketCompression | undefined;
  readonly handlers: WebSocketHandlers<ClientConnection>;
  #priorityMax: number;
  #outboundBytesMax: number;
  #maxConnections: number;
  readonly round: SendRound;
  readonly admission: Admission;
  /** Why connections are over. */
  readonly ends: ConnectionEnds;
  readonly #options: GatewayDoorOptions;
  readonly #core: GatewayCore;
  readonly #counters: GatewayCounters;
  readonly #ring = new ConnectionRing<ClientConnection>();
  readonly #watch: ConnectionWatch;
  readonly #rate: MessageRate;
  readonly #entrance: DoorEntrance;
  readonly #tokens: TokenSessions;
  #identity: ClientIdentity | undefined;
  #isDraining = false;

  constructor(options: GatewayDoorOptions) {
    const { config, core, counters, clock, ledger } = options;
    this.#options = options;
    this.#core = core;
    this.#counters = counters;
    this.limits = doorLimits(config);
    this.compression = doorCompression(config);
    this.#priorityMax = config.priorityMax;
    this.#outboundBytesMax = config.outboundBytesMax;
    this.#maxConnections = options.maxConnections;
    this.ends = new ConnectionEnds(options);
    this.round = new SendRound(clock);
    this.admission = new Admission(config, ledger);
    ledger.connected = () => this.#connectedIds();
    this.#rate = new MessageRate({ ...messageRate(config), clock });
    this.#watch = new ConnectionWatch({
      ...options,
      ring: this.#ring,
      end: (connection, close) => this.#end(connection, close),
    });
    this.#identity = options.identity;
    this.#entrance = new DoorEntrance({
      admission: this.admission,
      counters,
      identity: () => this.#identity,
      facts: () => this.#facts(),
      newConnection: (query) => new ClientConnection(this, query),
    });
    this.#tokens = new TokenSessions({
      identity: () => this.#identity,
      clock,
      counters,
      end: (connection, close) => this.#end(connection, close),
    });
    this.handlers = {
      upgrade: (request) => this.#entrance.upgrade(request),
      open: (webSocket) => this.#open(webSocket),
      message: (webSocket, message) => this.#message(webSocket.data, message),
      ping: (webSocket) => this.#watch.heard(webSocket.data),
      pong: (webSocket) => this.#watch.heard(webSocket.data),
      drain: (webSocket) => this.#watch.drained(webSocket.data),
      close: (webSocket, code, reason) => {
        if (webSocket.data.isOpen) this.#leave(webSocket.data, { code, reason });
      },
    };
  }

  get priorityMax(): number {
    return this.#priorityMax;
  }

  get outboundBytesMax(): number {
    return this.#outboundBytesMax;
  }

  /** Other limits, also for those that are connected. The largest message stays what it was at the
   * start, and so does whether messages are compressed. Whoever is connected stays, whether it would
   * need a token now or not, until its own is over. */
  configure(
    config: GatewayConfig,
    { maxConnections, identity }: {
      maxConnections: number;
      identity: ClientIdentity | undefined;
    },
  ): void {
    this.#identity = identity;
    this.#priorityMax = config.priorityMax;
    this.#outboundBytesMax = config.outboundBytesMax;
    this.#maxConnections = maxConnections;
    const { messageBytesMax } = this.limits;
    Object.assign(this.limits, doorLimits({ ...config, maxMessageSize: messageBytesMax }));
    this.admission.configure(config);
    this.#rate.configure(messageRate(config));
    this.#watch.configure(config);
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
    await sendAway(this.#ring, {
      ...this.#options,
      spreadMs,
      end: (connection) => this.#end(connection, doorClose.goingAway),
    });
    this.#watch.stop();
  }

  /** In no particular order; the list is as long as there are connections. */
  list(): ConnectionFacts[] {
    return this.page({ offset: 0, limit: Infinity });
  }

  /** Some of them; their order changes as clients come and go. */
  page({ offset, limit }: { offset: number; limit: number }): ConnectionFacts[] {
    const found: ConnectionFacts[] = [];
    let at = 0;
    for (const connection of this.#ring.all()) {
      if (at++ < offset) continue;
      if (found.length >= limit) break;
      found.push(this.#factsOf(connection));
    }
    return found;
  }

  /** undefined when that client is not connected. */
  connectionOf(clientId: string): ConnectionFacts | undefined {
    const session = this.#core.clientWithId(clientId)?.session;
    return session instanceof ClientConnection ? this.#factsOf(session) : undefined;
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
    return this.#entrance.queryOf(connection);
  }

  authenticate(connection: ClientConnection, text: string): boolean {
    return this.#tokens.refresh(connection, text);
  }

  #factsOf(connection: ClientConnection): ConnectionFacts {
    return {
      clientId: connection.client.id,
      remoteHost: connection.remoteHost,
      remotePort: connection.remotePort,
      bufferedBytes: connection.bufferedBytes,
      silentMs: this.#watch.silentMs(connection),
    };
  }

  #facts(): AdmissionFacts {
    return {
      nowMs: this.#options.clock.monotonic(),
      isFull: this.#ring.size >= this.#maxConnections,
      isDraining: this.#isDraining,
      isConnected: (id) => this.#core.clientWithId(id)?.session !== undefined,
    };
  }

  #open(webSocket: WebSocketConnection<ClientConnection>): void {
    const connection = webSocket.data;
    const query = this.#entrance.queryOf(connection);
    const id = query?.clientId;
    if (query === undefined || id === undefined) return webSocket.terminate();
    this.#takeOver(id);
    // Tokens of several were found good before one of them opened.
    if (this.#ring.size >= this.#maxConnections) {
      this.ends.refused(id, doorClose.full);
      return webSocket.close(doorClose.full.code, doorClose.full.reason);
    }
    const client = this.#core.clientNamed(id);
    connection.opened(client, webSocket);
    connection.openedAtMs = this.#options.clock.monotonic();
    client.session = connection;
    this.#counters.connectionsTotal++;
    this.#ring.add(connection);
    this.#watch.joined(connection);
    this.#rate.fill(connection);
    const { ledger } = this.#options;
    const claims = this.#entrance.claimsOf(connection);
    if (claims !== undefined) {
      this.#tokens.opened(connection, claims);
      // From now on nobody gets at this id without a proof, whether it is here or away.
      const isOpenOtherwise = !this.#identity?.isRequired && !query.hasIdentity;
      if (isOpenOtherwise && ledger.check(id, "") === "free") ledger.newToken(id);
    }
    if (query.hasIdentity) {
      const isOwner = query.resume !== "" && ledger.check(id, query.resume) === "owner";
      const token = isOwner ? query.resume : ledger.newToken(id);
      if (token !== undefined) connection.send(welcomeFrame(token));
    }
    ledger.arrived(id);
    this.#core.joined(connection);
    this.#entrance.opened(connection);
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
    if (!this.#rate.take(connection, this.#watch.nowMs)) {
      this.#overRate(connection, message);
    } else if (typeof message === "string") {
      this.#core.text(connection, message);
    } else {
      this.#core.binary(connection, message);
    }
  }

  #overRate(connection: ClientConnection, message: string | Uint8Array): void {
    const verdict = this.#rate.refuse(connection, message);
    if (verdict.kind === "ping") {
      this.#counters.pingsDropped++;
      return;
    }
    this.#counters.rateLimitExceeded++;
    if (verdict.kind === "flood") this.#end(connection, doorClose.flood);
    else if (connection.isModern) connection.send(verdict.frame);
  }

  #end(connection: ClientConnection, close: DoorClose): void {
    if (!connection.isOpen) return;
    this.#leave(connection, close);
    connection.webSocket.close(close.code, close.reason);
  }

  #leave(connection: ClientConnection, close: DoorClose): void {
    const { client } = connection;
    this.ends.ended(connection, close);
    connection.ended();
    this.#ring.remove(connection);
    this.#watch.left(connection);
    this.#rate.forget(connection);
    this.#tokens.left(connection);
    if (client.session === connection) client.session = undefined;
    this.#options.ledger.departed(client.id);
    this.#core.left(connection);
  }
}

function messageRate(config: GatewayConfig): { perSecond: number; burst: number } {
  return { perSecond: config.messagesPerSecond, burst: config.messageBurst };
}
