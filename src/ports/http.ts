/** An HTTP/1.1 server with WebSockets (RFC 6455) on any path of it. */

export interface HttpPeer {
  /** The socket's address, before any proxy header is looked at; plain IPv4 where mapped. */
  readonly remoteHost: string;
  readonly remotePort: number;
}

/** What a WebSocket upgrade request says, before it is accepted. */
export interface UpgradeRequest extends HttpPeer {
  readonly url: URL;
  readonly headers: Headers;
}

export type UpgradeDecision<T> =
  | { readonly accept: true; readonly data: T; readonly protocol?: string }
  | { readonly accept: false; readonly response: Response };

/** Close codes that the adapter itself uses; all others are the owner's. */
export const webSocketCloseByAdapter = {
  /** A message was over `messageBytesMax`. */
  tooBig: { code: 1009, reason: "message too big" },
  /** The peer sent more than `inbound` allows. */
  flood: { code: 1008, reason: "flood" },
  /** More than `outboundBytesMax` bytes were waiting for the peer. */
  slowConsumer: { code: 1013, reason: "slow consumer" },
} as const;

export interface WebSocketConnection<T> {
  data: T;
  readonly remoteHost: string;
  readonly remotePort: number;
  /** Bytes that were sent here and have not left yet. */
  readonly bufferedBytes: number;
  /**
   * Sends one message in order. False means that bytes are waiting: stop until `drain`. Never
   * dropped silently: past `outboundBytesMax` the connection closes with 1013. Nothing on a
   * closed one.
   */
  send(message: string | Uint8Array): boolean;
  ping(bytes?: Uint8Array): void;
  /** Starts the closing handshake. Idempotent; the first code counts. */
  close(code: number, reason: string): void;
  /** Cuts the connection off without a handshake. */
  terminate(): void;
}

export interface WebSocketHandlers<T> {
  /** Runs before the upgrade is answered; must not block. */
  upgrade(request: UpgradeRequest): UpgradeDecision<T>;
  open(connection: WebSocketConnection<T>): void;
  /** Text as a string, binary as bytes that are valid only during the call. */
  message(connection: WebSocketConnection<T>, message: string | Uint8Array): void;
  pong(connection: WebSocketConnection<T>): void;
  drain(connection: WebSocketConnection<T>): void;
  /**
   * Once, last. The code is the one that ended the connection: the peer's, ours, one of
   * `webSocketCloseByAdapter`, or 1006 when it broke off.
   */
  close(connection: WebSocketConnection<T>, code: number, reason: string): void;
}

export interface WebSocketLimits {
  readonly messageBytesMax: number;
  readonly outboundBytesMax: number;
  /** Messages and bytes per second with a burst of `burstSeconds` seconds' worth; more is `flood`. */
  readonly inbound: {
    readonly messagesPerSecond: number;
    readonly bytesPerSecond: number;
    readonly burstSeconds: number;
  };
}

export interface HttpServer {
  readonly host: string;
  readonly port: number;
  /** Stops accepting, cuts what is open, resolves when the port is free. */
  close(): Promise<void>;
}

export interface HttpServerPort {
  /**
   * Rejects with `BindError`. A `fetch` that throws is answered 500 with a plain line and reported
   * to `error`; bodies over `bodyBytesMax` get 413.
   */
  listen<T>(options: {
    host: string;
    port: number;
    bodyBytesMax: number;
    fetch(request: Request, peer: HttpPeer): Response | Promise<Response>;
    error(error: Error): void;
    webSocket?: { limits: WebSocketLimits; handlers: WebSocketHandlers<T> };
  }): Promise<HttpServer>;
}
