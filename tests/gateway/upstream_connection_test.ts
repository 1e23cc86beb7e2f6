import assert from "node:assert/strict";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { type WebSocket, WebSocketServer } from "ws";
import { UpstreamLink } from "../../src/gateway/upstream_link.ts";
import type { Runtime } from "../../src/ports/runtime.ts";
import { until } from "../adapters/tcp_recorder.ts";
import { testCertificate, testKey } from "../adapters/tls_server.ts";
import { fakeLog } from "../fakes/log.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";
import { CheckedQueue, NotingOwner, passAcks } from "./tested_link.ts";
import { goodAnswer, latin1, RawUpstream, serverFrame } from "./raw_upstream.ts";

const runtime: Runtime = await runtimeUnderTest();
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

/** A link over real sockets. */
function connect(
  url: string,
  upstreamAck: "auto" | "required" | "none",
  more: { authorities?: string; messageBytesMax?: number } = {},
) {
  const queue = new CheckedQueue();
  const owner = new NotingOwner();
  const log = fakeLog();
  const { tcp, clock, random, crypto } = runtime;
  const link = new UpstreamLink({
    url,
    queue,
    owner,
    tcp,
    clock,
    random,
    crypto,
    logger: log.logger,
    upstreamAck,
    messageBytesMax: 20 << 20,
    ...more,
  });
  passAcks({ owner, queue }, link);
  link.start();
  const why = () => log.lines.map((line) => String(line.fields.why)).join("; ");
  return { queue, owner, link, log, why };
}

async function withUpstream(
  options: Parameters<typeof RawUpstream.listen>[1],
  use: (upstream: RawUpstream) => Promise<void>,
): Promise<void> {
  const upstream = await RawUpstream.listen(runtime.tcp, options);
  try {
    await use(upstream);
  } finally {
    await upstream.close();
  }
}

/** An upstream of npm's `ws` that sends each message back. */
async function withWs(
  use: (url: string, sockets: WebSocket[], authorities?: string) => Promise<void>,
  secure = false,
): Promise<void> {
  const https = secure ? createHttpsServer({ key: testKey, cert: testCertificate }) : undefined;
  https?.on("tlsClientError", () => {});
  const server = new WebSocketServer(
    https === undefined ? { host: "127.0.0.1", port: 0 } : { server: https },
  );
  await new Promise<void>((resolve) => {
    if (https === undefined) server.on("listening", resolve);
    else https.listen(0, "127.0.0.1", () => resolve());
  });
  const sockets: WebSocket[] = [];
  server.on("connection", (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.on("message", (message, isBinary) => socket.send(message, { binary: isBinary }));
  });
  const { port } = (https ?? server).address() as AddressInfo;
  try {
    if (secure) await use(`wss://localhost:${port}/`, sockets, testCertificate);
    else await use(`ws://127.0.0.1:${port}/`, sockets);
  } finally {
    for (const socket of sockets) socket.terminate();
    server.close();
    https?.close();
  }
}

