/** An HTTP/1.1 server with WebSockets (RFC 6455) on any path of it. */

export interface HttpPeer {
  /** The socket's address, before any proxy header is looked at; plain IPv4 where mapped. */
  readonly remoteHost: string;
  readonly remotePort: number;
}

/** What a WebSocket upgrade request says, before it is accepted. */
export interface UpgradeRequest extends HttpPeer {
  /** The absolute URL as one text, not more normalised than the runtime does by itself. */
  readonly href: string;
  /** Parsed when it is read for the first time. */
  readonly url: URL;
  readonly headers: Headers;
}

export type UpgradeDecision<T> =
  | { readonly accept: true; readonly data: T; readonly protocol?: string }
  | { readonly accept: false; readonly response: Response };

/** Upgrades whose owner has yet to decide; further ones get 503 and are asked to come back. Each holds
 * a request of some 20 KB. */
export const upgradesPendingMax = 1_024;

/** Close codes that the adapter itself uses; all others are the owner's. */
export const webSocketCloseByAdapter = {
  /** A message was over `messageBytesMax`, or, on Bun, could not be inflated. */
  tooBig: { code: 1009, reason: "message too big" },
  /** The peer sent more than `inbound` allows. */
  flood: { code: 1008, reason: "flood" },
  /** More than `outboundBytesMax` bytes were waiting for the peer. */
  slowConsumer: { code: 1013, reason: "slow consumer" },
  /** It once sent a large message, for which the runtime still keeps memory that others need. Nothing
   * of it is lost. */
  memory: { code: 1013, reason: "memory" },
  /** The peer broke RFC 6455. Each runtime words the reason its own way. */
  protocolError: { code: 1002, reason: "protocol error" },
  /** A text message was not UTF-8, or a message could not be inflated. */
  invalidText: { code: 1007, reason: "invalid UTF-8" },
  /** A handler of the owner threw; the error went to `error`. */
  ownerFailed: { code: 1011, reason: "internal error" },
  /** The server was closed. */
  serverClosed: { code: 1001, reason: "Server closed" },
} as const;

export interface WebSocketConnection<T> {
  data: T;
  /** "" where the peer has closed it and the system no longer knows. */
  readonly remoteHost: string;
  readonly remotePort: number;
  /** Bytes that were sent here and have not left yet. */
  readonly bufferedBytes: number;
  /**
   * Sends one message in order; its bytes may be reused at once. False means that bytes are
   * waiting: stop until `drain`. Never dropped silently: past `outboundBytesMax` the connection
   * closes with 1013, and a peer that does not read is cut off within 5 seconds. Nothing on a
   * closed one.
   */
  send(message: string | Uint8Array): boolean;
  /** As `send` for each of them in turn, in as few writes as can be. */
  sendAll(messages: readonly (string | Uint8Array)[]): boolean;
  ping(bytes?: Uint8Array): void;
  /**
   * Starts the closing handshake; a peer that does not answer is cut off within 5 seconds. From
   * here on only `close` is reported. Idempotent; the first code counts. Throws RangeError for a
   * code that must not be sent; a reason over 123 bytes is cut.
   */
  close(code: number, reason: string): void;
  /** Cuts the connection off without a handshake; reported as 1006. */
  terminate(): void;
}

/** Handlers are never called inside a call of theirs to the connection. */
export interface WebSocketHandlers<T> {
  /**
   * Runs before the upgrade is answered; must not block. The peer may still fail to open. A promise
   * must settle; `upgradesPendingMax` of them may wait at one time.
   */
  upgrade(request: UpgradeRequest): UpgradeDecision<T> | Promise<UpgradeDecision<T>>;
  open(connection: WebSocketConnection<T>): void;
  /** Text as a string, binary as bytes that are valid only during the call. */
  message(connection: WebSocketConnection<T>, message: string | Uint8Array): void;
  /** A ping of the peer came; it is answered already. */
  ping?(connection: WebSocketConnection<T>): void;
  pong(connection: WebSocketConnection<T>): void;
  drain(connection: WebSocketConnection<T>): void;
  /**
   * Once, last. The code is the one that ended the connection: the peer's (1005 when it gave
   * none), ours, one of `webSocketCloseByAdapter`, or 1006 when it broke off.
   */
  close(connection: WebSocketConnection<T>, code: number, reason: string): void;
}

