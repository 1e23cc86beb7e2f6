import type {
  HttpListenOptions,
  HttpPeer,
  HttpServer,
  HttpServerPort,
  UpgradeDecision,
  UpgradeRequest,
  WebSocketCompression,
  WebSocketConnection,
  WebSocketHandlers,
  WebSocketLimits,
  WebSocketTraffic,
} from "../../src/ports/http.ts";
import type {
  WebSocketClientConnection,
  WebSocketClientHandlers,
  WebSocketClientPort,
} from "../../src/ports/websocket_client.ts";

/** What the suites for HTTP and WebSockets need of the adapters that they test. */
export interface HttpUnderTest {
  readonly name: string;
  http(options?: { idleSecondsMax?: number }): HttpServerPort;
  /** Any client that reaches that server; plain `fetch` for a real one. */
  request(url: string, init?: RequestInit): Promise<Response>;
  client(): WebSocketClientPort;
  /** Why this server does not answer a request that comes before the last one's answer. */
  readonly noPipelining?: string;
}

/** Limits that are in nobody's way. */
export const ROOMY_LIMITS: WebSocketLimits = {
  messageBytesMax: 1 << 20,
  outboundBytesMax: 16 << 20,
  inbound: { messagesPerSecond: 100_000, bytesPerSecond: 1 << 30, burstSeconds: 2 },
};

/** Longer than what needs no waiting takes; reached only when the test fails. */
const WAIT_MS_MAX = 4_000;

export interface Close {
  readonly code: number;
  readonly reason: string;
}

/** What the server's side of one WebSocket has seen so far. */
export class Seen {
  connection: WebSocketConnection<Seen> | undefined;
  /** The names of all events but `message`, in order. */
  readonly events: string[] = [];
  readonly messages: (string | Uint8Array)[] = [];
  readonly closes: Close[] = [];
  pings = 0;

  get open(): WebSocketConnection<Seen> {
    if (this.connection === undefined) throw new Error("The WebSocket has not opened");
    return this.connection;
  }
}

type React = Partial<Omit<WebSocketHandlers<Seen>, "upgrade">> & {
  upgrade?(
    request: UpgradeRequest,
  ): UpgradeDecision<Seen> | Promise<UpgradeDecision<Seen>> | undefined;
};

/** Handlers that note all that happens and then do what `react` says. */
export class WebSocketRecorder implements WebSocketHandlers<Seen> {
  readonly requests: UpgradeRequest[] = [];
  readonly opened: Seen[] = [];
  readonly #react: React;

  constructor(react: React = {}) {
    this.#react = react;
  }

  /** The first connection, once it is there. */
  async first(): Promise<Seen> {
    await until(() => this.opened.length > 0, "a WebSocket to open");
    return this.opened[0] ?? new Seen();
  }

  upgrade(request: UpgradeRequest): UpgradeDecision<Seen> | Promise<UpgradeDecision<Seen>> {
    this.requests.push(request);
    return this.#react.upgrade?.(request) ?? { accept: true, data: new Seen() };
  }

  open(connection: WebSocketConnection<Seen>): void {
    connection.data.connection = connection;
    connection.data.events.push("open");
    this.opened.push(connection.data);
    this.#react.open?.(connection);
  }

  message(connection: WebSocketConnection<Seen>, message: string | Uint8Array): void {
    connection.data.messages.push(typeof message === "string" ? message : message.slice());
    this.#react.message?.(connection, message);
  }

  ping(connection: WebSocketConnection<Seen>): void {
    connection.data.pings++;
  }

  pong(connection: WebSocketConnection<Seen>): void {
    connection.data.events.push("pong");
    this.#react.pong?.(connection);
  }

  drain(connection: WebSocketConnection<Seen>): void {
    connection.data.events.push("drain");
    this.#react.drain?.(connection);
  }

  close(connection: WebSocketConnection<Seen>, code: number, reason: string): void {
    connection.data.events.push("close");
    connection.data.closes.push({ code, reason });
    this.#react.close?.(connection, code, reason);
  }
}

/** What a client has seen so far. */
export class ClientRecorder implements WebSocketClientHandlers {
  readonly events: string[] = [];
  readonly messages: (string | Uint8Array)[] = [];
  readonly closes: Close[] = [];

