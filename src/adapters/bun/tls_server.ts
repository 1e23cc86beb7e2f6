import type { HttpServer, TlsKeyPair } from "../../ports/http.ts";
import { checkTlsKeyPair } from "../node/tls_key_pair.ts";

/** How often it is looked whether a server with an older certificate is left by all. */
const lookMs = 30_000;

/** What is needed of a server of Bun, whatever its WebSockets hold. */
interface Listening {
  readonly port: number | undefined;
  readonly pendingRequests: number;
  readonly pendingWebSockets: number;
  stop(closeActiveConnections: boolean): Promise<void>;
}

/**
 * A server over TLS whose certificate can change. Bun's servers cannot take another one
 * (`server.reload()` ignores it), so each has a server of its own on the same port: the next one
 * listens beside the one before, which then stops to listen and serves its connections to their end.
 * What the kernel has given to the old one and it has not accepted yet is reset.
 */
export class BunTlsServer implements HttpServer {
  readonly host: string;
  readonly port: number;
  readonly #listen: (pair: TlsKeyPair, port: number | undefined) => Listening;
  /** Those with older certificates that somebody is still connected to. */
  readonly #older = new Set<Listening>();
  #server: Listening;
  #isClosed = false;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** `listen` gets the port once it is known. */
  constructor(
    host: string,
    pair: TlsKeyPair,
    listen: (pair: TlsKeyPair, port: number | undefined) => Listening,
  ) {
    this.host = host;
    this.#listen = listen;
    this.#server = listen(pair, undefined);
    this.port = this.#server.port ?? 0;
  }

  replaceTls(pair: TlsKeyPair): void {
    checkTlsKeyPair(pair);
    if (this.#isClosed) return;
    const before = this.#server;
    this.#server = this.#listen(pair, this.port);
    void before.stop(false);
    this.#older.add(before);
    this.#timer ??= setInterval(() => this.#dropOlder(), lookMs);
    this.#timer.unref();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await Promise.all([this.#server, ...this.#older].map((server) => server.stop(true)));
  }

  /** Those that nobody asks anything of; what is left of them are silent connections. */
  #dropOlder(): void {
    for (const server of this.#older) {
      if (server.pendingRequests > 0 || server.pendingWebSockets > 0) continue;
      this.#older.delete(server);
      void server.stop(true);
    }
    if (this.#older.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
