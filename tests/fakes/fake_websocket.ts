import { agreedProtocol, asError, sendableClose } from "../../src/adapters/http_rules.ts";
import { InboundMeter } from "../../src/adapters/inbound_meter.ts";
import type { Clock } from "../../src/ports/clock.ts";
import {
  type HttpListenOptions,
  type UpgradeRequest,
  webSocketCloseByAdapter,
  type WebSocketConnection,
} from "../../src/ports/http.ts";
import type {
  WebSocketClientConnection,
  WebSocketClientHandlers,
} from "../../src/ports/websocket_client.ts";

const CLOSE_MS_MAX = 5000;

/** What both ends of a connection in memory need. */
export interface FakeWorld {
  readonly clock: Clock;
  /** Bytes that leave a server though nobody reads them. */
  readonly kernelBytes: number;
  /** Runs `event` in a later microtask, after all that were scheduled before. */
  schedule(event: () => void): void;
}

type Frame =
  | { readonly kind: "message"; readonly message: string | Uint8Array }
  | { readonly kind: "ping" }
  | { readonly kind: "close"; readonly code: number; readonly reason: string };

/** The server's end. */
export class FakeServerSocket<T> extends InboundMeter implements WebSocketConnection<T> {
  data: T;
  readonly remoteHost: string;
  readonly remotePort: number;
  readonly protocol: string | undefined;
  readonly #world: FakeWorld;
  readonly #error: (error: Error) => void;
  readonly #owner: NonNullable<HttpListenOptions<T>["webSocket"]>;
  readonly #peer: FakeClientSocket;
  readonly #outbox: Frame[] = [];
  #outboxBytes = 0;
  #waiting = false;
  #closing = false;

  constructor(
    options: HttpListenOptions<T>,
    { owner, world, request, peer, decision }: {
      owner: NonNullable<HttpListenOptions<T>["webSocket"]>;
      world: FakeWorld;
      request: UpgradeRequest;
      peer: FakeClientSocket;
      decision: { data: T; protocol?: string };
    },
  ) {
    super(owner.limits, world.clock.monotonic());
    this.#error = (error) => options.error(error);
    this.#owner = owner;
    this.#world = world;
    this.#peer = peer;
    this.data = decision.data;
    this.remoteHost = request.remoteHost;
    this.remotePort = request.remotePort;
    this.protocol = agreedProtocol(request.headers, decision.protocol);
  }

  get bufferedBytes(): number {
    return this.#closing ? 0 : Math.max(0, this.#outboxBytes - this.#world.kernelBytes);
  }

  open(): void {
    this.#guard(() => this.#owner.handlers.open(this));
  }

