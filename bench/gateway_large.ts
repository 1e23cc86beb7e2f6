/**
 * Large messages through the gateway: the most memory that it takes at one time for one of them, its
 * CPU time, how long others wait meanwhile; and what abandoned ones leave behind.
 */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import type { ServerWebSocket } from "bun";
import { allTo, journal, startGateway } from "./gateway_processes.ts";
import { cpuSeconds, type Figure, numberFlag, report, residentBytes } from "./measure.ts";

const messageBytes = numberFlag("bytes", 50 * 1_048_576);
const abandoned = numberFlag("abandoned", 200);

const chunkBytes = 1_048_576;
const perConnection = 8;
/** Waits out collections of garbage. */
const settleMs = 4_000;
const waitMsMax = 60_000;

const data = new Uint8Array(messageBytes);
for (let at = 0; at < data.length; at += 65_536) {
  crypto.getRandomValues(data.subarray(at, at + 65_536));
}
const checksum = createHash("sha256").update(data).digest("hex");

let link: ServerWebSocket<undefined> | undefined;
let arrived: (bytes: number) => void = () => {};
const upstream = Bun.serve<undefined>({
  port: 0,
  fetch: (request, server) =>
    server.upgrade(request) ? undefined : new Response("", { status: 400 }),
  websocket: {
    maxPayloadLength: 1 << 30,
    backpressureLimit: 0,
    open: (socket) => void (link = socket),
    message: (_socket, message) => arrived(message.length),
  },
});
const gateway = await startGateway({
  routes: allTo(`ws://127.0.0.1:${upstream.port}/`),
  ...journal,
});
const large = await connect("large", "ack=1&chunks=1");
const old = await connect("old", "");

const figures: Figure[] = [];
await measured("up: chunks from a client, one JSON text to the upstream", async () => {
  const isThere = new Promise<void>((resolve) => {
    arrived = (bytes) => bytes > messageBytes && resolve();
  });
  await sendChunks(large, "up");
  await limited("the upstream to have it", isThere);
});
// As large as a text as the others are as data.
const base64 = data.subarray(0, Math.floor(messageBytes / 4) * 3 - 300).toBase64();
await measured("up: one JSON text, as it is", async () => {
  const isThere = new Promise<void>((resolve) => {
    arrived = (bytes) => bytes > base64.length && resolve();
  });
  old.send(`{"type":1,"data":"${base64}"}`);
  await limited("the upstream to have it", isThere);
});
const json = (clientId: string) => `{"clientId":"${clientId}","type":1,"data":"${base64}"}`;
await measured("down: one JSON text from the upstream, chunks to the client", async () => {
  const isThere = until(large, (message) => typeof message !== "string" && message[0] === 3);
  link?.send(json("large"));
  await limited("the client to have it", isThere);
});
await measured("down: chunks from the upstream, chunks to the client", async () => {
  const isThere = until(large, (message) => typeof message !== "string" && message[0] === 3);
  for (const frame of framesOf("down", { clientId: "large" })) link?.send(frame);
  await limited("the client to have it", isThere);
});
await measured("down: one JSON text, as it is", async () => {
  const isThere = until(old, (message) => message.length > base64.length);
  link?.send(json("old"));
  await limited("the client to have it", isThere);
});
figures.push({
  name: `memory left by ${abandoned} abandoned ones`,
  value: await leftByAbandoned() / 1_048_576,
  unit: "MiB",
  goal: { max: 24 },
});
report(`Large messages of ${(messageBytes / 1_048_576).toFixed(0)} MiB`, figures);
await gateway.stop();
process.exit(0);

async function measured(name: string, run: () => Promise<void>): Promise<void> {
  await Bun.sleep(settleMs);
  writeFileSync(`/proc/${gateway.pid}/clear_refs`, "5");
  const before = residentBytes(gateway.pid);
  const cpuBefore = cpuSeconds(gateway.pid);
  await run();
  const times = (peakBytes(gateway.pid) - before) / messageBytes;
  const cpuMs = (cpuSeconds(gateway.pid) - cpuBefore) * 1_000;
  figures.push({ name: `${name}: memory`, value: times, unit: "times its size", goal: { max: 3 } });
  figures.push({ name: "… CPU", value: cpuMs, unit: "ms" });
}

async function leftByAbandoned(): Promise<number> {
  await Bun.sleep(settleMs);
  const before = residentBytes(gateway.pid);
  for (let number = 0; number < abandoned; number += perConnection) {
    const client = await connect(`abandons${number}`, "v=2");
    for (let i = 0; i < perConnection; i++) {
      const frames = framesOf(`${number}.${i}`, {}, 4 * chunkBytes);
      for (const frame of frames.slice(0, 3)) client.send(frame);
    }
    client.send('{"type":2,"data":"ping"}');
    await limited(
      "a pong",
      until(client, (text) => typeof text === "string" && text.includes("pong")),
    );
    client.close();
  }
  await Bun.sleep(settleMs);
  return residentBytes(gateway.pid) - before;
}

function connect(clientId: string, query: string): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/ws?clientId=${clientId}&${query}`);
  socket.binaryType = "arraybuffer";
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve(socket);
    socket.onerror = () => reject(new Error("the gateway refused a client"));
  });
}

async function sendChunks(socket: WebSocket, messageId: string): Promise<void> {
  const isAcked = until(socket, (text) => typeof text === "string" && text.includes('"ack"'));
  for (const frame of framesOf(messageId, {})) socket.send(frame);
  await limited("the acknowledgement", isAcked);
}

function until(
  socket: WebSocket,
  isIt: (message: string | Uint8Array) => boolean,
): Promise<void> {
  return new Promise((resolve) => {
    socket.onmessage = ({ data }) => {
      if (isIt(typeof data === "string" ? data : new Uint8Array(data))) resolve();
    };
  });
}

function limited(what: string, promise: Promise<void>): Promise<void> {
  return Promise.race([
    promise,
    Bun.sleep(waitMsMax).then(() => {
      throw new Error(`waited ${waitMsMax / 1_000} s for ${what}`);
    }),
  ]);
}

function framesOf(messageId: string, more: object, bytes = data.length): Uint8Array<ArrayBuffer>[] {
  const chunkCount = Math.ceil(bytes / chunkBytes);
  const frames = [json8(1, { messageId, totalSize: bytes, chunkCount, ...more })];
  let hash = 0;
  for (const char of messageId) hash = (Math.imul(hash, 31) + char.charCodeAt(0)) >>> 0;
  for (let index = 0; index < chunkCount; index++) {
    const part = data.subarray(index * chunkBytes, Math.min(bytes, (index + 1) * chunkBytes));
    const frame = new Uint8Array(13 + part.length);
    const view = new DataView(frame.buffer);
    frame[0] = 2;
    view.setUint32(1, index);
    view.setUint32(5, hash);
    view.setUint32(9, part.length);
    frame.set(part, 13);
    frames.push(frame);
  }
  frames.push(json8(3, { messageId, checksum }));
  return frames;
}

function json8(first: number, value: object): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify(value));
  const frame = new Uint8Array(1 + text.length);
  frame[0] = first;
  frame.set(text, 1);
  return frame;
}

/** The most resident memory since it was last reset. */
function peakBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