describe("UpstreamLink over sockets", () => {
  it("delivers in order, hears answers in order, and stops in order", async () => {
    await withUpstream({ echoes: true }, async (upstream) => {
      const { queue, owner, link } = connect(upstream.url, "none");
      for (let round = 0; round < 20; round++) {
        queue.add(100);
        link.wake();
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      const all = numbers(2_000);
      await until(() => queue.confirmed.length === 2_000, "all are confirmed");
      assert.deepEqual(queue.confirmed, all);
      assert.deepEqual(upstream.texts, all.map((slot) => queue.text(slot)));
      await until(() => owner.texts.length === 2_000, "all answers came");
      assert.deepEqual(owner.texts, upstream.texts);
      await link.stop();
      await until(() => upstream.last.isClosed, "the upstream sees the end");
      assert.equal(upstream.last.closeCode, 1001);
    });
  });

  it("sends again what was not acknowledged when its upstream is back", async () => {
    const first = await RawUpstream.listen(runtime.tcp, {});
    const { queue, link, owner } = connect(first.url, "required");
    queue.add(50);
    link.wake();
    await until(() => first.texts.length === 50, "they were sent");
    await first.close();
    await until(() => owner.ends.length > 0, "the link notices");
    queue.add(50);
    await withUpstream({ port: first.port, acknowledges: true }, async (second) => {
      await until(() => queue.confirmed.length === 100, "all are acknowledged");
      assert.deepEqual(second.texts, numbers(100).map((slot) => queue.text(slot)));
      assert.equal(link.reconnects, 1);
      await link.stop();
    });
  });

  it("an upstream that does not read delays no other link, and gets all when it reads again", async () => {
    await withUpstream({}, (hung) =>
      withUpstream({ acknowledges: true }, async (busy) => {
        const one = connect(hung.url, "none");
        const other = connect(busy.url, "required");
        await until(() => one.link.state === "open" && other.link.state === "open", "both open");
        hung.last.connection.pause();
        one.queue.add(400, { bytes: 60_000 });
        one.link.wake();
        await until(() => one.link.bufferedBytes > 0, "its socket takes no more");
        assert.ok(one.link.bufferedBytes < 600_000, `${one.link.bufferedBytes} bytes wait`);
        assert.ok(one.queue.waiting.length > 0);
        for (let round = 1; round <= 20; round++) {
          other.queue.add(20);
          other.link.wake();
          await until(() => other.queue.confirmed.length === round * 20, "the other goes on");
        }
        hung.last.connection.resume();
        await until(() => one.queue.confirmed.length === 400, "the hung one gets all");
        assert.deepEqual(one.queue.confirmed, numbers(400));
        await Promise.all([one.link.stop(), other.link.stop()]);
      }));
  });

  it("an answer that opens no WebSocket is a failed handshake, and no message is sent", async () => {
    const answers: [RegExp, (key: string) => string][] = [
      [/does not fit/, () => goodAnswer("another key")],
      [/redirects/, () => "HTTP/1.1 301 Moved Permanently\r\nLocation: ws://127.0.0.1/\r\n\r\n"],
      [/status 500/, () => "HTTP/1.1 500 Oh\r\n\r\n"],
      [/not HTTP/, () => "\xff".repeat(100) + "\r\n\r\n"],
      [/over 16384 bytes/, () => "HTTP/1.1 101 x\r\nX: " + "y".repeat(20_000)],
    ];
    for (const [reason, handshake] of answers) {
      await withUpstream({ handshake }, async (upstream) => {
        const { queue, owner, link, why } = connect(upstream.url, "none");
        queue.add(1);
        link.wake();
        await until(() => owner.ends.length > 0, "it fails");
        assert.equal(owner.ends[0], "handshake_failed");
        assert.match(why(), reason);
        assert.deepEqual(queue.waiting, [0]);
        await link.stop();
      });
    }
  });

  it("frames that come with the answer to the handshake are read", async () => {
    const handshake = (key: string) =>
      goodAnswer(key) + String.fromCharCode(...serverFrame(1, latin1('{"hello":1}')));
    await withUpstream({ handshake }, async (upstream) => {
      const { owner, link } = connect(upstream.url, "none");
      await until(() => owner.texts.length > 0, "the text is heard");
      assert.deepEqual(owner.texts, ['{"hello":1}']);
      await link.stop();
    });
  });

  it("an upstream that ends in the middle of a frame, or resets, loses nothing", async () => {
    await withUpstream({}, async (upstream) => {
      const { queue, owner, link } = connect(upstream.url, "required");
      queue.add(10);
      link.wake();
      await until(() => upstream.texts.length === 10, "they were sent");
      upstream.last.send(serverFrame(1, new Uint8Array(1_000)).subarray(0, 500));
      upstream.last.connection.end();
      await until(() => owner.ends.length === 1, "the link notices");
      upstream.manners.acknowledges = true;
      await until(() => queue.confirmed.length === 10, "all are delivered");
      assert.deepEqual(owner.ends, ["lost"]);
      await link.stop();
    });
  });

  it("refuses a message over messageBytesMax with 1009", async () => {
    await withUpstream({}, async (upstream) => {
      const { owner, link } = connect(upstream.url, "none", { messageBytesMax: 100_000 });
      await until(() => link.state === "open", "it opens");
      const peer = upstream.last;
      peer.send(serverFrame(1, latin1(JSON.stringify("x".repeat(99_998)))));
      await until(() => owner.texts.length === 1, "one of just that size is heard");
      peer.send(serverFrame(1, new Uint8Array(100_001)));
      await until(() => owner.ends.length > 0, "the link ends");
      assert.deepEqual(owner.ends, ["too_big"]);
      await until(() => peer.closeCode !== undefined, "its close frame arrives");
      assert.equal(peer.closeCode, 1009);
      await link.stop();
    });
  });

  for (const secure of [false, true]) {
    const over = secure ? " over TLS" : "";
    it(`works with npm's ws${over}: large messages, pings, fragments, its close`, async () => {
      await withWs(async (url, sockets, authorities) => {
        const { queue, owner, link } = connect(
          url,
          "none",
          authorities === undefined ? {} : { authorities },
        );
        queue.add(1, { bytes: 9_000_000 });
        queue.add(500);
        link.wake();
        await until(() => owner.texts.length === 501, "all answers came");
        assert.deepEqual(owner.texts, numbers(501).map((slot) => queue.text(slot)));
        await until(() => queue.confirmed.length === 501, "pongs confirm them");
        const socket = sockets[0] as WebSocket;
        let pongs = 0;
        socket.on("pong", () => pongs++);
        socket.ping("hello");
        socket.send('{"a":', { fin: false });
        socket.ping();
        socket.send('"ü"}', { fin: true });
        await until(() => owner.texts.at(-1) === '{"a":"ü"}' && pongs > 0, "fragments and pongs");
        socket.close(4000, "enough");
        await until(() => owner.ends.length > 0, "the close is seen");
        assert.deepEqual(owner.ends, ["closed_by_upstream"]);
        await until(() => link.state === "open", "it connects again");
        assert.equal(link.reconnects, 1);
        await link.stop();
      }, secure);
    });
  }

  it("wss: an unknown certificate is refused, and nothing is sent", async () => {
    await withWs(async (url, sockets) => {
      const { queue, owner, link, why } = connect(url, "none");
      queue.add(1);
      link.wake();
      await until(() => owner.ends.length > 0, "it fails");
      assert.deepEqual(owner.ends, ["refused"]);
      assert.match(why(), /self.signed/);
      assert.deepEqual(queue.waiting, [0]);
      assert.equal(sockets.length, 0);
      await link.stop();
    }, true);
  });
});
