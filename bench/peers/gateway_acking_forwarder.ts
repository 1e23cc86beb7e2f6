/**
 * `gateway_forwarder.ts` that also appends each message to one file, and acknowledges it when it is
 * on disk: one write and one fdatasync a batch, started at most once in 2 ms. Arguments: the
 * upstream's URL, the file. Prints `ready <port>`.
 */
import type { ServerWebSocket } from "bun";
import { open } from "node:fs/promises";

interface Session {
  readonly id: string;
}

const batchMsMin = 2;
const clients = new Map<string, ServerWebSocket<Session>>();
const upstream = new WebSocket(process.argv[2] ?? "");
upstream.onmessage = ({ data }) => {
  const message = JSON.parse(data as string) as { clientId: string };
  clients.get(message.clientId)?.send(data as string);
};
await new Promise((resolve) => upstream.onopen = resolve);

const file = await open(process.argv[3] ?? "", "a", 0o600);
let lines: string[] = [];
let waiting: { client: ServerWebSocket<Session>; messageId: unknown }[] = [];
let isWriting = false;

async function commit(): Promise<void> {
  isWriting = true;
  while (lines.length > 0) {
    const start = performance.now();
    const batch = lines.join("\n") + "\n";
    const toAck = waiting;
    lines = [];
    waiting = [];
    await file.write(batch);
    await file.datasync();
    for (const { client, messageId } of toAck) {
      client.send(`{"type":2,"action":"ack","messageId":${JSON.stringify(messageId)}}`);
    }
    await Bun.sleep(Math.max(0, batchMsMin - (performance.now() - start)));
  }
  isWriting = false;
}

const server = Bun.serve<Session>({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    const id = new URL(request.url).searchParams.get("clientId");
    if (id !== null && server.upgrade(request, { data: { id } })) return;
    return new Response("clientId required", { status: 400 });
  },
  websocket: {
    open: (client) => void clients.set(client.data.id, client),
    close: (client) => void clients.delete(client.data.id),
    message(client, text) {
      const message = JSON.parse(text as string) as Record<string, unknown>;
      message.clientId = client.data.id;
      const line = JSON.stringify(message);
      upstream.send(line);
      lines.push(line);
      waiting.push({ client, messageId: message.messageId });
      if (!isWriting) void commit();
    },
  },
});
console.log(`ready ${server.port}`);
