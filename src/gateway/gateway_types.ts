import type { HttpPeer } from "../ports/http.ts";
import type { UpstreamStrategy } from "../config/gateway_config.ts";
import type { LogClient, Slot } from "./log/message_log_types.ts";
import type { HistoryRequest } from "./upgrade_query.ts";

/**
 * All that is known of one client id: of its connection, its route, and the messages that wait. One
 * object for each id that is connected, has messages or ids in memory, or was seen not long ago.
 */
export interface Client extends LogClient {
  /** Bytes of its id as a JSON string; 0 until they were counted. */
  quotedBytes: number;
  session: ClientSession | undefined;
  /** Where its messages go; undefined until that was looked up. Of rules that have been replaced
   * meanwhile it says nothing. */
  route: Route | undefined;
  /** The upstream of its route that was chosen for it, and after how many changes of which of them
   * can be reached. */
  upstream: Upstream | undefined;
  chosenAt: number;
  /** Its messages on their way to an upstream: all of them are with `upstream`. */
  pendingUp: number;
  /** Of them, those that a link has taken. */
  onLink: number;
  /** Those that are being written to the dead letters. */
  dying: number;
  /** First and last message that waits for its return. */
  waitingFirst: Slot;
  waitingLast: Slot;
  waitingCount: number;
  waitingBytes: number;
  /** Ids of it in the de-duplication window. */
  knownIds: number;
  /** When its heartbeat was last answered, on a monotonic clock. */
  pongAtMs: number;
}

/** A rule with its upstreams. */
export interface Route {
  readonly upstreams: readonly Upstream[];
  readonly strategy: UpstreamStrategy;
}

/** One upstream: its queue (which the link empties) and whether it can be reached. */
export interface Upstream {
  readonly url: string;
  /** Messages that wait for it or are on their way to it. */
  readonly pending: number;
  readonly isOpen: boolean;
  /** Takes a message that is to go to it; its link sends it within this turn of the event loop. */
  push(slot: Slot): void;
}

/** One WebSocket of a client, as the gateway's core sees it. */
export interface ClientSession {
  readonly client: Client;
  /** It is not the client's connection: what its messages are answered is for it alone. */
  readonly isApart?: boolean;
  /** `ack=1`: every message with an id is acknowledged. */
  readonly wantsAcks: boolean;
  /** Announced `ack=1`, `chunks=1` or `v=2`: gets `ack`, `error` and `pong` frames. */
  readonly isModern: boolean;
  /** `raw=1`: replies of type 1 as binary frames. */
  readonly isRaw: boolean;
  /** `chunks=1`. */
  readonly takesChunks: boolean;
  /** Highest `priority` that this client may ask for. */
  readonly priorityMax: number;
  /** `slow`: its outbound queue is full and nothing was sent; `gone`: it is closed or closing. */
  send(text: string): "sent" | "slow" | "gone";
  sendBinary(bytes: Uint8Array): "sent" | "slow" | "gone";
  /** Several messages in as few writes as can be; all of them or none. */
  sendAll(texts: readonly string[]): "sent" | "slow" | "gone";
  /** A control message with the action `auth` came, which it answers itself; false where no tokens
   * are in use. */
  authenticate(text: string): boolean;
  /** Whether at most half of its outbound queue is taken; if not, `GatewayCore.drained` follows. */
  hasRoom(): boolean;
  /** Present where it asked for its history; to be read in `GatewayCore.joined`. */
  readonly history: HistoryRequest | undefined;
  /** The message that is being handled was a heartbeat: it does not count against the rate. */
  exemptPing(): void;
  /** Ends it; `left` is called before this returns. */
  close(code: number, reason: string): void;
}

/** The gateway's core, as the connections see it. All calls are synchronous and never throw for
 * what a client sent. */
export interface GatewayCore {
  /** The object for an id; made if need be. */
  clientNamed(id: string): Client;
  /** The object for an id, if there is one. */
  clientWithId(id: string): Client | undefined;
  /** A session is open and is `client.session` now: what waits for the client is sent. */
  joined(session: ClientSession): void;
  /** A session is over; if it was `client.session`, that is undefined by now. */
  left(session: ClientSession): void;
  /** A text frame within the limits. */
  text(session: ClientSession, text: string): void;
  /** A binary frame within the limits; the bytes are valid only during the call. */
  binary(session: ClientSession, bytes: Uint8Array): void;
  /** A client for which `send` said `slow` has room again. */
  drained(session: ClientSession): void;
}

/** Codes of `{"type":2,"action":"error","code":…}`. */
export type GatewayErrorCode =
  | "bad_message"
  | "no_route"
  | "overloaded"
  | "store_unavailable"
  | "duplicate_id"
  | "memory_pressure"
  | "rate_limited"
  | "unauthorized"
  | "draining"
  | "unknown_transfer"
  | "bad_transfer";

/** Counters of the gateway, in the names of its JSON metrics. Owned by one object that all parts
 * share; gauges are worked out when they are read. */
export interface GatewayCounters {
  connectionsTotal: number;
  messagesReceived: number;
  /** Left for an upstream. */
  messagesSent: number;
  messagesFailed: number;
  bytesReceived: number;
  bytesSent: number;
  largeMessages: number;
  largeMessageBytes: number;
  rateLimitExceeded: number;
  acksSent: number;
  duplicatesDropped: number;
  upstreamReconnects: number;
  /** Heartbeat pings that were dropped unanswered, because one a second is answered. */
  pingsDropped: number;
  /** Messages that went to clients. */
  downstreamMessages: number;
  /** Messages to clients that were away, slow or unknown, and could not be kept. */
  downstreamDropped: number;
  /** Frames of upstreams that are not JSON, name no client, or one that is not theirs. */
  upstreamFramesRefused: number;
  /** Acknowledgements of upstreams for messages that are not on their way to them. */
  acksUnmatched: number;
  droppedOldest: number;
  expired: number;
}

/** The address that limits count for: the peer's, or what a trusted proxy says. */
export type AddressOf = (peer: HttpPeer, headers: Headers) => string;
