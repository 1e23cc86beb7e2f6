import { plainAddress } from "../../base/address.ts";
import {
  type HttpPeer,
  webSocketCloseByAdapter,
  type WebSocketCompression,
  type WebSocketConnection,
  type WebSocketHandlers,
  type WebSocketLimits,
  type WebSocketTraffic,
} from "../../ports/http.ts";
import { asError, isWorthIt, sendableClose } from "../http_rules.ts";
import type { PendingUpgrades } from "../pending_upgrades.ts";
import { InboundMeter } from "../inbound_meter.ts";
import type { ReceiveBuffers } from "./receive_buffers.ts";

/** What all connections of one server share. */
export interface BunWebSocketOwner<T> {
  readonly limits: WebSocketLimits;
  readonly compression?: WebSocketCompression | undefined;
  readonly handlers: WebSocketHandlers<T>;
  readonly traffic: WebSocketTraffic;
  readonly pending: PendingUpgrades;
  readonly buffers: ReceiveBuffers;
  error(error: Error): void;
}

type Socket<T> = Bun.ServerWebSocket<BunWebSocketConnection<T>>;

/**
 * One WebSocket of `Bun.serve`; it is the socket's `data`. Bun reports a close inside the call that
 * causes it, so ours is reported from a microtask.
 */
export class BunWebSocketConnection<T> extends InboundMeter implements WebSocketConnection<T> {
  data: T;
  readonly remotePort: number;
  readonly #owner: BunWebSocketOwner<T>;
  /** While it is open; before and after that the address of its peer, which the socket knows too:
   * so an idle connection keeps no text of its own. */
  #socket: Socket<T> | string;
  /** `waiting`: a `drain` is owed. `closing`: the owner closed it, or it broke a limit; only `close`
   * is reported from then on. */
  #state: "idle" | "waiting" | "closing" = "idle";

  constructor(owner: BunWebSocketOwner<T>, data: T, peer: HttpPeer) {
    super(owner.limits, performance.now());
    this.#owner = owner;
    this.data = data;
    this.#socket = peer.remoteHost;
    this.remotePort = peer.remotePort;
  }

  get remoteHost(): string {
    const socket = this.#socket;
    // A socket that has ended knows it no longer.
    return typeof socket === "string" ? socket : plainAddress(socket.remoteAddress ?? "");
  }

  get bufferedBytes(): number {
    return typeof this.#socket === "string" ? 0 : this.#socket.getBufferedAmount();
  }

  send(message: string | Uint8Array): boolean {
    const socket = this.#socket;
    if (typeof socket === "string") return false;
    const { compression } = this.#owner;
    const isDeflated = compression !== undefined && isWorthIt(message.length, compression);
    const sent = typeof message === "string"
      ? socket.sendText(message, isDeflated)
      : socket.sendBinary(message as Uint8Array<ArrayBuffer>, isDeflated);
    // Bytes of the message, −1 when bytes are waiting now, 0 when the message was dropped.
    if (sent > 0 || (sent === 0 && message.length === 0)) return true;
    // Without a `backpressureLimit` Bun drops only when the socket is gone.
    if (sent === 0) this.terminate();
    else this.#checkBacklog(socket, { ownerWaits: true });
    return false;
  }

  sendAll(messages: readonly (string | Uint8Array)[]): boolean {
    const socket = this.#socket;
    if (typeof socket === "string") return false;
    let isFree = true;
    socket.cork(() => {
      for (const message of messages) isFree = this.send(message);
    });
    return isFree;
  }

  ping(bytes?: Uint8Array): void {
    const socket = this.#socket;
    if (typeof socket === "string") return;
    if (socket.ping(bytes as Uint8Array<ArrayBuffer>) < 0) {
      this.#checkBacklog(socket, { ownerWaits: true });
    }
  }

  close(code: number, reason: string): void {
    const close = sendableClose(code, reason);
    const socket = this.#startClosing(close);
    // Bun sends what waits and then this; 4 seconds later it cuts a peer that is still there.
    socket?.close(close.code, close.reason);
  }

  terminate(): void {
    const socket = this.#startClosing({ code: 1006, reason: "" });
    socket?.terminate();
  }

  opened(socket: Socket<T>): void {
    socket.binaryType = "uint8array";
    this.#socket = socket;
    try {
      this.#owner.handlers.open(this);
    } catch (error) {
      // Here alone Bun would cut the connection off before its `error` handler has a word.
      this.failed(error);
    }
  }

