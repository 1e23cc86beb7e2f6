import type { WebSocketConnection } from "../ports/http.ts";
import type { RingMember } from "./connection_ring.ts";
import type { Client, ClientSession } from "./gateway_types.ts";
import type { Sender, SendRound } from "./send_round.ts";
import type { HistoryRequest, UpgradeQuery } from "./upgrade_query.ts";

/** Texts that wait for the end of the turn; with more, or longer ones, they are sent at once: what
 * waits here is not counted against the limit of the client. */
const queuedTextsMax = 64;
const queuedLengthMax = 1_024;

/** What a connection needs of the door that it came in by. */
export interface ConnectionOwner {
  readonly priorityMax: number;
  /** Bytes that may wait for one client. */
  readonly outboundBytesMax: number;
  readonly round: SendRound;
  /** Something of it waits for the client to read. */
  congested(connection: ClientConnection): void;
  /** A message had no room. */
  slow(connection: ClientConnection): void;
  end(connection: ClientConnection, code: number, reason: string): void;
  /** What it said in its URL, while it comes in. */
  queryOf(connection: ClientConnection): UpgradeQuery | undefined;
  /** False where no tokens are in use. */
  authenticate(connection: ClientConnection, text: string): boolean;
}

/** What was announced, and how the connection stands; one number, for there are many connections. */
const flag = {
  acks: 1,
  chunks: 2,
  raw: 4,
  identity: 8,
  modern: 1 | 2 | 8,
  congested: 16,
  open: 32,
} as const;

/** Above the flags: 0, or one more than the priority that its token allows. */
const priorityShift = 6;
const flagsMask = (1 << priorityShift) - 1;

/**
 * One WebSocket of a client. An idle one costs its fields, so there are few of them, all of them
 * set from the start: what only some connections need is kept by the door.
 */
export class ClientConnection implements ClientSession, RingMember, Sender {
  /** From `opened` on. */
  client!: Client;
  /** Where the door keeps it; −1: nowhere. */
  ringPlace = -1;
  /** On a monotonic clock. */
  openedAtMs = 0;
  /** When a frame came last, on the door's clock. */
  heardAtMs = 0;
  /** Messages that it may send now, and until when that is worked out. */
  credit = 0;
  creditAtMs = 0;
  #webSocket!: WebSocketConnection<ClientConnection>;
  /** Texts that go out at the end of this turn: none, one, or several in order. */
  #queued: string | string[] | undefined = undefined;
  #flags: number;
  readonly #owner: ConnectionOwner;

  constructor(owner: ConnectionOwner, query: UpgradeQuery) {
    this.#owner = owner;
    this.#flags = (query.wantsAcks ? flag.acks : 0) | (query.takesChunks ? flag.chunks : 0) |
      (query.isRaw ? flag.raw : 0) | (query.hasIdentity ? flag.identity : 0);
  }

