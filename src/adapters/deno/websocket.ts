import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type RawData, type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import {
  type HttpPeer,
  type UpgradeDecision,
  type UpgradeRequest,
  webSocketCloseByAdapter,
  type WebSocketConnection,
  type WebSocketHandlers,
  type WebSocketLimits,
  type WebSocketTraffic,
} from "../../ports/http.ts";
import { agreedProtocol, asError, sendableClose } from "../http_rules.ts";
import { PendingUpgrades } from "../pending_upgrades.ts";
import { InboundMeter } from "../inbound_meter.ts";

/** How long a peer has to answer a close frame before it is cut off. */
const CLOSE_MS_MAX = 5000;

/** How long the close frames of a server that stops have to leave; longer would hold up the exit. */
const STOP_MS_MAX = 100;

interface Owner<T> {
  readonly traffic: WebSocketTraffic;
  readonly limits: WebSocketLimits;
  readonly handlers: WebSocketHandlers<T>;
  error(error: Error): void;
}

/** A request for an upgrade, as `node:http` hands it over. */
interface Asking {
  readonly incoming: IncomingMessage;
  readonly socket: Socket;
  readonly head: Uint8Array;
}

/** The WebSockets of one server, by `ws`. */
export class DenoWebSockets<T> {
  readonly #owner: Owner<T>;
  readonly #server: WebSocketServer;
  readonly #open = new Set<DenoWebSocketConnection<T>>();
  readonly #pending = new PendingUpgrades();
  readonly #protocols = new WeakMap<IncomingMessage, string>();

  constructor(
    webSocket: {
      limits: WebSocketLimits;
      handlers: WebSocketHandlers<T>;
      traffic?: WebSocketTraffic;
    },
    error: (error: Error) => void,
  ) {
    this.#owner = { traffic: { bytesReceived: 0 }, ...webSocket, error };
    const options: ServerOptions & { closeTimeout: number } = {
      noServer: true,
      clientTracking: false,
      maxPayload: webSocket.limits.messageBytesMax,
      // Deno's inflater hands on what is broken as an empty message, or ends the process with it.
      perMessageDeflate: false,
      autoPong: false,
      closeTimeout: CLOSE_MS_MAX,
      handleProtocols: (_offered, incoming) => this.#protocols.get(incoming) ?? false,
    };
    this.#server = new WebSocketServer(options);
  }

  /** A response means that the upgrade is refused with it. Rejects with what the owner throws. */
  async upgrade(request: UpgradeRequest, asking: Asking): Promise<Response | undefined> {
    const busy = this.#pending.refusal;
    if (busy !== undefined) return busy;
    const decision = this.#owner.handlers.upgrade(request);
    return this.#decided(
      decision instanceof Promise ? await this.#pending.settle(decision) : decision,
      request,
      asking,
    );
  }

  #decided(
    decision: UpgradeDecision<T>,
    request: UpgradeRequest,
    { incoming, socket, head }: Asking,
  ): Response | undefined {
    if (!decision.accept) return decision.response;
    // It left while its owner decided.
    if (socket.destroyed) return undefined;
    const protocol = agreedProtocol(request.headers, decision.protocol);
    if (protocol !== undefined) this.#protocols.set(incoming, protocol);
    socket.setTimeout(0);
    this.#server.handleUpgrade(incoming, socket, Buffer.from(head), (webSocket) => {
      const { data } = decision;
      const connection = new DenoWebSocketConnection(this.#owner, {
        data,
        peer: request,
        webSocket,
        socket,
      });
      this.#open.add(connection);
      socket.once("close", () => this.#open.delete(connection));
      connection.opened();
    });
    return undefined;
  }

  /** Sends everybody a close frame; resolves when the frames are out or have had their time. */
  async close(): Promise<void> {
    const left = [...this.#open].map((connection) => connection.stopped());
    if (left.length === 0) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, STOP_MS_MAX));
    await Promise.race([Promise.all(left), late]);
    clearTimeout(timer);
  }
}

class DenoWebSocketConnection<T> extends InboundMeter implements WebSocketConnection<T> {
  data: T;
  readonly remoteHost: string;
  readonly remotePort: number;
  readonly #owner: Owner<T>;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  /** Whether a `drain` is owed. */
  #waiting = false;
  /** Whether the end is decided: only `close` is reported from then on. */
  #closing = false;

  constructor(
    owner: Owner<T>,
    { data, peer, webSocket, socket }: {
      data: T;
      peer: HttpPeer;
      webSocket: WebSocket;
      socket: Socket;
    },
  ) {
    super(owner.limits, performance.now());
    this.#owner = owner;
    this.data = data;
    this.remoteHost = peer.remoteHost;
    this.remotePort = peer.remotePort;
    this.#webSocket = webSocket;
    this.#socket = socket;
  }

  get bufferedBytes(): number {
    return this.#closing ? 0 : this.#webSocket.bufferedAmount;
  }