  received(message: string | Uint8Array): void {
    const bytes = typeof message === "string" ? Buffer.byteLength(message) : message.byteLength;
    if (!this.#count(bytes)) return;
    this.#owner.traffic.bytesReceived += bytes;
    this.#owner.buffers.received(this, bytes, this.#owner.limits.receiveBytesMax);
    this.#owner.handlers.message(this, message);
  }

  /** Bun has put the pong into the buffer already: a peer that does not read must not fill it. */
  pinged(bytes: Uint8Array): void {
    if (!this.#count(bytes.byteLength) || typeof this.#socket === "string") return;
    this.#checkBacklog(this.#socket, { ownerWaits: false });
    if (this.#state !== "closing") this.#owner.handlers.ping?.(this);
  }

  ponged(bytes: Uint8Array): void {
    if (this.#count(bytes.byteLength)) this.#owner.handlers.pong(this);
  }

  drained(): void {
    if (this.#state !== "waiting" || this.bufferedBytes > 0) return;
    this.#state = "idle";
    this.#owner.handlers.drain(this);
  }

  /** The socket is gone, by whatever end. */
  closed(code: number, reason: string): void {
    this.#owner.buffers.left(this);
    if (this.#state === "closing") return;
    this.#state = "closing";
    this.#socket = this.remoteHost;
    this.#report(peerClose(code, reason));
  }

  failed(error: unknown): void {
    this.#owner.error(asError(error));
    const { code, reason } = webSocketCloseByAdapter.ownerFailed;
    this.close(code, reason);
  }

  #count(bytes: number): boolean {
    if (this.#state === "closing") return false;
    if (this.admit(this.#owner.limits, bytes, monotonic)) return true;
    const { code, reason } = webSocketCloseByAdapter.flood;
    this.close(code, reason);
    return false;
  }

  /** After bytes could not leave at once. */
  #checkBacklog(socket: Socket<T>, { ownerWaits }: { ownerWaits: boolean }): void {
    if (ownerWaits) this.#state = "waiting";
    if (socket.getBufferedAmount() <= this.#owner.limits.outboundBytesMax) return;
    const { code, reason } = webSocketCloseByAdapter.slowConsumer;
    this.close(code, reason);
  }

  #startClosing(close: { code: number; reason: string }): Socket<T> | undefined {
    if (this.#state === "closing") return undefined;
    this.#state = "closing";
    const socket = this.#socket;
    this.#socket = this.remoteHost;
    queueMicrotask(() => this.#report(close));
    return typeof socket === "string" ? undefined : socket;
  }

  #report({ code, reason }: { code: number; reason: string }): void {
    try {
      this.#owner.handlers.close(this, code, reason);
    } catch (error) {
      this.#owner.error(asError(error));
    }
  }
}

/** The handlers that `Bun.serve` wants; each passes on to the connection in `data`. */
export function bunWebSocketHandler<T>(
  { messageBytesMax, isDeflating }: { messageBytesMax: number; isDeflating: boolean },
): Bun.WebSocketHandler<BunWebSocketConnection<T>> {
  return {
    maxPayloadLength: messageBytesMax,
    // No limit: Bun drops what is over it. The connection itself looks at what waits.
    backpressureLimit: 0,
    // Heartbeats are the owner's.
    idleTimeout: 0,
    sendPings: false,
    // One compressor and one decompressor for all connections.
    perMessageDeflate: isDeflating ? { compress: "shared", decompress: "shared" } : false,
    open: (socket) => socket.data.opened(socket),
    message: (socket, message) => socket.data.received(message),
    ping: (socket, bytes) => socket.data.pinged(bytes),
    pong: (socket, bytes) => socket.data.ponged(bytes),
    drain: (socket) => socket.data.drained(),
    close: (socket, code, reason) => socket.data.closed(code, reason),
    error: (error, socket) => socket.data.failed(error),
  };
}

/** Bun reports what it refused as 1006 with one of its own sentences as the reason; a peer cannot
 * send 1006. */
function peerClose(code: number, reason: string): { code: number; reason: string } {
  if (code !== 1006 || !reason.startsWith("Received ")) return { code, reason };
  switch (reason) {
    case "Received too big message":
    case "Received too big message, or other inflation error":
      return webSocketCloseByAdapter.tooBig;
    case "Received invalid UTF-8":
      return webSocketCloseByAdapter.invalidText;
    default:
      return webSocketCloseByAdapter.protocolError;
  }
}

function monotonic(): number {
  return performance.now();
}
