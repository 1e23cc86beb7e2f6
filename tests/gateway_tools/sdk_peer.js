/**
 * Runs the SDK as it is published in Node, Deno or Bun: `sdk_peer.js '{"gatewayUrl":…,"count":…}'`. It
 * sends so many messages, prints a line for each acknowledgement and at the end one of JSON, and must
 * then end by itself: nothing may be left that keeps a process alive.
 */
import process from "node:process";
import { bytesOf, StratixClient } from "../../src/sdk/stratix-client.js";

const { gatewayUrl, count } = JSON.parse(process.argv[2]);
// Node has one from version 22 on.
const isOwn = globalThis.WebSocket === undefined;
const { WebSocket } = isOwn ? await import("ws") : globalThis;
const client = new StratixClient({
  clientId: "peer/ü 1",
  gatewayUrl,
  acks: true,
  chunks: true,
  reconnectInterval: 50,
  maxReconnectInterval: 200,
  heartbeatInterval: 1_100,
  WebSocket,
});
let connects = 0;
client.onConnect(() => connects++);
const binary = Uint8Array.of(0, 1, 254, 255);
const isReply = (message) => message.type === 1 && String(bytesOf(message)) === String(binary);
// Down-stream is at most once: what was on its way at a restart need not come.
const replied = new Promise((resolve) => {
  client.onMessage((message) => isReply(message) && resolve());
});
await client.connect();
let acknowledged = 0;
const all = Array.from(
  { length: count },
  (_, number) =>
    client.send(`number ${number}`, { messageId: `m${number}` }).then(() =>
      console.log(`acknowledged ${++acknowledged}`)
    ),
);
await Promise.all(all);
await client.send(binary.buffer, { messageId: "binary" });
await replied;
const queue = client.getQueueSize();
client.disconnect();
console.log(JSON.stringify({ connects, acknowledged, queue, isOwn }));
