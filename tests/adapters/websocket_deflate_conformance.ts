import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { webSocketCloseByAdapter, type WebSocketConnection } from "../../src/ports/http.ts";
import { type HttpUnderTest, Seen, until, withServer } from "./http_recorder.ts";
import { joined, opcode, rawConnect, type RawConnection, upgradeText } from "./raw_websocket.ts";

const compression = { messageBytesMin: 100, messageBytesMax: 100_000 };
/** The first reserved bit: compressed (RFC 7692 §6). */
const rsv1 = 4;
/** What a flushed block ends with, which does not travel (RFC 7692 §7.2.1). */
const tail = Uint8Array.of(0x00, 0x00, 0xff, 0xff);

/** For adapters that cannot compress: they agree to none, whatever the owner wants. */
export function webSocketWithoutDeflate(under: HttpUnderTest): void {
  describe(`${under.name} without compression`, () => {
    it("agrees to none, also where the owner wants it", async () => {
      await withServer(under.http(), { compression }, async ({ port }) => {
        assert.equal((await connect(port)).extensions, "");
      });
    });
  });
}

/** permessage-deflate (RFC 7692), to the byte. */
export function webSocketDeflateConformance(under: HttpUnderTest): void {
  describe(`${under.name} with compression`, () => {
    it("is agreed to only where the peer offers it and the owner wants it", async () => {
      await withServer(under.http(), {}, async ({ port }) => {
        assert.equal((await connect(port)).extensions, "");
      });
      await withServer(under.http(), { compression }, async ({ port }) => {
        assert.equal((await connect(port, "")).extensions, "");
        const { extensions } = await connect(port);
        assert.match(extensions, /^permessage-deflate/);
        assert.match(extensions, /server_no_context_takeover/);
        assert.match(extensions, /client_no_context_takeover/);
      });
    });

    it("inflates what comes, deflates what is worth it, and leaves the rest alone", async () => {
      const react = {
        message: (c: WebSocketConnection<Seen>, m: string | Uint8Array) => void c.send(m),
      };
      await withServer(under.http(), { compression, react }, async ({ port, webSockets }) => {
        const { peer } = await connect(port);
        const long = "é and so on ".repeat(1_000);
        for (const text of ["short", long, long, "x".repeat(100_001)]) {
          peer.send(opcode.text, deflated(text), { reserved: rsv1 });
        }
        assert.deepEqual(await readDeflated(peer), { text: "short", isDeflated: false });
        const first = await readDeflated(peer);
        assert.deepEqual(first, { text: long, isDeflated: true });
        // Nothing is kept from message to message: each stands alone.
        assert.deepEqual(await readDeflated(peer), first);
        assert.equal((await readDeflated(peer)).isDeflated, false);
        peer.send(opcode.text, "plain");
        assert.deepEqual(await readDeflated(peer), { text: "plain", isDeflated: false });
        const bytes = Uint8Array.from({ length: 5_000 }, (_, i) => i & 15);
        peer.send(opcode.binary, deflated(bytes), { reserved: rsv1 });
        assert.deepEqual((await readDeflated(peer)).text, new TextDecoder().decode(bytes));
        assert.deepEqual(webSockets.opened[0]?.messages.at(-1), bytes);
      });
    });

    it("keeps order among messages that are compressed and such that are not", async () => {
      await withServer(under.http(), { compression }, async ({ port, webSockets }) => {
        const { peer } = await connect(port);
        const connection = (await webSockets.first()).open;
        const texts = Array.from(
          { length: 300 },
          (_, i) => `${i} `.repeat(i % 3 === 0 ? 1_000 : 1),
        );
        for (const text of texts.slice(0, 150)) connection.send(text);
        connection.sendAll(texts.slice(150));
        for (const text of texts) assert.equal((await readDeflated(peer)).text, text);
      });
    });

    it("counts inflated bytes in messages, limits and traffic", async () => {
      const limits = { messageBytesMax: 10_000 };
      await withServer(under.http(), { compression, limits }, async (served) => {
        const { port, webSockets, traffic } = served;
        const { peer } = await connect(port);
        peer.send(opcode.text, deflated("x".repeat(10_000)), { reserved: rsv1 });
        const seen = await webSockets.first();
        await until(() => seen.messages.length === 1, "the message");
        assert.equal(traffic.bytesReceived, 10_000);
        peer.send(opcode.text, deflated("x".repeat(10_001)), { reserved: rsv1 });
        assert.equal((await peer.readClose()).code, 1009);
        await until(() => seen.closes.length === 1, "the close");
        assert.deepEqual(seen.closes, [webSocketCloseByAdapter.tooBig]);
        assert.equal(seen.messages.length, 1);
      });
    });

    it("ends 200 MB in 200 KB with 1009, in one frame or many, without taking their memory", {
      timeout: 60_000,
    }, async () => {
      const bomb = deflated(new Uint8Array(200 << 20));
      assert.ok(bomb.length < 300_000);
      await withServer(under.http(), { compression }, async ({ port, webSockets }) => {
        const before = process.memoryUsage.rss();
        let most = before;
        const timer = setInterval(() => most = Math.max(most, process.memoryUsage.rss()), 1);
        try {
          for (let i = 0; i < 5; i++) {
            const { peer } = await connect(port);
            peer.send(opcode.binary, bomb, { reserved: rsv1 });
            assert.equal((await peer.readClose()).code, 1009);
          }
          const { peer } = await connect(port);
          const half = bomb.length >> 1;
          peer.send(opcode.binary, bomb.subarray(0, half), { reserved: rsv1, fin: false });
          peer.send(opcode.continuation, bomb.subarray(half));
          assert.equal((await peer.readClose()).code, 1009);
        } finally {
          clearInterval(timer);
        }
        most = Math.max(most, process.memoryUsage.rss());
        await until(() => webSockets.opened.every((seen) => seen.closes.length === 1), "the ends");
        assert.ok(webSockets.opened.every((seen) => seen.messages.length === 0));
        assert.ok(most - before < 100 << 20, `grew by ${(most - before) >> 20} MiB`);
      });
    });

    it("counts inflated bytes as a flood", async () => {
      const limits = {
        messageBytesMax: 100_000,
        inbound: { messagesPerSecond: 1_000, bytesPerSecond: 100_000, burstSeconds: 2 },
      };
      await withServer(under.http(), { compression, limits }, async ({ port }) => {
        const { peer } = await connect(port);
        const message = deflated("x".repeat(90_000));
        for (let i = 0; i < 4; i++) peer.send(opcode.text, message, { reserved: rsv1 });
        assert.deepEqual(await peer.readClose(), { ...webSocketCloseByAdapter.flood });
      });
    });

    it("ends a message that cannot be inflated, and a compressed one that was not agreed to", async () => {
      await withServer(under.http(), { compression }, async ({ port, webSockets }) => {
        const { peer } = await connect(port);
        peer.send(opcode.text, Uint8Array.of(0xff, 0xff, 0xff, 0xff), { reserved: rsv1 });
        const { code } = await peer.readClose();
        assert.ok(code === 1007 || code === 1009 || code === 1002, String(code));
        const seen = await webSockets.first();
        await until(() => seen.closes.length === 1, "the close");
        assert.deepEqual(seen.messages, []);
        const plain = await connect(port, "");
        plain.peer.send(opcode.text, deflated("hello"), { reserved: rsv1 });
        assert.equal((await plain.peer.readClose()).code, 1002);
      });
    });
  });
}

async function connect(
  port: number,
  offer = "permessage-deflate",
): Promise<{ peer: RawConnection; extensions: string }> {
  const peer = await rawConnect(port);
  peer.write(upgradeText("/socket", { "Sec-WebSocket-Extensions": offer || undefined }));
  const head = await peer.readHead();
  assert.equal(head.status, 101);
  return { peer, extensions: head.headers.get("sec-websocket-extensions") ?? "" };
}

function deflated(payload: string | Uint8Array): Uint8Array {
  const out = new Uint8Array(deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH }));
  return out.subarray(0, out.length - tail.length);
}

async function readDeflated(peer: RawConnection): Promise<{ text: string; isDeflated: boolean }> {
  const { payload, reserved } = await peer.readFrame();
  const isDeflated = reserved === rsv1;
  const bytes = isDeflated
    ? inflateRawSync(joined([payload, tail]), { finishFlush: constants.Z_SYNC_FLUSH })
    : payload;
  return { text: new TextDecoder().decode(bytes), isDeflated };
}
