import { type WebSocketClientHandlers } from "../ports/websocket_client.ts";

/** How long a peer has to answer a close frame before the connection is cut. */
const CLOSE_MS_MAX = 5000;

/** The URL to connect to. Throws TypeError when it is none of a WebSocket. */
export function webSocketUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "ws:" && url?.protocol !== "wss:") {
    throw new TypeError(
      `Cannot open a WebSocket: the URL must start with ws:// or wss://, got "${text}"`,
    );
  }
  // RFC 6455 §3: a fragment has no meaning here, and some clients refuse it.
  url.hash = "";
  return url;
}

/**
 * What happens to one outgoing WebSocket, whichever client moves its bytes: opened at most once,
 * closed exactly once, nothing between or after that does not belong there, and no peer that keeps
 * it connecting or closing for ever. Never calls a handler inside a call of the owner's.
 */
export class WebSocketClientLife {
  readonly #handlers: WebSocketClientHandlers;
  readonly #cut: () => void;
  #phase: "connecting" | "open" | "over" = "connecting";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #cause = "";

  /** `cut` drops the connection at once, in whatever state it is. */
  constructor(
    options: { handlers: WebSocketClientHandlers; connectTimeoutMs: number },
    cut: () => void,
  ) {
    this.#handlers = options.handlers;
    this.#cut = cut;
    this.#timer = setTimeout(() => {
      this.#end(1006, `not open after ${options.connectTimeoutMs} ms`);
      cut();
    }, options.connectTimeoutMs);
  }

  get isOpen(): boolean {
    return this.#phase === "open";
  }

  opened(): void {
    if (this.#phase !== "connecting") return;
    clearTimeout(this.#timer);
    this.#phase = "open";
    this.#handlers.open();
  }

  received(message: string | Uint8Array): void {
    if (this.#phase === "open") this.#handlers.message(message);
  }

  /** The client said why it is about to close. */
  failed(cause: string): void {
    this.#cause ||= cause;
  }

  /** The connection is gone; 1006 takes its reason from what `failed` said. */
  gone(code: number, reason: string): void {
    clearTimeout(this.#timer);
    if (this.#phase === "over") return;
    if (this.#phase === "open" && code !== 1006) this.#end(code, reason);
    else this.#end(1006, reason || this.#cause || "connection lost");
  }

  /** Ends it for the owner with our code. True when a closing handshake should start now: the
   * peer's time to answer runs. */
  close(code: number, reason: string): boolean {
    if (this.#phase === "over") return false;
    if (this.#phase === "connecting") {
      this.#end(1006, "closed before it was open");
      this.#cut();
      return false;
    }
    this.#end(code, reason);
    this.#timer = setTimeout(this.#cut, CLOSE_MS_MAX);
    return true;
  }

  terminate(): void {
    if (this.#phase === "over") return;
    this.#end(1006, "terminated");
    this.#cut();
  }

  #end(code: number, reason: string): void {
    clearTimeout(this.#timer);
    this.#phase = "over";
    queueMicrotask(() => this.#handlers.close(code, reason));
  }
}
