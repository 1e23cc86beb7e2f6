/**
 * Load: an upstream of the gateway, led by commands: `answer`, `receive`, `received`, `push`.
 * Options: `port`, 0 for any. Prints `ready <control port> <upstream port>`.
 */
import type { ServerWebSocket } from "bun";
import { type Latencies, LatencyHistogram, paced, sharedClock } from "./gateway_clock.ts";
import { clientId } from "./gateway_clients.ts";
import { takeCommands } from "./gateway_control.ts";
import { data, messageId, messageIdLength, newTag } from "./gateway_frames.ts";
import { loadOptions } from "./load_options.ts";

/** How each message is answered: sent back, acknowledged, both, or not at all. */
export type UpstreamAnswer = "echo" | "ack" | "both" | "none";

export interface UpstreamReceived extends Latencies {
  /** Since the start. */
  readonly total: number;
}

const clock = sharedClock();
const times = new LatencyHistogram();
const links = new Set<ServerWebSocket<undefined>>();
let answer: UpstreamAnswer = "echo";
let isTimed = false;
let total = 0;

/** The text of a member whose value has no escapes; "" when there is none. */
function memberOf(text: string, mark: string): string {
  const at = text.indexOf(mark);
  return at < 0 ? "" : text.slice(at + mark.length, text.indexOf('"', at + mark.length));
}

/** Reads a message as one that was written without spaces, which a gateway has to write. */
function acknowledge(link: ServerWebSocket<undefined>, text: string): void {
  const id = memberOf(text, '"messageId":"');
  const client = memberOf(text, '"clientId":"');
  link.sendText(`{"type":2,"action":"ack","clientId":"${client}","messageId":"${id}"}`);
}

function take(link: ServerWebSocket<undefined>, message: string | Buffer): void {
  total++;
  const text = String(message);
  if (isTimed) {
    const id = memberOf(text, '"messageId":"');
    if (id.length === messageIdLength) times.add(clock() - Number(id.slice(-16)) / 1000);
  }
  if (answer === "echo" || answer === "both") link.sendText(text);
  if (answer === "ack" || answer === "both") acknowledge(link, text);
}

/** Messages to the clients with the numbers from 0 up to `clients` in turn, at an even rate. */
async function push(
  options: { clients: number; perSecond: number; seconds: number },
): Promise<{ sent: number }> {
  const [link] = links;
  if (link === undefined) throw new Error("no gateway is connected to this upstream");
  const tag = newTag();
  let sent = 0;
  await paced(clock, options, (dueMs) => {
    const id = messageId(tag, sent, dueMs);
    const client = clientId(sent % options.clients);
    sent++;
    link.sendText(JSON.stringify({ type: 0, clientId: client, messageId: id, data }));
  });
  return { sent };
}

const server = Bun.serve<undefined>({
  hostname: "127.0.0.1",
  port: loadOptions<{ port: number }>().port,
  fetch: (request, server) =>
    server.upgrade(request) ? undefined : new Response("a WebSocket is wanted", { status: 426 }),
  websocket: {
    idleTimeout: 0,
    backpressureLimit: 1 << 30,
    maxPayloadLength: 64 << 20,
    open: (link) => void links.add(link),
    close: (link) => void links.delete(link),
    message: take,
  },
});

takeCommands({
  answer: (options: { with: UpstreamAnswer }) => {
    answer = options.with;
  },
  receive: () => {
    times.clear();
    isTimed = true;
  },
  received: (): UpstreamReceived => {
    return { ...times.summary(), total };
  },
  push,
}, String(server.port));
