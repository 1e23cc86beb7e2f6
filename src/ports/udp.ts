/** Datagrams. Lost ones are lost: nothing here retries. */

export interface UdpSocket {
  readonly host: string;
  readonly port: number;
  /** Sends one datagram. False when it could not be handed to the kernel (buffer full, closed). */
  send(bytes: Uint8Array, host: string, port: number): boolean;
  /** Closes; no message is reported after it. The system may keep the port for a moment more.
   * Idempotent. */
  close(): void;
}

export interface UdpHandlers {
  /**
   * `bytes` are valid only during the call. `host` is shown as IPv4 where it is a mapped one, and
   * may be given back to `send` as it is.
   */
  message(socket: UdpSocket, bytes: Uint8Array, host: string, port: number): void;
  /** A failure of a send or of the socket; the socket goes on unless it says otherwise. */
  error(socket: UdpSocket, error: Error): void;
}

export interface UdpPort {
  /** Binds; `::` takes IPv4 too. Rejects with `BindError` when the address cannot be had. */
  bind(options: { host: string; port: number; handlers: UdpHandlers }): Promise<UdpSocket>;
}
