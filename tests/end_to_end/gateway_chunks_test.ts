import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { opcode } from "../adapters/raw_websocket.ts";
import {
  ChunkCollector,
  chunkFrame,
  chunkFrames,
  type CollectedMessage,
  hashOf,
  jsonFrame,
  someBytes,
} from "../gateway_tools/chunks.ts";
import { GatewayClient } from "../gateway_tools/gateway_client.ts";
import { type GatewayStage, withGateway } from "./gateway_stage.ts";

const mib = 1_048_576;

describe("large messages of clients", () => {
  it("reach the upstream as one message, are acknowledged, and known when they come again", () =>
    withGateway({ upstream: { answer: "ack" } }, async (stage) => {
      const { upstream } = stage;
      const client = await open(stage, "ack=1");
      const data = someBytes(5_000_001);
      const start = { contentType: "image/png", compressed: false, mine: 7, route: "x" };
      const frames = chunkFrames("big", data, { start });
      sendFrames(client, frames);
      client.sendJson({ type: 0, messageId: "after", data: "x" });
      const acks = [await client.nextJson(), await client.nextJson()];
      assert.deepEqual(acks.map(({ action, messageId }) => [action, messageId]), [
        ["ack", "big"],
        ["ack", "after"],
      ]);
      const { text } = await upstream.arrival(0);
      const { data: base64, timestamp: _, ...members } = JSON.parse(text);
      assert.deepEqual(members, {
        clientId: "c",
        route: upstream.url,
        type: 1,
        messageId: "big",
        contentType: "image/png",
        compressed: false,
        mine: 7,
      });
      assert.ok(Buffer.from(base64, "base64").equals(data));
      assert.equal((await upstream.arrival(1)).messageId, "after");

      sendFrames(client, frames);
      assert.deepEqual(await client.nextJson(), { type: 2, action: "ack", messageId: "big" });
      sendFrames(client, chunkFrames("big", data.subarray(1)));
      assert.equal((await client.nextJson()).code, "duplicate_id");
      assert.equal(upstream.arrivals.length, 2);
    }));

  it("survive a restart between acknowledgement and upstream", () =>
    withGateway({ upstream: { answer: "ack" } }, async (stage) => {
      const { gateway, upstream } = stage;
      await upstream.goAway();
      const client = await open(stage, "ack=1");
      const data = someBytes(3 * mib + 1);
      sendFrames(client, chunkFrames("big", data));
      assert.equal((await client.nextJson()).action, "ack");
      await gateway.kill();
      await gateway.start();
      await upstream.comeBack();
      const message = JSON.parse((await upstream.arrival(0)).text);
      assert.ok(Buffer.from(message.data, "base64").equals(data));
    }));

  it("go on in chunks when they are over upstreamMaxMessageSize, others between, none of the same client", async () => {
    const events: string[] = [];
    const wholes: CollectedMessage[] = [];
    const collector = new ChunkCollector();
    const onBinary = (frame: Uint8Array) => {
      events.push(`c:${frame[0]}`);
      const whole = collector.push(frame);
      if (whole !== undefined) wholes.push(whole);
    };
    const options = {
      upstream: {
        answer: "silent" as const,
        onBinary,
        onArrival: ({ clientId, messageId }: { clientId: string; messageId: string }) => {
          events.push(`${clientId}:${messageId}`);
        },
      },
      gateway: { upstreamMaxMessageSize: "1MiB" },
      buffer: { upstreamAck: "none" },
    };
    await withGateway(options, async (stage) => {
      const { upstream } = stage;
      const client = await open(stage, "ack=1");
      const other = await GatewayClient.open({ port: stage.gateway.port, clientId: "other" });
      const data = someBytes(6 * mib + 17);
      await (await upstream.connection()).stopReading();
      const frames = chunkFrames("big", data, { start: { contentType: "a/b" } });
      client.sendJson({ type: 0, messageId: "before", data: "" });
      sendFrames(client, frames);
      client.sendJson({ type: 0, messageId: "after", data: "" });
      for (let i = 0; i < 3; i++) await client.nextJson();
      for (let i = 0; i < 5; i++) {
        other.sendJson({ type: 0, messageId: `o${i}`, data: "x".repeat(40_000) });
      }
      await stage.gateway.figureBecomes("messagesReceived", (count) => count >= 15);
      (await upstream.connection()).startReading();
      await upstream.until("all", () => events.includes("c:after") && events.includes("other:o4"));
      const [whole] = wholes;
      assert.ok(whole !== undefined);
      assert.ok(Buffer.from(whole.data).equals(data));
      assert.deepEqual(
        [whole.start.clientId, whole.start.type, whole.start.contentType, whole.start.route],
        ["c", 1, "a/b", upstream.url],
      );
      assert.match(whole.startText, /"timestamp":\d{19},/);
      assert.equal(whole.end.clientId, "c");
      const own = events.filter((event) => event.startsWith("c:"));
      assert.equal(own[0], "c:before");
      assert.equal(own.at(-1), "c:after");
      const others = events.filter((event) => event.startsWith("other:"));
      assert.deepEqual(others, ["other:o0", "other:o1", "other:o2", "other:o3", "other:o4"]);
      assert.ok(events.indexOf("other:o0") < events.indexOf("c:3"), "others went between");
      // Pongs confirm it like any other.
      await stage.gateway.figureBecomes("bufferDepth", (depth) => depth === 0);
    });
  });

  it("that break a rule are answered with an error, and nothing of them goes on", () =>
    withGateway({ upstream: { answer: "ack" } }, async (stage) => {
      const { upstream } = stage;
      const client = await open(stage, "v=2");
      await client.nextJson();
      const code = async () => {
        const { action, code } = await client.nextJson();
        return [action, code];
      };
      const { start, chunks, end } = chunkFrames("m", someBytes(2 * mib));
      for (const totalSize of [-1, 1.5, 1e300, "7", null, 52_428_801]) {
        client.sendBinary(jsonFrame(1, { messageId: "m", totalSize, chunkCount: 1 }));
        assert.deepEqual(await code(), ["error", "bad_transfer"], `totalSize ${totalSize}`);
      }
      client.sendBinary(chunks[0]!);
      assert.deepEqual(await code(), ["error", "unknown_transfer"]);
      client.sendBinary(end);
      assert.deepEqual(await code(), ["error", "unknown_transfer"]);
      client.sendBinary(start);
      client.sendBinary(chunks[0]!);
      client.sendBinary(end);
      assert.deepEqual(await code(), ["error", "bad_transfer"]);
      client.sendBinary(start);
      client.sendBinary(chunkFrame(2, hashOf("m"), Uint8Array.of(1)));
      assert.deepEqual(await code(), ["error", "bad_transfer"]);
      for (let i = 0; i < 8; i++) {
        client.sendBinary(jsonFrame(1, { messageId: `t${i}`, totalSize: 1, chunkCount: 1 }));
      }
      client.sendBinary(jsonFrame(1, { messageId: "t8", totalSize: 1, chunkCount: 1 }));
      assert.deepEqual(await code(), ["error", "bad_transfer"]);
      // Built otherwise, they are messages of their own.
      client.sendBinary(Uint8Array.of(1, 2, 3));
      client.sendBinary(Uint8Array.of(2, 0, 0));
      client.sendBinary(Uint8Array.of(3));
      const own = await Promise.all([0, 1, 2].map((index) => upstream.arrival(index)));
      assert.deepEqual(own.map(({ text }) => JSON.parse(text).data), ["AQID", "AgAA", "Aw=="]);
      assert.equal(upstream.arrivals.length, 3);
    }));

  it("200 of them, abandoned, keep no small message out and take little memory, all of it for a time", () => {
    const root = { memory: { maxMemoryMB: 256 } };
    return withGateway({ upstream: { answer: "ack" }, root }, async (stage) => {
      const { gateway } = stage;
      const before = await gateway.figure("memoryUsedMB");
      const residentBefore = gateway.residentMiB();
      const size = 7 * mib;
      const clients: GatewayClient[] = [];
      for (let n = 0; n < 25; n++) {
        const client = await gateway.client(`c${n}`, "v=2");
        await client.nextJson();
        for (let t = 0; t < 8; t++) {
          client.sendBinary(
            jsonFrame(1, { messageId: `t${t}`, totalSize: size, chunkCount: 100 }),
          );
        }
        clients.push(client);
      }
      // 29 are below the watermark, and no more.
      const announced = (count: number) => (mb: number) =>
        Math.abs(mb - before - count * size / mib) < 1;
      await gateway.figureBecomes("memoryUsedMB", announced(29));
      const small = await gateway.client("small", "ack=1");
      small.sendJson({ type: 0, messageId: "m", data: "x".repeat(60_000) });
      assert.equal((await small.nextJson()).action, "ack");
      assert.ok(gateway.residentMiB() - residentBefore < 100, `${gateway.residentMiB()} MiB`);
      // By a close, and without a word.
      for (const [n, client] of clients.entries()) {
        if (n % 2 === 0) await client.close();
        else client.destroy();
      }
      await gateway.figureBecomes("memoryUsedMB", announced(0));
    });
  });
});

