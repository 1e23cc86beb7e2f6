import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { bytesOf } from "../../src/sdk/stratix_client.ts";
import { joined } from "../adapters/raw_websocket.ts";
import type { Frame, ScriptedPeer } from "./scripted_server.ts";
import { codeOf, withClient } from "./sdk_client.ts";

const chunkBytes = 1_048_576;

describe("StratixClient.send() in chunks", () => {
  it("sends start, chunks and end with hash and checksum, and resolves on the acknowledgement", async () => {
    const data = pattern(2 * chunkBytes + 5);
    await withClient({ acks: true, chunks: true }, async ({ client, peer }) => {
      assert.equal(peer.url.searchParams.get("chunks"), "1");
      const sent = client.send(data, { messageId: "Aa😀", contentType: "image/png" });
      const after = client.send("behind it");
      const { start, chunks, end } = await transferFrom(peer);
      assert.deepEqual(start, {
        messageId: "Aa😀",
        totalSize: data.length,
        chunkCount: 3,
        contentType: "image/png",
        compressed: false,
      });
      // "Aa" is 2112; the third is one code point.
      const hash = (2112 * 31 + 0x1f600) >>> 0;
      assert.deepEqual(chunks.map(({ index }) => index), [0, 1, 2]);
      assert(chunks.every((chunk) => chunk.hash === hash && chunk.length === chunk.data.length));
      assert.deepEqual(chunks.map(({ length }) => length), [chunkBytes, chunkBytes, 5]);
      assert(sameBytes(joined(chunks.map((chunk) => chunk.data)), data));
      assert.deepEqual(end, { messageId: "Aa😀", checksum: sha256(data) });
      const next = await peer.nextJson();
      assert.equal(next.data, "behind it");
      peer.ack("Aa😀");
      peer.ack(next.messageId);
      await Promise.all([sent, after]);
    });
  });

  it("rejects what disconnect() finds on its way, also where nothing is acknowledged", async () => {
    await withClient({ chunks: true }, async ({ client, peer }) => {
      const sent = codeOf(client.send(pattern(2 * chunkBytes), { messageId: "m" }));
      client.disconnect();
      assert.equal(await sent, "disconnected");
      assert.equal(client.getQueueSize(), 0);
      assert.deepEqual(peer.frames, []);
    });
  });

  it("rejects bytes that cannot be read, and goes on with the next message", async () => {
    await withClient({ acks: true, chunks: true }, async ({ client, peer }) => {
      const shared = new Uint8Array(new SharedArrayBuffer(2 * chunkBytes));
      const sent = codeOf(client.send(shared));
      void client.send("next").catch(() => {});
      assert.equal(await sent, "bad_message");
      assert.equal((await peer.nextJson()).data, "next");
    });
  });

  it("begins again from the start after a reconnect in the middle", async () => {
    const data = pattern(3 * chunkBytes);
    await withClient({ acks: true, chunks: true }, async ({ client, peer, server }) => {
      const sent = client.send(data, { messageId: "m" });
      await peer.next();
      await peer.next();
      peer.terminate();
      const second = await server.peer();
      const { start, chunks } = await transferFrom(second);
      assert.equal(start.messageId, "m");
      assert(sameBytes(joined(chunks.map((chunk) => chunk.data)), data));
      second.ack("m");
      assert.equal(await sent, "m");
      assert.equal(client.getQueueSize(), 0);
    });
  });

  it("goes as one text frame up to 1 MiB, or where chunks are not announced", async () => {
    const exact = pattern(chunkBytes);
    await withClient({ chunks: true }, async ({ client, peer }) => {
      await client.send(exact);
      const message = await peer.nextJson();
      assert(sameBytes(bytesOf(message as never), exact));
    });
    await withClient({}, async ({ client, peer }) => {
      await client.send(pattern(chunkBytes + 1));
      assert.equal((await peer.nextJson()).type, 1);
    });
  });

  it("holds no more than 8 MiB and a frame in the WebSocket", async () => {
    let most = 0;
    class Watched extends WebSocket {
      override send(data: string | Uint8Array<ArrayBuffer>): void {
        super.send(data);
        most = Math.max(most, this.bufferedAmount);
      }
    }
    const config = { acks: true, chunks: true, WebSocket: Watched };
    await withClient(config, async ({ client, peer }) => {
      const data = pattern(40 * chunkBytes);
      const sent = client.send(data, { messageId: "m" });
      const { chunks } = await transferFrom(peer);
      assert.equal(chunks.length, 40);
      assert(most <= 9.1 * chunkBytes, `${most} bytes were in the WebSocket`);
      peer.ack("m");
      await sent;
    });
  });

  it("finishes a transfer that is given up in the middle, and does not repeat it", async () => {
    await withClient({ acks: true, chunks: true }, async ({ client, peer, server }) => {
      const stop = new AbortController();
      const data = pattern(20 * chunkBytes);
      const sent = client.send(data, { messageId: "m", signal: stop.signal });
      await peer.next();
      stop.abort(new Error("enough"));
      await assert.rejects(sent, { message: "enough" });
      const kept = client.send("kept", { messageId: "k" });
      for (let frame = await peer.next(); typeof frame !== "string"; frame = await peer.next());
      peer.terminate();
      const second = await server.peer();
      assert.equal((await second.nextJson()).messageId, "k");
      second.ack("k");
      await kept;
    });
  });
});