  open(): void {
    this.events.push("open");
  }

  message(message: string | Uint8Array): void {
    this.messages.push(typeof message === "string" ? message : message.slice());
  }

  close(code: number, reason: string): void {
    this.events.push("close");
    this.closes.push({ code, reason });
  }
}

export interface Served {
  readonly server: HttpServer;
  readonly port: number;
  /** `http://127.0.0.1:<port>`. */
  readonly origin: string;
  readonly webSockets: WebSocketRecorder;
  /** What was reported to `error`. */
  readonly errors: Error[];
  /** What `fetch` was called with. */
  readonly fetched: { request: Request; peer: HttpPeer }[];
  readonly traffic: WebSocketTraffic;
}

/** Runs `use` against a server, and closes it. */
export async function withServer(
  http: HttpServerPort,
  options: {
    fetch?: HttpListenOptions<Seen>["fetch"];
    react?: React;
    limits?: Partial<WebSocketLimits>;
    compression?: WebSocketCompression;
    bodyBytesMax?: number;
    host?: string;
  },
  use: (served: Served) => Promise<void>,
): Promise<void> {
  const webSockets = new WebSocketRecorder(options.react);
  const errors: Error[] = [];
  const fetched: Served["fetched"] = [];
  const traffic = { bytesReceived: 0 };
  const server = await http.listen<Seen>({
    host: options.host ?? "127.0.0.1",
    port: 0,
    bodyBytesMax: options.bodyBytesMax ?? 1 << 20,
    fetch(request, peer) {
      fetched.push({ request, peer });
      return options.fetch?.(request, peer) ?? new Response("plain\n");
    },
    error: (error) => errors.push(error),
    webSocket: {
      limits: { ...ROOMY_LIMITS, ...options.limits },
      compression: options.compression,
      handlers: webSockets,
      traffic,
    },
  });
  const { port } = server;
  try {
    const origin = `http://127.0.0.1:${port}`;
    await use({ server, port, origin, webSockets, errors, fetched, traffic });
  } finally {
    await server.close();
  }
}

/** Runs `use` with both sides of one WebSocket, and closes it. */
export async function withWebSocket(
  under: HttpUnderTest,
  options: Parameters<typeof withServer>[1] & {
    protocols?: string[];
    clientMessageBytesMax?: number;
  },
  use: (
    both: Served & { seen: Seen; client: WebSocketClientConnection; recorder: ClientRecorder },
  ) => Promise<void>,
): Promise<void> {
  await withServer(under.http(), options, async (served) => {
    const { client, recorder } = connectClient(under, served.port, options);
    try {
      await until(() => recorder.events.length > 0, "the client to open");
      const seen = await served.webSockets.first();
      await use({ ...served, seen, client, recorder });
    } finally {
      client.terminate();
    }
  });
}

/** Starts a client that notes what happens to it. */
export function connectClient(
  under: Pick<HttpUnderTest, "client">,
  port: number,
  options: { protocols?: string[]; clientMessageBytesMax?: number } = {},
): { client: WebSocketClientConnection; recorder: ClientRecorder } {
  const recorder = new ClientRecorder();
  const client = under.client().connect({
    url: `ws://127.0.0.1:${port}/socket?room=7`,
    protocols: options.protocols,
    connectTimeoutMs: 5_000,
    messageBytesMax: options.clientMessageBytesMax ?? 1 << 24,
    handlers: recorder,
  });
  return { client, recorder };
}

/** Waits until something is so; fails when it takes longer than any right answer does. */
export async function until(
  ready: () => boolean,
  what: string,
  waitMsMax = WAIT_MS_MAX,
): Promise<void> {
  const last = Date.now() + waitMsMax;
  while (!ready()) {
    if (Date.now() > last) throw new Error(`Waited ${waitMsMax} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Lets all that this machine has already sent arrive: a request and its answer go past it. */
export async function settle({ origin }: Served, under: HttpUnderTest): Promise<void> {
  for (let i = 0; i < 3; i++) await (await under.request(`${origin}/settle`)).arrayBuffer();
}