  send(message: string | Uint8Array): boolean {
    if (this.#closing) return false;
    this.#post({
      kind: "message",
      message: typeof message === "string" ? message : message.slice(),
    });
    if (this.bufferedBytes > this.#owner.limits.outboundBytesMax) {
      const { code, reason } = webSocketCloseByAdapter.slowConsumer;
      this.close(code, reason);
    }
    this.#waiting = this.bufferedBytes > 0;
    return !this.#closing && !this.#waiting;
  }

  sendAll(messages: readonly (string | Uint8Array)[]): boolean {
    let isFree = true;
    for (const message of messages) isFree = this.send(message);
    return isFree;
  }

  ping(): void {
    if (!this.#closing) this.#post({ kind: "ping" });
  }

  close(code: number, reason: string): void {
    const close = sendableClose(code, reason);
    if (this.#closing) return;
    this.#end(close.code, close.reason);
    this.#post({ kind: "close", ...close });
    this.#world.clock.after(CLOSE_MS_MAX, () => this.#cut());
  }

  terminate(): void {
    if (this.#closing) return;
    this.#end(1006, "");
    this.#cut();
  }

  received(message: string | Uint8Array): void {
    const { limits, handlers } = this.#owner;
    const bytes = bytesOf(message);
    if (this.#closing) return;
    if (bytes > limits.messageBytesMax) {
      this.#closeBy(webSocketCloseByAdapter.tooBig);
    } else if (!this.admit(limits, bytes, () => this.#world.clock.monotonic())) {
      this.#closeBy(webSocketCloseByAdapter.flood);
    } else {
      if (this.#owner.traffic !== undefined) this.#owner.traffic.bytesReceived += bytes;
      this.#guard(() => handlers.message(this, message));
    }
  }

  ponged(): void {
    if (!this.#closing) this.#guard(() => this.#owner.handlers.pong(this));
  }

  peerClosed(code: number, reason: string): void {
    if (!this.#closing) this.#end(code, reason);
  }

  /** Hands the peer the next frame, if it reads. */
  deliverNext(): void {
    if (!this.#peer.reading) return;
    const frame = this.#outbox.shift();
    if (frame === undefined) return;
    if (frame.kind === "message") this.#outboxBytes -= bytesOf(frame.message);
    this.#peer.receive(frame);
    if (!this.#waiting || this.#closing || this.bufferedBytes > 0) return;
    this.#waiting = false;
    this.#guard(() => this.#owner.handlers.drain(this));
  }

  /** For a peer that reads again. */
  deliverAll(): void {
    for (let i = 0; i < this.#outbox.length; i++) this.#world.schedule(() => this.deliverNext());
  }

  #post(frame: Frame): void {
    this.#outbox.push(frame);
    if (frame.kind === "message") this.#outboxBytes += bytesOf(frame.message);
    this.#world.schedule(() => this.deliverNext());
  }

  #closeBy({ code, reason }: { code: number; reason: string }): void {
    this.close(code, reason);
  }

  #cut(): void {
    this.#outbox.length = 0;
    this.#world.schedule(() => this.#peer.broken());
  }

  #end(code: number, reason: string): void {
    this.#closing = true;
    this.#world.schedule(() => {
      try {
        this.#owner.handlers.close(this, code, reason);
      } catch (error) {
        this.#error(asError(error));
      }
    });
  }

  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#error(asError(error));
      this.#closeBy(webSocketCloseByAdapter.ownerFailed);
    }
  }
}

/** The client's end. Clients of tests can stop reading, as slow peers do. */
export class FakeClientSocket implements WebSocketClientConnection {
  reading = true;
  readonly bufferedBytes = 0;
  readonly #handlers: WebSocketClientHandlers;
  readonly #messageBytesMax: number;
  readonly #world: FakeWorld;
  readonly #stopTimer: () => void;
  #server: FakeServerSocket<unknown> | undefined;
  #over = false;

  constructor(
    world: FakeWorld,
    options: {
      handlers: WebSocketClientHandlers;
      connectTimeoutMs: number;
      messageBytesMax: number;
    },
  ) {
    this.#world = world;
    this.#handlers = options.handlers;
    this.#messageBytesMax = options.messageBytesMax;
    this.#stopTimer = world.clock.after(options.connectTimeoutMs, () => {
      this.#end(1006, `not open after ${options.connectTimeoutMs} ms`);
    });
  }

  /** Whether the owner still waits for it to open. */
  get connecting(): boolean {
    return this.#server === undefined && !this.#over;
  }

  opened(server: FakeServerSocket<unknown>): void {
    this.#stopTimer();
    this.#server = server;
    this.#handlers.open();
  }

  send(message: string | Uint8Array): boolean {
    const server = this.#server;
    if (this.#over || server === undefined) return false;
    const copy = typeof message === "string" ? message : message.slice();
    this.#world.schedule(() => server.received(copy));
    return true;
  }

  close(code: number, reason: string): void {
    const close = sendableClose(code, reason);
    if (this.#over) return;
    const server = this.#server;
    if (server === undefined) return this.#end(1006, "closed before it was open");
    this.#end(close.code, close.reason);
    this.#world.schedule(() => server.peerClosed(close.code, close.reason));
  }

  terminate(): void {
    if (this.#over) return;
    this.#end(1006, "terminated");
    this.#world.schedule(() => this.#server?.peerClosed(1006, ""));
  }

  stopReading(): void {
    this.reading = false;
  }

  startReading(): void {
    this.reading = true;
    this.#server?.deliverAll();
  }

  receive(frame: Frame): void {
    if (this.#over) return;
    switch (frame.kind) {
      case "message":
        if (bytesOf(frame.message) <= this.#messageBytesMax) {
          return this.#handlers.message(frame.message);
        }
        return this.close(
          webSocketCloseByAdapter.tooBig.code,
          webSocketCloseByAdapter.tooBig.reason,
        );
      case "ping":
        return this.#world.schedule(() => this.#server?.ponged());
      case "close":
        return this.#end(frame.code, frame.reason);
    }
  }

  /** The connection is gone without a close frame, or never was. */
  broken(reason = "connection lost"): void {
    this.#end(1006, reason);
  }

  #end(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#stopTimer();
    this.#world.schedule(() => this.#handlers.close(code, reason));
  }
}

function bytesOf(message: string | Uint8Array): number {
  return typeof message === "string" ? new TextEncoder().encode(message).length : message.length;
}
