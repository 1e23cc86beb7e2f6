// `gateway_forwarder.ts` on the npm package `ws`, for Node. Argument: the upstream's URL. Prints
// `ready <port>`. JavaScript, so that any Node runs it.
import { createServer } from "node:http";
import process from "node:process";
import { WebSocket, WebSocketServer } from "ws";

const clients = new Map();
const upstream = new WebSocket(process.argv[2], { perMessageDeflate: false });
upstream.on("message", (bytes) => {
  const text = bytes.toString();
  clients.get(JSON.parse(text).clientId)?.send(text);
});

const http = createServer();
const server = new WebSocketServer({ server: http, perMessageDeflate: false });
server.on("connection", (client, request) => {
  const id = new URL(request.url, "http://localhost").searchParams.get("clientId");
  clients.set(id, client);
  client.on("close", () => clients.delete(id));
  client.on("message", (bytes) => {
    const message = JSON.parse(bytes.toString());
    message.clientId = id;
    upstream.send(JSON.stringify(message));
  });
});
upstream.on("open", () => {
  http.listen({ port: 0, host: "127.0.0.1", backlog: 512 }, () => {
    console.log(`ready ${http.address().port}`);
  });
});
