import type { TcpCloseReason, TcpConnection } from "../ports/tcp.ts";

/**
 * The other protocol on the host's TCP port: FreeKill's game ("One port, two protocols"). The host
 * accepts, counts and limits all connections; those of the other protocol are handed over.
 */
export interface OtherProtocol {
  /**
   * Takes over a connection and answers who gets its events from now on. undefined refuses it:
   * what was written goes out, then it is closed, and nothing more is heard of it. What throws here
   * costs this connection only. Not called for a connection that is over a limit.
   */
  adopt(connection: TcpConnection<unknown>, opening: Opening): Guest | undefined;
}

/** What is known of a connection when it is handed over. */
export interface Opening {
  /**
   * What came already: then its first byte is 0x84 or 0x86. undefined when nothing came yet. Valid
   * only during the call of `adopt`.
   */
  readonly bytes: Uint8Array | undefined;
  /**
   * Only after silence, when the peer may still be a probe that is slow to speak; the same function
   * for all connections, so keeping it costs nothing.
   */
  readonly giveBack: GiveBack | undefined;
}

/**
 * Hands a connection back whose first line is exactly a command of the host protocol. `bytes` are
 * all that its guest was given; they are answered, and are the caller's again when this returns. The
 * guest gets no more events (`closed` neither) and lets go of the connection, which must not be
 * paused. May be called within the guest's `data`. Does nothing for a connection that is closed or
 * has no guest (any more).
 */
export type GiveBack = (connection: TcpConnection<unknown>, bytes: Uint8Array) => void;

/**
 * Gets the events of one adopted connection; it is what the connection's `data` holds, which nobody
 * but the host may set. A method that throws costs this connection only: it is destroyed, and
 * `closed` follows.
 */
export interface Guest {
  /** `bytes` are valid only during the call. */
  data(bytes: Uint8Array): void;
  /** The peer sent its FIN and may still read. */
  end(): void;
  /** Everything that waited has left, after a `write` that returned false. */
  drain(): void;
  /** Called once, last, for each guest whose connection was not given back. */
  closed(reason: TcpCloseReason): void;
}