export interface WebSocketLimits {
  readonly messageBytesMax: number;
  readonly outboundBytesMax: number;
  /** What the runtime may keep for connections because of large messages that they have sent; past it
   * those who sent none for the longest are closed (`memory`). undefined: any. */
  readonly receiveBytesMax?: number;
  /**
   * Messages and bytes per second with a burst of `burstSeconds` seconds' worth; more is `flood`.
   * Meant for gross floods: after a while below the rate, up to two bursts may pass at once.
   */
  readonly inbound: {
    readonly messagesPerSecond: number;
    readonly bytesPerSecond: number;
    readonly burstSeconds: number;
  };
}

/** permessage-deflate (RFC 7692) for peers that offer it, without context from message to message: so
 * an idle connection keeps no window. `messageBytesMax` and `inbound` count inflated bytes. */
export interface WebSocketCompression {
  /** Messages of fewer bytes go as they are: hardly any smaller otherwise. */
  readonly messageBytesMin: number;
  /** Messages of more bytes go as they are: compressing may block the thread. */
  readonly messageBytesMax: number;
}

/** Counts the payloads of messages; the adapter adds to what is there. Control frames, frame headers,
 * and messages that were refused as too big or a flood, are not in it. */
export interface WebSocketTraffic {
  bytesReceived: number;
}

/** What a server proves itself with. */
export interface TlsKeyPair {
  /** The certificate, then those that lead to its authority; PEM. */
  readonly certificate: string;
  /** PEM, not encrypted. */
  readonly key: string;
}

export interface HttpServer {
  readonly host: string;
  readonly port: number;
  /**
   * Takes another certificate: new connections get it, open ones stay as they are. Throws
   * `TlsKeyError`, and then nothing has changed; Error for a server without TLS. On Bun a connect that
   * comes in the very moment may be reset.
   */
  replaceTls(pair: TlsKeyPair): void;
  /** Stops accepting, cuts what is open, resolves when the port is free. */
  close(): Promise<void>;
}

export interface HttpListenOptions<T> {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly bodyBytesMax: number;
  /** Serves over TLS 1.2 or later alone. */
  readonly tls?: TlsKeyPair | undefined;
  /**
   * Answers every request that is no WebSocket upgrade. A connection on which nothing moves for 30
   * seconds is cut: what streams must write more often.
   */
  fetch(request: Request, peer: HttpPeer): Response | Promise<Response>;
  /** A handler of the owner threw: a fault of ours, never the peer's. */
  error(error: Error): void;
  readonly webSocket?: {
    readonly limits: WebSocketLimits;
    /** Absent: off. Deno has none in any case: what its inflater does with broken data is not safe. */
    readonly compression?: WebSocketCompression | undefined;
    readonly handlers: WebSocketHandlers<T>;
    readonly traffic?: WebSocketTraffic;
  };
}

export interface HttpServerPort {
  /**
   * Listens; `::` takes IPv4 too. A connection without a request is cut after 10 seconds (Bun: up
   * to 14). On Deno their number is bound by the limit for open files; Bun has no means for it: who
   * serves the internet puts a proxy or a firewall's limit per address in front. Rejects with
   * `BindError`, or `TlsKeyError`. A `fetch` that throws is answered 500
   * with a plain line and reported to `error`; bodies over `bodyBytesMax` get 413; a malformed
   * upgrade gets 400, or 426 for another version of the protocol.
   */
  listen<T>(options: HttpListenOptions<T>): Promise<HttpServer>;
}