describe("large messages to clients", () => {
  it("come in chunks where these were announced, in order, and as one frame elsewhere", () =>
    withGateway({ upstream: { answer: "silent" } }, async (stage) => {
      const { upstream } = stage;
      const client = await open(stage, "chunks=1");
      const old = await GatewayClient.open({ port: stage.gateway.port, clientId: "old" });
      const data = someBytes(3 * mib + 2);
      const message = {
        clientId: "c",
        type: 1,
        messageId: "r",
        contentType: "a/b",
        data: Buffer.from(data).toString("base64"),
        more: [1],
      };
      await upstream.send({ clientId: "c", type: 0, data: "first" });
      await upstream.send(message);
      await upstream.send({ clientId: "c", type: 0, data: "last" });
      await upstream.send({ ...message, clientId: "old" });
      assert.equal((await client.nextJson()).data, "first");
      const whole = await nextWhole(client);
      const { totalSize: _size, chunkCount: _count, ...members } = whole.start;
      const { data: _data, ...expected } = message;
      assert.deepEqual(members, expected);
      assert.ok(Buffer.from(whole.data).equals(data));
      assert.equal((await client.nextJson()).data, "last");
      assert.deepEqual(await old.nextJson(), { ...message, clientId: "old" });

      const text = `€"\u{1f600}\n`.repeat(200_000);
      await upstream.send({ clientId: "c", data: text, messageId: "t" });
      const second = await nextWhole(client);
      assert.equal(new TextDecoder().decode(second.data), text);
      assert.equal(second.start.type, 0);
    }));

  it("may come from the upstream in chunks", () =>
    withGateway({ upstream: { answer: "silent" } }, async (stage) => {
      const { gateway, upstream } = stage;
      const client = await open(stage, "chunks=1");
      const old = await GatewayClient.open({ port: gateway.port, clientId: "old" });
      const raw = await GatewayClient.open({ port: gateway.port, clientId: "raw", query: "raw=1" });
      const data = someBytes(2 * mib + 1);
      const link = await upstream.connection();
      for (const clientId of ["c", "old", "raw"]) {
        const frames = chunkFrames(`for ${clientId}`, data, { start: { clientId, more: 1 } });
        for (const frame of [frames.start, ...frames.chunks, frames.end]) link.sendBinary(frame);
      }
      const whole = await nextWhole(client);
      assert.ok(Buffer.from(whole.data).equals(data));
      assert.deepEqual([whole.start.messageId, whole.start.more], ["for c", 1]);
      const message = await old.nextJson();
      assert.ok(Buffer.from(message.data as string, "base64").equals(data));
      assert.deepEqual([message.type, message.messageId, message.more], [1, "for old", 1]);
      const frame = await raw.nextFrame();
      assert.equal(frame.opcode, opcode.binary);
      assert.ok(Buffer.from(frame.payload).equals(data));
      assert.equal(await gateway.figure("upstreamFramesRefused"), 0);
      link.sendBinary(chunkFrames("x", data, { start: { clientId: "nobody" } }).start);
      await gateway.figureBecomes("upstreamFramesRefused", (count) => count === 1);
    }));

  it("wait for a client that is away, and for one that reads slowly", () =>
    withGateway({
      upstream: { answer: "silent" },
      gateway: { waiting: { perClientBytes: "100MiB" } },
    }, async (stage) => {
      const { upstream, gateway } = stage;
      const client = await open(stage, "chunks=1");
      const data = someBytes(20 * mib);
      const message = { clientId: "c", type: 1, data: Buffer.from(data).toString("base64") };
      client.stopReading();
      await upstream.send(message);
      for (let i = 0; i < 10; i++) await upstream.send({ clientId: "c", data: `behind ${i}` });
      await gateway.figureBecomes("memoryUsedMB", (used) => used >= 20);
      client.startReading();
      assert.ok(Buffer.from((await nextWhole(client)).data).equals(data));
      for (let i = 0; i < 10; i++) assert.equal((await client.nextJson()).data, `behind ${i}`);

      client.stopReading();
      await upstream.send({ ...message, messageId: "a" });
      await upstream.send({ clientId: "c", messageId: "b", data: "b" });
      await gateway.figureBecomes("memoryUsedMB", (used) => used >= 20);
      client.destroy();
      await gateway.figureBecomes("connectionsActive", (count) => count === 0);
      const again = await open(stage, "chunks=1");
      const whole = await nextWhole(again);
      assert.equal(whole.start.messageId, "a");
      assert.ok(Buffer.from(whole.data).equals(data));
      assert.equal((await again.nextJson()).data, "b");
      await gateway.figureBecomes("bufferDepth", (depth) => depth === 0);
    }));
});

function open({ gateway }: GatewayStage, query: string): Promise<GatewayClient> {
  return GatewayClient.open({ port: gateway.port, clientId: "c", query });
}

function sendFrames(client: GatewayClient, frames: ReturnType<typeof chunkFrames>): void {
  for (const frame of [frames.start, ...frames.chunks, frames.end]) client.sendBinary(frame);
}

/** The next message, which must come in chunks, with nothing between them. */
async function nextWhole(client: GatewayClient): Promise<CollectedMessage> {
  const collector = new ChunkCollector();
  for (;;) {
    const frame = await client.nextFrame();
    assert.equal(frame.opcode, opcode.binary);
    const whole = collector.push(frame.payload);
    if (whole !== undefined) return whole;
  }
}
