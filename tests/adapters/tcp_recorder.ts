import type {
  TcpCloseReason,
  TcpConnection,
  TcpHandlers,
  TcpLimits,
  TcpListener,
  TcpPort,
} from "../../src/ports/tcp.ts";

/** What a suite for TCP needs of the adapter that it tests. */
export interface TcpUnderTest {
  readonly name: string;
  port(hook?: { handlerFailed(error: unknown): void }): TcpPort;
  /** An address where an attempt to connect is neither answered nor refused. */
  silentAddress(): Promise<{ host: string; port: number; close(): void }>;
  /** How many sockets are open; rises and falls by one with each side of a connection. */
  openResources(): number;
}

/** Limits of a connection that is in nobody's way. */
export const ROOMY_LIMITS: TcpLimits = { outboundBytesMax: 4 << 20, lingerMs: 10_000 };

const FILL_PIECE_BYTES = 65_536;

/** What one side of a connection has seen so far. */
export interface Seen {
  readonly connection: TcpConnection<Seen>;
  /** The names of all events but `data`, in order. */
  readonly events: string[];
  readonly chunks: Uint8Array[];
  bytes: number;
  closes: TcpCloseReason[];
}

/** Handlers that note all that happens and then do what `react` says. */
export class TcpRecorder implements TcpHandlers<Seen> {
  readonly opened: Seen[] = [];
  readonly #react: Partial<TcpHandlers<Seen>>;

  constructor(react: Partial<TcpHandlers<Seen>> = {}) {
    this.#react = react;
  }

  /** The first connection. */
  get first(): Seen {
    const first = this.opened[0];
    if (first === undefined) throw new Error("No connection was opened");
    return first;
  }

  open(connection: TcpConnection<Seen>): void {
    const seen: Seen = { connection, events: ["open"], chunks: [], bytes: 0, closes: [] };
    connection.data = seen;
    this.opened.push(seen);
    this.#react.open?.(connection);
  }

  data(connection: TcpConnection<Seen>, bytes: Uint8Array): void {
    connection.data.chunks.push(bytes.slice());
    connection.data.bytes += bytes.length;
    this.#react.data?.(connection, bytes);
  }

  end(connection: TcpConnection<Seen>): void {
    connection.data.events.push("end");
    this.#react.end?.(connection);
  }

  drain(connection: TcpConnection<Seen>): void {
    connection.data.events.push("drain");
    this.#react.drain?.(connection);
  }

  close(connection: TcpConnection<Seen>, reason: TcpCloseReason): void {
    connection.data.events.push("close");
    connection.data.closes.push(reason);
    this.#react.close?.(connection, reason);
  }
}

export interface Pair {
  readonly tcp: TcpPort;
  readonly listener: TcpListener;
  /** The accepted side. */
  readonly server: Seen;
  /** The side that connected. */
  readonly client: Seen;
  /** Returns when all that was on its way on this machine has arrived where somebody reads. */
  settle(): Promise<void>;
}

/** Runs `use` with two connected sides, and closes what it left open. */
export async function withPair(
  tcp: TcpPort,
  options: {
    server?: Partial<TcpHandlers<Seen>>;
    client?: Partial<TcpHandlers<Seen>>;
    serverLimits?: Partial<TcpLimits>;
    clientLimits?: Partial<TcpLimits>;
    host?: string;
  },
  use: (pair: Pair) => Promise<void>,
): Promise<void> {
  const host = options.host ?? "127.0.0.1";
  const accepted = new TcpRecorder(options.server);
  const listener = await tcp.listen({
    host,
    port: 0,
    limits: { ...ROOMY_LIMITS, ...options.serverLimits },
    handlers: accepted,
  });
  const connected = new TcpRecorder(options.client);
  try {
    await tcp.connect({
      host,
      port: listener.port,
      timeoutMs: 5_000,
      limits: { ...ROOMY_LIMITS, ...options.clientLimits },
      handlers: connected,
    });
    await until(() => accepted.opened.length > 0, "the connection is accepted");
    const settle = () => roundTrips(tcp, 3);
    await use({ tcp, listener, server: accepted.first, client: connected.first, settle });
  } finally {
    for (const seen of [...connected.opened, ...accepted.opened]) seen.connection.destroy();
    await listener.close();
  }
}

/** Whatever one loop of events still had to report is out once other connections were served. */
async function roundTrips(tcp: TcpPort, count: number): Promise<void> {
  for (let trip = 0; trip < count; trip++) {
    const echo = new TcpRecorder({ data: (connection, bytes) => void connection.write(bytes) });
    const options = { host: "127.0.0.1", limits: ROOMY_LIMITS };
    const listener = await tcp.listen({ ...options, port: 0, handlers: echo });
    const asking = new TcpRecorder();
    const connection = await tcp.connect({
      ...options,
      port: listener.port,
      timeoutMs: 5_000,
      handlers: asking,
    });
    connection.write(new Uint8Array([trip]));
    await until(() => asking.first.bytes === 1, "an echo comes back");
    connection.destroy();
    echo.first.connection.destroy();
    await listener.close();
  }
}

/** Waits until `condition` holds; fails after ten seconds with what was waited for. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Waited for 10 s until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** `length` bytes whose order shows: byte n is a function of `offset` + n. */
export function pattern(length: number, offset = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++) {
    const position = offset + index;
    bytes[index] = (position ^ (position >> 8) ^ (position >> 16)) & 0xff;
  }
  return bytes;
}

/** Where `chunks`, taken as one stream, first differ from `pattern`; −1 when nowhere. */
export function firstFault(chunks: readonly Uint8Array[]): number {
  let offset = 0;
  for (const chunk of chunks) {
    const expected = pattern(chunk.length, offset);
    for (let index = 0; index < chunk.length; index++) {
      if (chunk[index] !== expected[index]) return offset + index;
    }
    offset += chunk.length;
  }
  return -1;
}

/** Writes the pattern until `write` answers false; answers how many bytes were given. */
export function writeUntilFull(connection: TcpConnection<Seen>, offset = 0): number {
  let written = 0;
  for (let full = false; !full; written += FILL_PIECE_BYTES) {
    full = !connection.write(pattern(FILL_PIECE_BYTES, offset + written));
  }
  return written;
}

/**
 * Writes the pattern until the kernel takes no more although it was given the time to; answers how
 * many bytes were given. The other side must be paused.
 */
export async function fill(
  connection: TcpConnection<Seen>,
  settle: Pair["settle"],
): Promise<number> {
  let written = 0;
  do {
    written += writeUntilFull(connection, written);
    await settle();
  } while (connection.bufferedBytes === 0);
  return written;
}