  send(message: string | Uint8Array): boolean {
    if (!this.#isOpen()) return false;
    this.#send(message);
    return this.#checkBacklog(true);
  }

  sendAll(messages: readonly (string | Uint8Array)[]): boolean {
    if (!this.#isOpen()) return false;
    this.#socket.cork();
    for (const message of messages) this.#send(message);
    this.#socket.uncork();
    return this.#checkBacklog(true);
  }

  ping(bytes?: Uint8Array): void {
    if (!this.#isOpen()) return;
    this.#webSocket.ping(bytes?.slice());
    this.#checkBacklog(false);
  }

  close(code: number, reason: string): void {
    const close = sendableClose(code, reason);
    if (this.#closing) return;
    this.#end(close);
    this.#webSocket.close(close.code, close.reason);
  }

  terminate(): void {
    if (this.#closing) return;
    this.#end({ code: 1006, reason: "" });
    this.#webSocket.terminate();
  }

  /** Takes up its work: nothing is reported before. */
  opened(): void {
    const { handlers } = this.#owner;
    const webSocket = this.#webSocket;
    const guarded = <A extends unknown[]>(listen: (...args: A) => void) => (...args: A) => {
      try {
        listen(...args);
      } catch (error) {
        this.#failed(error);
      }
    };
    webSocket.on("message", guarded((data, isBinary) => this.#received(data, isBinary)));
    webSocket.on(
      "ping",
      guarded((data) => {
        if (!this.#count(data.length)) return;
        webSocket.pong(data);
        // A peer that does not read must not fill the memory with pongs.
        this.#checkBacklog(false);
        if (!this.#closing) handlers.ping?.(this);
      }),
    );
    webSocket.on(
      "pong",
      guarded((data) => {
        if (this.#count(data.length)) handlers.pong(this);
      }),
    );
    this.#socket.on("drain", guarded(() => this.#drained()));
    webSocket.on("error", (error) => this.#faulty(error));
    webSocket.on("close", (code, reason) => {
      if (!this.#closing) this.#end({ code, reason: reason.toString() });
    });
    guarded(() => handlers.open(this))();
  }

  /** Closes because the server does; resolves when the close frame and what was before it left. */
  stopped(): Promise<void> {
    const { code, reason } = webSocketCloseByAdapter.serverClosed;
    this.close(code, reason);
    return new Promise((resolve) => this.#socket.end(resolve));
  }

  #send(message: string | Uint8Array): void {
    // `ws` keeps binary messages by reference until they have left.
    this.#webSocket.send(typeof message === "string" ? message : message.slice());
  }

  #received(data: RawData, isBinary: boolean): void {
    const bytes = data as Buffer;
    if (!this.#count(bytes.length)) return;
    this.#owner.traffic.bytesReceived += bytes.length;
    this.#owner.handlers.message(
      this,
      isBinary
        ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
        : bytes.toString("utf8"),
    );
  }

  #drained(): void {
    if (!this.#waiting || this.#closing) return;
    this.#waiting = false;
    this.#owner.handlers.drain(this);
  }

  /** `ws` gave up on what the peer sent and told it so, or the network failed: then its `close`
   * follows. */
  #faulty(error: Error & { code?: string }): void {
    if (this.#closing || !/^(?:WS_ERR|Z)_/.test(error.code ?? "")) return;
    switch (error.code) {
      case "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH":
        return this.#end(webSocketCloseByAdapter.tooBig);
      // So many pieces that their bookkeeping is the load.
      case "WS_ERR_TOO_MANY_BUFFERED_PARTS":
        return this.#end(webSocketCloseByAdapter.flood);
      case "WS_ERR_INVALID_UTF8":
      case "Z_DATA_ERROR":
      case "Z_BUF_ERROR":
        return this.#end(webSocketCloseByAdapter.invalidText);
      default:
        return this.#end(webSocketCloseByAdapter.protocolError);
    }
  }

  #failed(error: unknown): void {
    this.#owner.error(asError(error));
    const { code, reason } = webSocketCloseByAdapter.ownerFailed;
    this.close(code, reason);
  }

  #isOpen(): boolean {
    return !this.#closing && this.#webSocket.readyState === this.#webSocket.OPEN;
  }

  #count(bytes: number): boolean {
    if (this.#closing) return false;
    if (this.admit(this.#owner.limits, bytes, monotonic)) return true;
    const { code, reason } = webSocketCloseByAdapter.flood;
    this.close(code, reason);
    return false;
  }

  /** False when the owner should wait for `drain`, or the connection is over. */
  #checkBacklog(ownerWaits: boolean): boolean {
    if (this.#webSocket.bufferedAmount > this.#owner.limits.outboundBytesMax) {
      const { code, reason } = webSocketCloseByAdapter.slowConsumer;
      this.close(code, reason);
      return false;
    }
    // Deno often writes at once what `node:net` counts as waiting until its `drain`.
    const waits = this.#socket.writableNeedDrain && this.bufferedBytes > 0;
    if (ownerWaits) this.#waiting ||= waits;
    return !waits;
  }

  #end({ code, reason }: { code: number; reason: string }): void {
    this.#closing = true;
    queueMicrotask(() => {
      try {
        this.#owner.handlers.close(this, code, reason);
      } catch (error) {
        this.#owner.error(asError(error));
      }
    });
  }
}

function monotonic(): number {
  return performance.now();
}