  get wantsAcks(): boolean {
    return (this.#flags & flag.acks) !== 0;
  }

  get takesChunks(): boolean {
    return (this.#flags & flag.chunks) !== 0;
  }

  get isRaw(): boolean {
    return (this.#flags & flag.raw) !== 0;
  }

  get isModern(): boolean {
    return (this.#flags & flag.modern) !== 0;
  }

  get isOpen(): boolean {
    return (this.#flags & flag.open) !== 0;
  }

  get priorityMax(): number {
    const own = this.#flags >> priorityShift;
    return own === 0 ? this.#owner.priorityMax : Math.min(own - 1, this.#owner.priorityMax);
  }

  /** Present where it asked for its history; to be read in `GatewayCore.joined`. */
  get history(): HistoryRequest | undefined {
    return this.#owner.queryOf(this)?.history;
  }

  /** Bytes that have not left yet. */
  get bufferedBytes(): number {
    return this.isOpen ? this.#webSocket.bufferedBytes : 0;
  }

  /** The socket's address, of a proxy if there is one between. */
  get remoteHost(): string {
    return this.#webSocket.remoteHost;
  }

  get remotePort(): number {
    return this.#webSocket.remotePort;
  }

  send(text: string): "sent" | "slow" | "gone" {
    if ((this.#flags & (flag.open | flag.congested)) !== flag.open) {
      const obstacle = this.#obstacle(text.length);
      if (obstacle !== undefined) return obstacle;
    }
    const queued = this.#queued;
    if (text.length > queuedLengthMax) {
      this.flush();
      return this.#webSocket.send(text) ? "sent" : this.#waits();
    }
    if (queued === undefined) {
      this.#queued = text;
      this.#owner.round.add(this);
    } else if (typeof queued === "string") {
      this.#queued = [queued, text];
    } else {
      queued.push(text);
      if (queued.length >= queuedTextsMax) this.flush();
    }
    return "sent";
  }

  sendBinary(bytes: Uint8Array): "sent" | "slow" | "gone" {
    if ((this.#flags & (flag.open | flag.congested)) !== flag.open) {
      const obstacle = this.#obstacle(bytes.length);
      if (obstacle !== undefined) return obstacle;
    }
    this.flush();
    return this.#webSocket.send(bytes) ? "sent" : this.#waits();
  }

  sendAll(texts: readonly string[]): "sent" | "slow" | "gone" {
    if ((this.#flags & (flag.open | flag.congested)) !== flag.open) {
      const obstacle = this.#obstacle(texts.reduce((sum, text) => sum + text.length, 0));
      if (obstacle !== undefined) return obstacle;
    }
    this.flush();
    return this.#webSocket.sendAll(texts) ? "sent" : this.#waits();
  }

  hasRoom(): boolean {
    if (this.bufferedBytes * 2 <= this.#owner.outboundBytesMax) return true;
    this.#owner.slow(this);
    return false;
  }

  /** Sends what was kept for the end of the turn. */
  flush(): void {
    const queued = this.#queued;
    if (queued === undefined) return;
    this.#queued = undefined;
    if (!this.isOpen) return;
    const isFree = typeof queued === "string"
      ? this.#webSocket.send(queued)
      : this.#webSocket.sendAll(queued);
    if (!isFree) this.#waits();
  }

  authenticate(text: string): boolean {
    return this.#owner.authenticate(this, text);
  }

  exemptPing(): void {
    this.credit++;
  }

  close(code: number, reason: string): void {
    if (this.isOpen) this.#owner.end(this, code, reason);
  }

  /** For the door alone: it is the client's connection now. */
  opened(client: Client, webSocket: WebSocketConnection<ClientConnection>): void {
    this.client = client;
    this.#webSocket = webSocket;
    this.#flags |= flag.open;
  }

  /** For the door alone: from here on nothing is sent. */
  ended(): void {
    this.flush();
    this.#flags &= ~flag.open;
  }

  /** For the door alone: what its token allows, 0–9. */
  allowPriority(priorityMax: number): void {
    this.#flags = (this.#flags & flagsMask) | ((priorityMax + 1) << priorityShift);
  }

  /** For the door alone: everything has left. */
  drained(): void {
    this.#flags &= ~flag.congested;
  }

  /** For the door alone. */
  get webSocket(): WebSocketConnection<ClientConnection> {
    return this.#webSocket;
  }

  #obstacle(bytes: number): "slow" | "gone" | undefined {
    if (!this.isOpen) return "gone";
    const waiting = this.#webSocket.bufferedBytes;
    // A message that is larger than the limit goes alone.
    if (waiting === 0 || waiting + bytes <= this.#owner.outboundBytesMax) return undefined;
    this.#owner.slow(this);
    return "slow";
  }

  /** The last write did not leave at once. */
  #waits(): "sent" | "gone" {
    if (this.#webSocket.bufferedBytes === 0) return "gone";
    if ((this.#flags & flag.congested) === 0) {
      this.#flags |= flag.congested;
      this.#owner.congested(this);
    }
    return "sent";
  }
}
