import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { webSocketCloseByAdapter } from "../../src/ports/http.ts";
import {
  type HttpUnderTest,
  type Seen,
  type Served,
  settle,
  until,
  withServer,
} from "./http_recorder.ts";
import { openFiles } from "./open_files.ts";
import { encodeFrame, joined, opcode, type RawConnection, rawWebSocket } from "./raw_websocket.ts";

const text = new TextEncoder();

/** More than the kernel takes for a peer that does not read, so that a limit must have shown. */
const SENT_BYTES_MAX = 64 << 20;

/** The 5 seconds of the contract, and the step in which the runtime counts. */
const CUT_MS_MAX = 9_000;

/** How WebSockets of a server treat peers that keep RFC 6455, and peers that do not. */
export function webSocketWireConformance(under: HttpUnderTest): void {
  describe(`${under.name} WebSocket frames`, () => framesConformance(under));
  describe(`${under.name} WebSocket faults`, () => faultsConformance(under));
  describe(`${under.name} WebSocket endings`, () => endingsConformance(under));
  describe(`${under.name} WebSocket limits`, () => limitsConformance(under));
}

function framesConformance(under: HttpUnderTest): void {
  it("joins a message of 1,000 pieces, with a ping between them", async () => {
    await withPeer(under, {}, async ({ peer, seen }) => {
      for (let i = 0; i < 1000; i++) {
        peer.send(i === 0 ? opcode.text : opcode.continuation, String(i % 10), { fin: i === 999 });
        if (i === 500) peer.send(opcode.ping, "between");
      }
      const pong = await peer.readFrame();
      assert.deepEqual([pong.opcode, new TextDecoder().decode(pong.payload)], [10, "between"]);
      await until(() => seen.messages.length > 0, "the message");
      assert.deepEqual(seen.messages, ["0123456789".repeat(100)]);
    });
  });

  it("joins a character that two pieces share", async () => {
    await withPeer(under, {}, async ({ peer, seen }) => {
      const bytes = text.encode("a\u{1F0A1}b");
      peer.send(opcode.text, bytes.subarray(0, 3), { fin: false });
      peer.send(opcode.continuation, bytes.subarray(3));
      await until(() => seen.messages.length > 0, "the message");
      assert.deepEqual(seen.messages, ["a\u{1F0A1}b"]);
    });
  });

  it("reads frames that come byte by byte", async () => {
    await withPeer(under, {}, async ({ peer, seen }) => {
      for (const byte of encodeFrame(opcode.text, "slow")) {
        peer.write(Uint8Array.of(byte));
        await peer.flush();
      }
      await until(() => seen.messages.length > 0, "the message");
      assert.deepEqual(seen.messages, ["slow"]);
    });
  });

  it("sends unmasked whole frames of every length form", async () => {
    await withPeer(under, {}, async ({ peer, seen }) => {
      for (const size of [0, 125, 126, 65_535, 65_536]) {
        seen.open.send(new Uint8Array(size).fill(7));
        const frame = await peer.readFrame();
        assert.deepEqual([frame.opcode, frame.fin, frame.masked], [opcode.binary, true, false]);
        assert.deepEqual(frame.payload, new Uint8Array(size).fill(7));
      }
    });
  });

  it("answers a ping by itself, and reports it like a pong", async () => {
    await withPeer(under, {}, async ({ peer, seen }) => {
      peer.send(opcode.ping, "still there?");
      const pong = await peer.readFrame();
      assert.equal(pong.opcode, opcode.pong);
      assert.deepEqual(pong.payload, text.encode("still there?"));
      assert.equal(seen.pings, 1);
      seen.open.ping(text.encode("and you?"));
      const ping = await peer.readFrame();
      assert.equal(ping.opcode, opcode.ping);
      assert.deepEqual(ping.payload, text.encode("and you?"));
      peer.send(opcode.pong, ping.payload);
      await until(() => seen.events.includes("pong"), "the pong");
      assert.deepEqual([seen.events, seen.messages], [["open", "pong"], []]);
    });
  });
}

