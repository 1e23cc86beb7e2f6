/**
 * Streams of bytes between two hosts. The adapter moves bytes, bounds what it holds and reports
 * what happened; it never decides what to do about it.
 */

/**
 * Why a connection ended. Exactly one is reported, once, for each connection that opened: whichever
 * happened first, but `slow_consumer` always.
 */
export type TcpCloseReason =
  /** We called `end()` or `destroy()`. */
  | "local"
  /** The peer closed in an orderly way. */
  | "remote"
  /** The peer reset the connection, or the network failed. */
  | "error"
  /** The peer read too slowly: more than `outboundBytesMax` bytes were waiting for it. */
  | "slow_consumer";

export interface TcpConnection<T> {
  /** The owner's state of this connection. One slot, so that an idle connection stays small. */
  data: T;
  /** The peer's address; IPv4 peers of a dual-stack listener appear as plain IPv4 (`127.0.0.1`). */
  readonly remoteHost: string;
  readonly remotePort: number;
  /** Bytes accepted by `write` that the kernel has not taken yet. */
  readonly bufferedBytes: number;
  /**
   * Sends bytes in order; they are copied if they cannot leave at once, so the caller may reuse the
   * array. False means that bytes are waiting: stop until `drain`. The bytes are never dropped
   * silently: past `outboundBytesMax` the connection is closed with `slow_consumer`.
   * On a closed connection it does nothing and returns false.
   */
  write(bytes: Uint8Array): boolean;
  /** Stops `data` events (the kernel's window then holds the peer back). At most the bytes that
   * were already read still arrive. */
  pause(): void;
  resume(): void;
  /** Sends what waits, then a FIN. The connection closes when the peer closes too, or after
   * `lingerMs`; until then its `data` goes on, or is dropped while paused. Idempotent. */
  end(): void;
  /** Drops what waits and closes now. Idempotent. */
  destroy(): void;
}

/** What throws here ends its own connection: the adapter destroys it and reports the error. */
export interface TcpHandlers<T> {
  /** Called once, before any other event. Must set `connection.data`. If it throws, the connection
   * did not open, and nothing else is called. */
  open(connection: TcpConnection<T>): void;
  /** `bytes` are valid only during the call. */
  data(connection: TcpConnection<T>, bytes: Uint8Array): void;
  /** The peer sent its FIN and may still read: half-open until `end()` or `destroy()`. Not called
   * after our own `end()`: the close follows at once. */
  end(connection: TcpConnection<T>): void;
  /** Everything that waited has left, after a `write` returned false. */
  drain(connection: TcpConnection<T>): void;
  /** Called once, last, for each opened connection; never within a call to the connection. */
  close(connection: TcpConnection<T>, reason: TcpCloseReason): void;
}

export interface TcpLimits {
  /** Bytes that may wait for one peer; more closes its connection with `slow_consumer`. */
  readonly outboundBytesMax: number;
  /** How long a connection may take to close after `end()`, in milliseconds. */
  readonly lingerMs: number;
}

export interface TcpListener {
  readonly host: string;
  /** The bound port (the chosen one when 0 was asked for). */
  readonly port: number;
  /** Stops accepting. Open connections live on. Resolves when the port is free again. */
  close(): Promise<void>;
}

/** TLS for a connection that this side opens. The certificate is always verified. */
export interface TlsOptions {
  /** The name that the certificate must be for, and that is asked for (SNI). When it is an address,
   * the certificate must be for `host`. */
  readonly serverName: string;
  /** PEM of the only authorities to trust; those of the system when absent. */
  readonly authorities?: string;
}

export interface TcpPort {
  /**
   * Listens; `::` takes IPv4 too. TCP_NODELAY and keep-alive are on for each connection.
   * Rejects with `BindError` when the address cannot be had.
   */
  listen<T>(
    options: { host: string; port: number; limits: TcpLimits; handlers: TcpHandlers<T> },
  ): Promise<TcpListener>;
  /**
   * Connects; resolves after `open` was called. Rejects with an Error (`code` kept, such as
   * ECONNREFUSED; `ETIMEDOUT` after `timeoutMs`), and then no handler is called. With `tls` the
   * connection opens once the server's certificate was found good; else it is closed, and the error
   * says why (DEPTH_ZERO_SELF_SIGNED_CERT, ERR_TLS_CERT_ALTNAME_INVALID, …).
   */
  connect<T>(
    options: {
      host: string;
      port: number;
      tls?: TlsOptions;
      timeoutMs: number;
      limits: TcpLimits;
      handlers: TcpHandlers<T>;
    },
  ): Promise<TcpConnection<T>>;
}
