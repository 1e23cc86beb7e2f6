import {
  asError,
  internalError,
  refuseRequest,
  refuseUpgrade,
} from "../../src/adapters/http_rules.ts";
import { PendingUpgrades } from "../../src/adapters/pending_upgrades.ts";
import { webSocketUrl } from "../../src/adapters/websocket_client_life.ts";
import { BindError } from "../../src/ports/bind_error.ts";
import type { Clock } from "../../src/ports/clock.ts";
import {
  type HttpListenOptions,
  type HttpServer,
  type HttpServerPort,
  type UpgradeDecision,
  webSocketCloseByAdapter,
} from "../../src/ports/http.ts";
import type { WebSocketClientPort } from "../../src/ports/websocket_client.ts";
import { FakeClientSocket, FakeServerSocket, type FakeWorld } from "./fake_websocket.ts";

/** The first of the ports that a machine chooses by itself. */
const EPHEMERAL_PORT_FIRST = 40_000;

type ConnectOptions = Parameters<WebSocketClientPort["connect"]>[0];

/** What a server in memory does with a request or a client that has found it. */
interface Listening {
  request(request: Request, bytes: Uint8Array<ArrayBuffer>): Promise<Response>;
  /** A reason means that the client was refused. */
  upgrade(
    options: ConnectOptions,
    client: FakeClientSocket,
  ): string | undefined | Promise<string | undefined>;
}

/**
 * HTTP and WebSockets in memory, both ends. Nothing happens within the caller's turn: each event
 * runs in a microtask of its own, in the order in which it was caused. Time is the given clock's.
 */
export class FakeHttp {
  readonly server: HttpServerPort;
  readonly client: WebSocketClientPort;
  /** Clients in the order of their `connect`, for tests that stop one from reading. */
  readonly clients: FakeClientSocket[] = [];
  readonly #world: FakeWorld;
  readonly #listening = new Map<number, Listening>();
  readonly #silent = new Set<number>();
  readonly #events: (() => void)[] = [];
  #portsUsed = 0;