describe("StratixClient.send() in chunks that are refused", () => {
  for (const [code, expected] of [["memory_pressure", "again"], ["bad_transfer", "no more"]]) {
    it(`sends the whole ${expected} after ${code} in the middle`, async () => {
      await withClient({ acks: true, chunks: true }, async ({ client, peer }) => {
        const data = pattern(30 * chunkBytes);
        const sent = client.send(data, { messageId: "m", priority: 3 });
        await peer.next();
        peer.send({ type: 2, action: "error", code, message: "because", messageId: "m" });
        if (expected === "no more") return assert.equal(await codeOf(sent), code);
        for (let frame = await peer.next(); frame[0] !== 1; frame = await peer.next());
        while ((await peer.next())[0] !== 3);
        peer.ack("m");
        assert.equal(await sent, "m");
      });
    });
  }
});

describe("StratixClient.send() in chunks that come again", () => {
  it("is not begun anew by what the gateway says to the end of the try before", async () => {
    await withClient({ acks: true, chunks: true }, async ({ client, peer }) => {
      const sent = client.send(pattern(30 * chunkBytes), { messageId: "m" });
      await peer.next();
      const late = { type: 2, action: "error", code: "unknown_transfer", message: "late" };
      peer.send({ ...late, messageId: "m" });
      const kinds = [];
      while (kinds.at(-1) !== 3) kinds.push((await peer.next())[0]);
      assert.deepEqual(kinds, [...new Array(30).fill(2), 3]);
      peer.ack("m");
      assert.equal(await sent, "m");
    });
  });
});