function faultsConformance(under: HttpUnderTest): void {
  const { protocolError, invalidText, tooBig } = webSocketCloseByAdapter;
  const faults: [string, { code: number; reason: string }, (peer: RawConnection) => void][] = [
    ["an unmasked frame", protocolError, (p) => p.send(opcode.text, "hi", { masked: false })],
    ["reserved bit 1", protocolError, (p) => p.send(opcode.text, "hi", { reserved: 4 })],
    ["reserved bit 3", protocolError, (p) => p.send(opcode.text, "hi", { reserved: 1 })],
    ["opcode 3", protocolError, (p) => p.send(3, "hi")],
    ["opcode 11", protocolError, (p) => p.send(11, "hi")],
    ["a ping of 126 bytes", protocolError, (p) => p.send(opcode.ping, "x".repeat(126))],
    ["a ping in pieces", protocolError, (p) => p.send(opcode.ping, "x", { fin: false })],
    ["a continuation of nothing", protocolError, (p) => p.send(opcode.continuation, "x")],
    ["a message within a message", protocolError, (p) => {
      p.send(opcode.text, "x", { fin: false });
      p.send(opcode.text, "y");
    }],
    ["text that is not UTF-8", invalidText, (p) => p.send(opcode.text, Uint8Array.of(0xff, 0xfe))],
    ["a close frame of one byte", protocolError, (p) => p.send(opcode.close, "x")],
    ["a close frame with 1005", protocolError, (p) => p.sendClose(1005)],
    ["a close frame with 999", protocolError, (p) => p.sendClose(999)],
    ["a close reason that is not UTF-8", invalidText, (p) => {
      p.send(opcode.close, Uint8Array.of(0x03, 0xe8, 0xff));
    }],
    ["pieces over messageBytesMax", tooBig, (p) => {
      p.send(opcode.text, "x".repeat(600), { fin: false });
      p.send(opcode.continuation, "x".repeat(600), { fin: false });
    }],
    ["a frame that only announces 4 GiB", tooBig, (p) => {
      p.write(Uint8Array.of(0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4));
    }],
  ];
  for (const [what, { code, reason }, misbehave] of faults) {
    it(`end by ${code} after ${what}, and the connection with it`, async () => {
      const limits = { messageBytesMax: 1000 };
      await withPeer(under, { limits }, async ({ peer, seen, errors }) => {
        misbehave(peer);
        await until(() => seen.closes.length > 0, "the close");
        assert.equal((await peer.readClose()).code, code);
        peer.end();
        await peer.closed;
        assert.deepEqual(seen.closes, [{ code, reason }]);
        assert.deepEqual([seen.events, seen.messages, errors], [["open", "close"], [], []]);
      });
    });
  }
}

function endingsConformance(under: HttpUnderTest): void {
  it("echo the peer's code, and end", async () => {
    await withPeer(under, {}, async ({ peer, seen }) => {
      peer.sendClose(4000, "why not");
      assert.equal((await peer.readClose()).code, 4000);
      await peer.closed;
      await until(() => seen.closes.length > 0, "the close");
      assert.deepEqual(seen.closes, [{ code: 4000, reason: "why not" }]);
    });
  });

  it("are 1005 when the peer gave no code", async () => {
    await withPeer(under, {}, async ({ peer, seen }) => {
      peer.send(opcode.close, "");
      assert.equal((await peer.readClose()).code, 1005);
      await until(() => seen.closes.length > 0, "the close");
      assert.deepEqual(seen.closes, [{ code: 1005, reason: "" }]);
    });
  });

  it("ignore what comes after the peer's close frame", async () => {
    await withPeer(under, {}, async ({ peer, seen }) => {
      peer.sendClose(1000);
      peer.send(opcode.text, "too late");
      peer.sendClose(4000);
      await peer.closed;
      assert.deepEqual(seen.messages, []);
      await until(() => seen.closes.length > 0, "the close");
      assert.deepEqual(seen.closes, [{ code: 1000, reason: "" }]);
    });
  });

  for (const how of ["end", "destroy"] as const) {
    it(`are 1006 when the peer's connection ends by ${how}() without a close frame`, async () => {
      await withPeer(under, {}, async ({ peer, seen }) => {
        peer.send(opcode.text, "half a mes", { fin: false });
        await peer.flush();
        peer[how]();
        await until(() => seen.closes.length > 0, "the close");
        assert.deepEqual(seen.closes, [{ code: 1006, reason: "" }]);
      });
    });
  }

  it("ours report nothing that the peer sends before its own close frame", async () => {
    await withPeer(under, {}, async (both) => {
      const { peer, seen } = both;
      seen.open.close(4001, "enough");
      peer.send(opcode.text, "crossing");
      peer.send(opcode.pong, "");
      assert.deepEqual(await peer.readClose(), { code: 4001, reason: "enough" });
      peer.sendClose(4001);
      await settle(both, under);
      assert.deepEqual([seen.events, seen.messages], [["open", "close"], []]);
      assert.deepEqual(seen.closes, [{ code: 4001, reason: "enough" }]);
    });
  });

  it("ours cut a peer that answers nothing and stays", { timeout: 20_000 }, async () => {
    await withServer(under.http(), {}, async ({ port, webSockets }) => {
      const peer = await rawWebSocket(port, { halfOpen: true });
      const seen = await webSockets.first();
      seen.open.close(4001, "enough");
      assert.deepEqual(await peer.readClose(), { code: 4001, reason: "enough" });
      const knocking = setInterval(() => peer.send(opcode.text, "still here"), 100);
      try {
        await peer.closed;
      } finally {
        clearInterval(knocking);
      }
      assert.deepEqual([seen.closes.length, seen.messages], [1, []]);
    });
  });
}

