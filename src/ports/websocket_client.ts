/** One outgoing WebSocket (RFC 6455). */

export interface WebSocketClientHandlers {
  open(): void;
  message(message: string | Uint8Array): void;
  /** Once, last; 1006 when the connection broke off or never opened, with the cause as `reason`. */
  close(code: number, reason: string): void;
}

export interface WebSocketClientConnection {
  readonly bufferedBytes: number;
  /** Queues one message. False when it is not open. */
  send(message: string | Uint8Array): boolean;
  close(code: number, reason: string): void;
  terminate(): void;
}

export interface WebSocketClientPort {
  /** Starts connecting; the outcome comes as `open` or `close`, never as a throw (save for a URL
   * that is not one: TypeError). A message over `messageBytesMax` closes with 1009. */
  connect(options: {
    url: string;
    protocols?: readonly string[];
    connectTimeoutMs: number;
    messageBytesMax: number;
    handlers: WebSocketClientHandlers;
  }): WebSocketClientConnection;
}
