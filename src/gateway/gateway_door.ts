import type { GatewayConfig } from "../config/gateway_config.ts";
import type { Clock } from "../ports/clock.ts";
import type {
  UpgradeDecision,
  UpgradeRequest,
  WebSocketCompression,
  WebSocketConnection,
  WebSocketHandlers,
  WebSocketLimits,
} from "../ports/http.ts";
import type { Logger } from "../ports/log.ts";
import type { Random } from "../ports/random.ts";
import { welcomeFrame } from "../wire/gateway_frames.ts";
import { Admission, type AdmissionFacts, type Refusal, refusalResponse } from "./admission.ts";
import { bearerOffer, bearerProtocol } from "./bearer_offer.ts";
import { ClientConnection, type ConnectionOwner } from "./client_connection.ts";
import type { ClientLedger } from "./client_ledger.ts";
import type { ConnectionFacts } from "./connection_facts.ts";
import { ConnectionRing } from "./connection_ring.ts";
import { ConnectionWatch } from "./connection_watch.ts";
import { type DoorClose, doorClose } from "./door_close.ts";
import { doorCompression, doorLimits } from "./door_limits.ts";
import type { GatewayCore, GatewayCounters } from "./gateway_types.ts";
import type { ClientIdentity } from "./identity/client_identity.ts";
import type { TokenClaims } from "./identity/token_verifier.ts";
import type { MemoryAccount } from "./memory_account.ts";
import { MessageRate } from "./message_rate.ts";
import { sendAway } from "./send_away.ts";
import { SendRound } from "./send_round.ts";
import { TokenSessions } from "./token_sessions.ts";
import { parseUpgradeQuery, pathOf, type UpgradeQuery } from "./upgrade_query.ts";

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
  /** Absent where no tokens are in use. */
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
  readonly #options: GatewayDoorOptions;
  readonly #core: GatewayCore;
  readonly #counters: GatewayCounters;
  readonly #ring = new ConnectionRing<ClientConnection>();
  readonly #watch: ConnectionWatch;
  readonly #rate: MessageRate;
  /** Those that were let in and have not opened yet, which they may never do. */
  readonly #arriving = new WeakMap<ClientConnection, UpgradeQuery>();
  /** What the tokens of some of them say. */
  readonly #claims = new WeakMap<ClientConnection, TokenClaims>();
  readonly #tokens: TokenSessions | undefined;
  #isDraining = false;

  constructor(options: GatewayDoorOptions) {
    const { config, core, counters, clock, ledger, identity } = options;
    this.#options = options;
    this.#core = core;
    this.#counters = counters;
    this.limits = doorLimits(config);
    this.compression = doorCompression(config);
    this.#priorityMax = config.priorityMax;
    this.#outboundBytesMax = config.outboundBytesMax;
    this.#maxConnections = options.maxConnections;
    this.round = new SendRound(clock);
    this.admission = new Admission(config, ledger);
    ledger.connected = () => this.#connectedIds();
    this.#rate = new MessageRate({ ...messageRate(config), clock });
    this.#watch = new ConnectionWatch({
      ...options,
      ring: this.#ring,
      end: (connection, close) => this.#end(connection, close),
    });
    this.#tokens = identity && new TokenSessions({
      identity,
      clock,
      counters,
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

  get priorityMax(): number {
    return this.#priorityMax;
  }

  get outboundBytesMax(): number {
    return this.#outboundBytesMax;
  }

  /** Other limits, also for those that are connected. The largest message stays what it was at the
   * start, and so does whether messages are compressed. */
  configure(config: GatewayConfig, { maxConnections }: { maxConnections: number }): void {
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
    return this.#arriving.get(connection);
  }

  authenticate(connection: ClientConnection, text: string): boolean {
    this.#tokens?.refresh(connection, text);
    return this.#tokens !== undefined;
  }

  #upgrade(
    request: UpgradeRequest,
  ): UpgradeDecision<ClientConnection> | Promise<UpgradeDecision<ClientConnection>> {
    if (pathOf(request.href) !== "/ws") {
      const response = new Response(`{"error":"not found"}`, {
        status: 404,
        headers: { "content-type": "application/json" },
      });
      return { accept: false, response };
    }
    const query = parseUpgradeQuery(request.href);
    const refusal = this.admission.refusal(request, query, this.#facts());
    if (refusal !== undefined) return this.#refused(refusal);
    const offered = bearerOffer(request.headers);
    // Browsers end a connection on which no protocol of theirs was taken.
    const protocol = offered === undefined ? {} : { protocol: bearerProtocol };
    const { identity } = this.#options;
    const token = offered || query.token;
    if (identity === undefined || (token === "" && !identity.isRequired)) {
      return this.#admit(query, protocol);
    }
    if (token === "") return this.#refused({ status: 401, error: "token required" });
    return this.#prove(identity, token, { query, protocol });
  }

  async #prove(
    identity: ClientIdentity,
    token: string,
    { query, protocol }: { query: UpgradeQuery; protocol: { protocol?: string } },
  ): Promise<UpgradeDecision<ClientConnection>> {
    const verdict = await identity.prove(token, query.clientId ?? "");
    if (!verdict.ok) return this.#refused({ status: 401, error: verdict.problem });
    return this.#admit(query, protocol, verdict.claims);
  }

  #admit(
    query: UpgradeQuery,
    protocol: { protocol?: string },
    claims?: TokenClaims,
  ): UpgradeDecision<ClientConnection> {
    const isProven = claims !== undefined;
    const refusal = this.admission.refusalOf(query, this.#facts(), { isProven });
    if (refusal !== undefined) return this.#refused(refusal);
    const connection = new ClientConnection(this, query);
    this.#arriving.set(connection, query);
    if (isProven) this.#claims.set(connection, claims);
    return { accept: true, data: connection, ...protocol };
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

  #refused(refusal: Refusal): UpgradeDecision<ClientConnection> {
    if (refusal.error === "rate limit exceeded") this.#counters.rateLimitExceeded++;
    return { accept: false, response: refusalResponse(refusal) };
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
    const query = this.#arriving.get(connection);
    const id = query?.clientId;
    if (query === undefined || id === undefined) return webSocket.terminate();
    this.#takeOver(id);
    // Tokens of several were found good before one of them opened.
    if (this.#ring.size >= this.#maxConnections) {
      return webSocket.close(doorClose.full.code, doorClose.full.reason);
    }
    const client = this.#core.clientNamed(id);
    connection.opened(client, webSocket);
    client.session = connection;
    this.#counters.connectionsTotal++;
    this.#ring.add(connection);
    this.#watch.joined(connection);
    this.#rate.fill(connection);
    const { ledger, identity } = this.#options;
    const claims = this.#claims.get(connection);
    if (claims !== undefined) {
      this.#tokens?.opened(connection, claims);
      this.#claims.delete(connection);
      // From now on nobody gets at this id without a proof, whether it is here or away.
      const isOpenOtherwise = !identity?.isRequired && !query.hasIdentity;
      if (isOpenOtherwise && ledger.check(id, "") === "free") ledger.newToken(id);
    }
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
    this.#rate.forget(connection);
    this.#tokens?.left(connection);
    if (client.session === connection) client.session = undefined;
    this.#options.ledger.departed(client.id);
    this.#core.left(connection);
  }
}

function messageRate(config: GatewayConfig): { perSecond: number; burst: number } {
  return { perSecond: config.messagesPerSecond, burst: config.messageBurst };
}