function limitsConformance(under: HttpUnderTest): void {
  it("hold for pings and pongs too: a flood of them is 1008", async () => {
    const inbound = { messagesPerSecond: 0.001, bytesPerSecond: 1 << 20, burstSeconds: 50_000 };
    for (const kind of [opcode.ping, opcode.pong]) {
      await withPeer(under, { limits: { inbound } }, async ({ peer, seen }) => {
        for (let i = 0; i < 60; i++) peer.send(kind, "x");
        await until(() => seen.closes.length > 0, "the close");
        const { code, reason } = webSocketCloseByAdapter.flood;
        assert.deepEqual(seen.closes, [{ code, reason }]);
        assert.deepEqual(await peer.readClose(), { code, reason });
      });
    }
  });

  it("let the same messages pass when time goes by between them", async () => {
    const inbound = { messagesPerSecond: 100, bytesPerSecond: 1 << 20, burstSeconds: 0.1 };
    await withPeer(under, { limits: { inbound } }, async ({ peer, seen }) => {
      for (let i = 0; i < 30; i++) {
        peer.send(opcode.text, String(i));
        await new Promise((resolve) => setTimeout(resolve, 15));
      }
      await until(() => seen.messages.length === 30, "all messages");
      assert.deepEqual(seen.closes, []);
    });
  });

  it("send() is false while bytes wait, and drain() comes once they left, nothing lost", async () => {
    const count = 400;
    const limits = { outboundBytesMax: 1 << 26 };
    await withPeer(under, { limits }, async ({ peer, seen }) => {
      peer.stopReading();
      const piece = new Uint8Array(65_536);
      let refused = 0;
      for (let i = 0; i < count; i++) {
        piece[0] = i & 255;
        if (!seen.open.send(piece)) refused++;
      }
      assert.ok(refused > 0 && seen.open.bufferedBytes > 0);
      assert.deepEqual(seen.events, ["open"]);
      peer.startReading();
      for (let i = 0; i < count; i++) {
        const { payload } = await peer.readFrame();
        assert.deepEqual([payload.length, payload[0]], [65_536, i & 255]);
      }
      await until(() => seen.events.includes("drain"), "the drain");
      assert.deepEqual(seen.events, ["open", "drain"]);
      assert.equal(seen.open.bufferedBytes, 0);
      assert.equal(seen.open.send("goes on"), true);
      assert.equal(await peer.readText(), "goes on");
    });
  });

  it("send() is not false when all of a long message left at once", async () => {
    await withPeer(under, {}, async ({ peer, seen }) => {
      for (const bytes of [10_000, 20_000, 65_536, 300_000, 1 << 20]) {
        const isFree = seen.open.send(new Uint8Array(bytes));
        assert.equal(isFree || seen.open.bufferedBytes > 0, true, `${bytes} bytes`);
        assert.equal((await peer.readFrame()).payload.length, bytes);
        await until(() => seen.open.bufferedBytes === 0, "all of it to leave");
      }
    });
  });

  it("close with 1013 what does not read, and cut it off", { timeout: 30_000 }, async () => {
    const outboundBytesMax = 1 << 20;
    await withPeer(under, { limits: { outboundBytesMax } }, async ({ peer, seen }) => {
      peer.stopReading();
      const piece = new Uint8Array(65_536);
      let sent = 0;
      let bufferedMax = 0;
      while (seen.closes.length === 0 && sent < SENT_BYTES_MAX) {
        for (let i = 0; i < 16 && seen.closes.length === 0; i++) {
          seen.open.send(piece);
          sent += piece.length;
          bufferedMax = Math.max(bufferedMax, seen.open.bufferedBytes);
        }
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      const { code, reason } = webSocketCloseByAdapter.slowConsumer;
      assert.deepEqual(seen.closes, [{ code, reason }]);
      assert.ok(bufferedMax <= outboundBytesMax + 2 * piece.length, `${bufferedMax} were waiting`);
      assert.deepEqual(seen.events.filter((event) => event !== "drain"), ["open", "close"]);
      const files = openFiles();
      await until(() => openFiles() < files, "the server to let go of its socket", CUT_MS_MAX);
      // All that a peer can still have is what the kernel holds for it.
      peer.startReading();
      assert.ok((await peer.readToEnd()).length < sent);
    });
  });

  it("bound the pongs for a peer that only asks", { timeout: 30_000 }, async () => {
    const limits = { outboundBytesMax: 100_000 };
    await withPeer(under, { limits }, async ({ peer, seen }) => {
      peer.stopReading();
      const pings = joined(
        Array.from({ length: 1000 }, () => encodeFrame(opcode.ping, "x".repeat(125))),
      );
      for (let sent = 0; seen.closes.length === 0 && sent < SENT_BYTES_MAX; sent += pings.length) {
        peer.write(pings);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      const { code, reason } = webSocketCloseByAdapter.slowConsumer;
      assert.deepEqual(seen.closes, [{ code, reason }]);
    });
  });
}

/** Runs `use` with one raw peer and what the server has seen of it. */
async function withPeer(
  under: HttpUnderTest,
  options: Parameters<typeof withServer>[1],
  use: (both: Served & { peer: RawConnection; seen: Seen }) => Promise<void>,
): Promise<void> {
  await withServer(under.http(), options, async (served) => {
    const peer = await rawWebSocket(served.port);
    try {
      await use({ ...served, peer, seen: await served.webSockets.first() });
    } finally {
      peer.destroy();
    }
  });
}