  constructor({ clock, kernelBytes = 65_536 }: { clock: Clock; kernelBytes?: number }) {
    this.#world = { clock, kernelBytes, schedule: (event) => this.#schedule(event) };
    this.server = { listen: (options) => this.#listen(options) };
    this.client = { connect: (options) => this.#connect(options) };
  }

  /** Makes a port that neither answers nor refuses. */
  silence(port: number): void {
    this.#silent.add(port);
  }

  /** As the global `fetch`: rejects with TypeError when nobody listens there. */
  async fetch(url: string, init?: RequestInit): Promise<Response> {
    const request = new Request(url, init);
    const bytes = new Uint8Array(await request.arrayBuffer());
    const listening = this.#listening.get(portOf(new URL(url)));
    if (listening === undefined) throw new TypeError("fetch failed: connection refused");
    return await listening.request(request, bytes);
  }

  async #listen<T>(options: HttpListenOptions<T>): Promise<HttpServer> {
    const { host } = options;
    if (options.tls !== undefined) throw new Error("Cannot listen: what is in memory has no TLS");
    const port = options.port === 0 ? EPHEMERAL_PORT_FIRST + this.#portsUsed++ : options.port;
    if (this.#listening.has(port)) {
      throw new BindError({ protocol: "http", host, port, code: "EADDRINUSE" });
    }
    const open = new Set<FakeServerSocket<T>>();
    const pending = new PendingUpgrades();
    const listening: Listening = {
      request: (request, bytes) => this.#answer(options, request, bytes),
      upgrade: (client, end) =>
        this.#upgrade(options, {
          client,
          end,
          open,
          pending,
          isClosed: () => this.#listening.get(port) !== listening,
        }),
    };
    this.#listening.set(port, listening);
    return {
      host,
      port,
      replaceTls() {
        throw new Error(`Cannot replace the certificate of ${host}: it has none`);
      },
      close: async () => {
        if (this.#listening.get(port) === listening) this.#listening.delete(port);
        const { code, reason } = webSocketCloseByAdapter.serverClosed;
        for (const socket of open) socket.close(code, reason);
        while (this.#events.length > 0) await Promise.resolve();
      },
    };
  }

  async #answer<T>(
    options: HttpListenOptions<T>,
    { method, url, headers }: Request,
    bytes: Uint8Array<ArrayBuffer>,
  ): Promise<Response> {
    if (bytes.length > options.bodyBytesMax) return new Response("body too big\n", { status: 413 });
    const body = method === "GET" || method === "HEAD" ? undefined : bytes;
    const request = new Request(url, { method, headers, body });
    try {
      return refuseRequest(method, url) ?? await options.fetch(request, this.#peer());
    } catch (error) {
      options.error(asError(error));
      return internalError();
    }
  }

  #upgrade<T>(
    options: HttpListenOptions<T>,
    { client, end, open, pending, isClosed }: {
      client: ConnectOptions;
      end: FakeClientSocket;
      open: Set<FakeServerSocket<T>>;
      pending: PendingUpgrades;
      isClosed(): boolean;
    },
  ): string | undefined | Promise<string | undefined> {
    const owner = options.webSocket;
    if (owner === undefined) return refusedBy(new Response(null, { status: 404 }));
    const url = webSocketUrl(client.url);
    url.protocol = "http:";
    const headers = upgradeHeaders(url, client.protocols);
    const request = { href: url.href, url, headers, ...this.#peer() };
    const decided = (decision: UpgradeDecision<T>): string | undefined => {
      if (!decision.accept) return refusedBy(decision.response);
      if (isClosed()) return "the server was closed";
      // It left while its owner decided.
      if (!end.connecting) return undefined;
      const world = this.#world;
      const socket = new FakeServerSocket(options, { owner, world, request, peer: end, decision });
      open.add(socket);
      end.opened(socket as FakeServerSocket<unknown>);
      socket.open();
      return undefined;
    };
    const failed = (error: unknown): string => {
      options.error(asError(error));
      return refusedBy(internalError());
    };
    try {
      const refusal = refuseUpgrade("GET", headers) ?? pending.refusal;
      if (refusal !== undefined) return refusedBy(refusal);
      const decision = owner.handlers.upgrade(request);
      if (!(decision instanceof Promise)) return decided(decision);
      return pending.settle(decision).then(decided).catch(failed);
    } catch (error) {
      return failed(error);
    }
  }

  #connect(options: ConnectOptions): FakeClientSocket {
    const port = portOf(webSocketUrl(options.url));
    const end = new FakeClientSocket(this.#world, options);
    this.clients.push(end);
    if (this.#silent.has(port)) return end;
    this.#world.schedule(() => {
      if (!end.connecting) return;
      const listening = this.#listening.get(port);
      const answered = (refused: string | undefined) => {
        if (refused !== undefined) end.broken(refused);
      };
      const refused = listening === undefined
        ? "connection refused"
        : listening.upgrade(options, end);
      if (refused instanceof Promise) void refused.then(answered);
      else answered(refused);
    });
    return end;
  }

  #peer(): { remoteHost: string; remotePort: number } {
    return { remoteHost: "127.0.0.1", remotePort: EPHEMERAL_PORT_FIRST + this.#portsUsed++ };
  }

  #schedule(event: () => void): void {
    this.#events.push(event);
    if (this.#events.length === 1) queueMicrotask(() => this.#runFirst());
  }

  #runFirst(): void {
    try {
      this.#events[0]?.();
    } finally {
      this.#events.shift();
      if (this.#events.length > 0) queueMicrotask(() => this.#runFirst());
    }
  }
}

function upgradeHeaders(url: URL, protocols: readonly string[] = []): Headers {
  const headers = new Headers({
    Host: url.host,
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
  });
  if (protocols.length > 0) headers.set("Sec-WebSocket-Protocol", protocols.join(", "));
  return headers;
}

function refusedBy({ status }: Response): string {
  return `refused with status ${status}`;
}

function portOf(url: URL): number {
  return Number(url.port || (url.protocol.endsWith("s:") ? 443 : 80));
}