describe("StratixClient receives chunks", () => {
  const bytes = pattern(1_000);
  const parts = [bytes.subarray(0, 400), bytes.subarray(400, 999), bytes.subarray(999)];
  const start = { messageId: "m", totalSize: 1_000, chunkCount: 3, contentType: "x/y" };

  it("puts them together in any order, with repetitions, before what comes behind", async () => {
    await withClient({ chunks: true }, async ({ peer, messages, errors, until }) => {
      peer.send(json(1, { ...start, clientId: "client-1", compressed: true }));
      for (const index of [2, 0, 0, 1, 2]) peer.send(chunk("m", index, parts[index]!));
      peer.send(json(3, { messageId: "m", checksum: sha256(bytes) }));
      peer.send({ type: 0, data: "behind it" });
      await until("both", () => messages.length === 2);
      assert.deepEqual(errors, []);
      const [{ message, info }, second] = messages as [typeof messages[0], typeof messages[0]];
      assert.equal(second.message.data, "behind it");
      assert(sameBytes(bytesOf(message, info), bytes));
      assert.equal(message.data, Buffer.from(bytes).toString("base64"));
      const { type, clientId, messageId, contentType, compressed } = message;
      assert.deepEqual({ type, clientId, messageId, contentType, compressed }, {
        type: 1,
        clientId: "client-1",
        messageId: "m",
        contentType: "x/y",
        compressed: true,
      });
    });
  });

  it("keeps messages in their order when several follow each other", async () => {
    await withClient({ chunks: true }, async ({ peer, messages, until }) => {
      for (const messageId of ["a", "b", "c"]) {
        peer.send(json(1, { messageId, totalSize: 1, chunkCount: 1 }));
        peer.send(chunk(messageId, 0, Uint8Array.of(7)));
        peer.send(json(3, { messageId, checksum: sha256(Uint8Array.of(7)) }));
        peer.send({ type: 0, messageId: `${messageId}2`, data: "" });
      }
      await until("all", () => messages.length === 6);
      const ids = messages.map(({ message }) => message.messageId);
      assert.deepEqual(ids, ["a", "a2", "b", "b2", "c", "c2"]);
    });
  });

  it("gives nothing more once a handler has told it to disconnect", async () => {
    await withClient(
      { chunks: true },
      async ({ client, peer, messages, disconnections, until }) => {
        client.onMessage(({ messageId }) => {
          if (messageId === "b") client.disconnect();
        });
        peer.send(json(1, { messageId: "a", totalSize: 1, chunkCount: 1 }));
        peer.send(chunk("a", 0, Uint8Array.of(7)));
        peer.send(json(3, { messageId: "a", checksum: sha256(Uint8Array.of(7)) }));
        for (const messageId of ["b", "c"]) peer.send({ type: 0, messageId, data: "" });
        await until("its end", () => disconnections.length === 1);
        assert.deepEqual(messages.map(({ message }) => message.messageId), ["a", "b"]);
      },
    );
  });

  it("gives text as text, with all members that its sender added", async () => {
    await withClient({ chunks: true }, async ({ peer, messages, until }) => {
      const text = "\ufeff" + "七 ".repeat(300);
      const data = new TextEncoder().encode(text);
      const members = { type: 0, messageId: "", clientId: "client-1", own: [1], timestamp: 5 };
      peer.send(json(1, { totalSize: data.length, chunkCount: 2, ...members }));
      peer.send(chunk("", 0, data.subarray(0, 100)));
      peer.send(chunk("", 1, data.subarray(100)));
      peer.send(json(3, { messageId: "", checksum: sha256(data) }));
      await until("it", () => messages.length === 1);
      assert.deepEqual({ ...messages[0]?.message }, { ...members, data: text });
    });
  });

  it("takes other bytes for one message", async () => {
    await withClient({}, async ({ peer, messages, until }) => {
      const frames = [Uint8Array.of(9, 1), Uint8Array.of(1, 0x7b), chunk("m", 0, bytes).slice(1)];
      for (const frame of frames) peer.send(frame);
      await until("all", () => messages.length === frames.length);
      for (const [at, { message, info }] of messages.entries()) {
        assert(sameBytes(bytesOf(message, info), frames[at]!));
        assert.equal(message.type, 1);
      }
    });
  });

  const faults: Record<string, Uint8Array[]> = {
    "a wrong checksum": [
      json(1, { messageId: "m", totalSize: 1, chunkCount: 1 }),
      chunk("m", 0, Uint8Array.of(1)),
      json(3, { messageId: "m", checksum: "0".repeat(64) }),
    ],
    "a chunk of no transfer": [chunk("m", 0, bytes)],
    "an end of no transfer": [json(3, { messageId: "m", checksum: "" })],
    "an end before its time": [json(1, start), json(3, { messageId: "m", checksum: "" })],
    "a chunk beyond the count": [json(1, start), chunk("m", 3, parts[0]!)],
    "chunks over the total": [json(1, start), chunk("m", 0, bytes), chunk("m", 1, parts[0]!)],
    "a total over the limit": [json(1, { messageId: "m", totalSize: 2 ** 22, chunkCount: 9 })],
    "too few chunks for the total": [json(1, { ...start, totalSize: 2 ** 21, chunkCount: 1 })],
    "a count that is beyond all sense": [json(1, { ...start, chunkCount: 2 ** 40 })],
    "an end of another one": [json(1, { ...start, messageId: "Aa" }), json(3, { messageId: "BB" })],
    "a start before the end of another": [
      json(1, start),
      chunk("m", 0, parts[0]!),
      json(1, { messageId: "n", totalSize: 0, chunkCount: 0 }),
    ],
  };
  for (const [name, frames] of Object.entries(faults)) {
    it(`reports ${name} as bad_transfer, and goes on`, async () => {
      const limits = { chunks: true, receiveBytesMax: 2 ** 21 };
      await withClient(limits, async ({ client, peer, messages, errors, until }) => {
        for (const frame of frames) peer.send(frame);
        peer.send({ type: 0, data: "next" });
        await until("the next message", () => messages.length === 1);
        assert.equal(messages[0]?.message.data, "next");
        assert.equal(await codeOf(Promise.reject(errors[0])), "bad_transfer");
        assert.equal(errors.length, 1);
        assert.equal(client.getConnectionState(), true);
      });
    });
  }
});

/** All frames of the next transfer. */
async function transferFrom(peer: ScriptedPeer) {
  const start = readJson(await peer.next(), 1);
  const chunks = [];
  for (let i = 0; i < Number(start.chunkCount); i++) chunks.push(readChunk(await peer.next()));
  return { start, chunks, end: readJson(await peer.next(), 3) };
}

function readJson(frame: Frame, kind: number): Record<string, unknown> {
  assert(typeof frame !== "string" && frame[0] === kind, `a frame of kind ${kind}`);
  return JSON.parse(new TextDecoder().decode(frame.subarray(1))) as Record<string, unknown>;
}

function readChunk(frame: Frame) {
  assert(typeof frame !== "string" && frame[0] === 2, "a chunk");
  const view = new DataView(frame.buffer, frame.byteOffset);
  return {
    index: view.getUint32(1),
    hash: view.getUint32(5),
    length: view.getUint32(9),
    data: frame.subarray(13),
  };
}

function json(kind: number, value: unknown): Uint8Array {
  return joined([Uint8Array.of(kind), new TextEncoder().encode(JSON.stringify(value))]);
}

/** Of an id of ASCII characters. */
function chunk(messageId: string, index: number, data: Uint8Array): Uint8Array {
  const head = Buffer.alloc(13, 2);
  head.writeUInt32BE(index, 1);
  head.writeUInt32BE([...messageId].reduce((h, c) => (h * 31 + c.charCodeAt(0)) >>> 0, 0), 5);
  head.writeUInt32BE(data.length, 9);
  return joined([head, data]);
}

function pattern(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = i * 7 + (i >> 12);
  return bytes;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
