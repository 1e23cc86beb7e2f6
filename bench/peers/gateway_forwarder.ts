/**
 * The least a gateway on Bun can do: names the client in each message, passes it on over one
 * WebSocket, and passes answers back. Argument: the upstream's URL. Prints `ready <port>`.
 */
import type { ServerWebSocket } from "bun";

interface Session {
  readonly id: string;
}

const clients = new Map<string, ServerWebSocket<Session>>();
const upstream = new WebSocket(process.argv[2] ?? "");
upstream.onmessage = ({ data }) => {
  const message = JSON.parse(data as string) as { clientId: string };
  clients.get(message.clientId)?.send(data as string);
};
await new Promise((resolve) => upstream.onopen = resolve);

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
      upstream.send(JSON.stringify(message));
    },
  },
});
console.log(`ready ${server.port}`);
