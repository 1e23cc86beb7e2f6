import type { Socket } from "bun";
import { clientFrame } from "./gateway_frames.ts";

/** One WebSocket connection of the load; the counts are of messages since it opened. */
export interface LoadClient {
  readonly index: number;
  socket: Socket<LoadClient> | undefined;
  /** Replies of the upstream, and acknowledgements of the gateway. */
  echoes: number;
  acks: number;
  /** Messages of a saturated run whose answers have all come. */
  done: number;
  /** What a read ended in the middle of. */
  rest: Uint8Array | undefined;
  /** What the kernel did not take. */
  unsent: Uint8Array | undefined;
  opened: (() => void) | undefined;
}

/** What a load does with what comes. All calls are synchronous. */
export interface ClientEvents {
  /** A reply: its text is from `from` up to `to`. */
  echo(client: LoadClient, bytes: Uint8Array, from: number, to: number): void;
  ack(client: LoadClient, bytes: Uint8Array, from: number, to: number): void;
  /** Everything of one read was reported. */
  readDone(client: LoadClient): void;
}

/** At the same time under way; a listener's backlog is 512 in Bun. */
const handshakesAtOnce = 200;

/** Replies carry 100 bytes of data and acknowledgements do not: shorter ones are of the gateway. */
const shortestEcho = 126;

const upgradeEnd = new TextEncoder().encode("\r\n\r\n");
const decoder = new TextDecoder();

/** The client id of a number: all have one length. */
export function clientId(index: number): string {
  return `bench-${String(index).padStart(6, "0")}`;
}

/**
 * Opens `count` clients with the ids from `first` on. A connection that ends while it is wanted ends
 * this process with an error: a benchmark with lost clients measures something else.
 */
export async function openClients(
  at: { port: number; first: number; count: number; query: string },
  events: ClientEvents,
): Promise<LoadClient[]> {
  const clients = Array.from({ length: at.count }, (_, offset): LoadClient => ({
    index: at.first + offset,
    socket: undefined,
    echoes: 0,
    acks: 0,
    done: 0,
    rest: undefined,
    unsent: undefined,
    opened: undefined,
  }));
  const left = clients.values();
  const openSome = async () => {
    for (const client of left) await openClient(client, at, events);
  };
  await Promise.all(Array.from({ length: handshakesAtOnce }, openSome));
  return clients;
}

/** Writes, or keeps for later what the kernel does not take. */
export function writeTo(client: LoadClient, bytes: Uint8Array): void {
  if (client.unsent !== undefined) {
    client.unsent = Buffer.concat([client.unsent, bytes]);
    return;
  }
  const written = client.socket?.write(bytes) ?? 0;
  if (written < bytes.length) client.unsent = bytes.slice(Math.max(0, written));
}

export function closeClients(clients: readonly LoadClient[]): void {
  for (const client of clients) {
    const { socket } = client;
    client.socket = undefined;
    socket?.end();
  }
}

async function openClient(
  client: LoadClient,
  at: { port: number; query: string },
  events: ClientEvents,
): Promise<void> {
  const upgraded = new Promise<void>((resolve) => client.opened = resolve);
  client.socket = await Bun.connect<LoadClient>({
    hostname: "127.0.0.1",
    port: at.port,
    data: client,
    socket: {
      data: (socket, bytes) => read(socket.data, bytes, events),
      drain: (socket) => {
        const { data: drained } = socket;
        const { unsent } = drained;
        drained.unsent = undefined;
        if (unsent !== undefined) writeTo(drained, unsent);
      },
      close: (socket) => {
        if (socket.data.socket !== undefined) fail("the server closed the connection", socket.data);
      },
    },
  });
  client.socket.setNoDelay(true);
  client.socket.write(
    `GET /ws?clientId=${clientId(client.index)}${at.query} HTTP/1.1\r\n` +
      `Host: 127.0.0.1:${at.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  );
  await upgraded;
}

function read(client: LoadClient, chunk: Uint8Array, events: ClientEvents): void {
  let bytes = chunk;
  if (client.rest !== undefined) {
    bytes = Buffer.concat([client.rest, chunk]);
    client.rest = undefined;
  }
  let at = 0;
  if (client.opened !== undefined) {
    at = upgrade(client, bytes);
    if (at === 0) return;
  }
  const end = bytes.length;
  while (at + 2 <= end) {
    const header = headerLength(bytes, at);
    if (at + header > end) break;
    const from = at + header;
    const to = from + payloadLength(bytes, at);
    if (to > end) break;
    frame(client, bytes, { opcode: (bytes[at] ?? 0) & 15, from, to }, events);
    at = to;
  }
  if (at < end) client.rest = bytes.slice(at);
  events.readDone(client);
}

function frame(
  client: LoadClient,
  bytes: Uint8Array,
  { opcode, from, to }: { opcode: number; from: number; to: number },
  events: ClientEvents,
): void {
  if (opcode === 1 || opcode === 2) {
    if (to - from >= shortestEcho) {
      client.echoes++;
      events.echo(client, bytes, from, to);
    } else if (isAck(client, bytes, { from, to })) {
      client.acks++;
      events.ack(client, bytes, from, to);
    }
  } else if (opcode === 9) {
    writeTo(client, clientFrame(decoder.decode(bytes.subarray(from, to)), 10));
  } else if (opcode === 8) {
    fail("the server closed the WebSocket", client);
  }
}

/** `{"type":2,"action":"ack"…` has the first letter of its action here. */
const actionAt = 20;

function isAck(
  client: LoadClient,
  bytes: Uint8Array,
  { from, to }: { from: number; to: number },
): boolean {
  if (bytes[from + actionAt] === 0x61 && bytes[from + actionAt + 1] === 0x63) return true;
  const text = decoder.decode(bytes.subarray(from, to));
  const { action } = JSON.parse(text) as { action?: string };
  if (action === "ack") return true;
  if (action === "error") fail(`the gateway refused a message: ${text}`, client);
  return false;
}

/** Where the first frame begins; 0 when the answer is not all there yet. */
function upgrade(client: LoadClient, bytes: Uint8Array): number {
  const end = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(upgradeEnd);
  if (end < 0) {
    client.rest = bytes.slice();
    return 0;
  }
  const head = decoder.decode(bytes.subarray(0, end));
  if (!head.startsWith("HTTP/1.1 101")) {
    fail(`the server refused: ${decoder.decode(bytes).replaceAll("\r\n", " ")}`, client);
  }
  client.opened?.();
  client.opened = undefined;
  return end + upgradeEnd.length;
}

function headerLength(bytes: Uint8Array, at: number): number {
  const short = (bytes[at + 1] ?? 0) & 127;
  return short < 126 ? 2 : short === 126 ? 4 : 10;
}

function payloadLength(bytes: Uint8Array, at: number): number {
  const short = (bytes[at + 1] ?? 0) & 127;
  if (short < 126) return short;
  if (short === 126) return (bytes[at + 2] ?? 0) << 8 | (bytes[at + 3] ?? 0);
  const view = new DataView(bytes.buffer, bytes.byteOffset + at + 2, 8);
  return Number(view.getBigUint64(0));
}

function fail(what: string, client: LoadClient): never {
  console.error(`${clientId(client.index)}: ${what}`);
  process.exit(1);
}
