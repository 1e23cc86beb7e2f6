import assert from "node:assert/strict";
import { connect as connectTcp, type Socket } from "node:net";
import { describe, it } from "node:test";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { BindError } from "../../src/ports/bind_error.ts";
import type { TlsKeyPair } from "../../src/ports/http.ts";
import { TlsKeyError } from "../../src/ports/tls_key_error.ts";
import { type HttpUnderTest, ROOMY_LIMITS, until, WebSocketRecorder } from "./http_recorder.ts";
import { opcode, RawConnection, upgradeText } from "./raw_websocket.ts";
import { otherCertificate, otherKey, testCertificate, testKey } from "./tls_server.ts";

const first: TlsKeyPair = { certificate: testCertificate, key: testKey };
const second: TlsKeyPair = { certificate: otherCertificate, key: otherKey };
/** 10 seconds of silence, or of idleness, and the steps in which a runtime counts. */
const cutMsMax = 16_000;

/** What a server over TLS must keep. */
export function httpTlsConformance(under: HttpUnderTest): void {
  describe(`${under.name} over TLS`, () => {
    it("answers requests and carries WebSockets", async () => {
      await withTls(under, {}, async ({ port, webSockets, errors }) => {
        const socket = await shake(port);
        const peer = new RawConnection(socket);
        peer.write("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert.deepEqual((await peer.readResponse()).body, "plain\n");
        const webSocket = await openWebSocket(port);
        webSocket.send(opcode.text, "hello");
        const seen = await webSockets.first();
        await until(() => seen.messages.length === 1, "the message");
        seen.open.send("hello back");
        assert.equal(await webSocket.readText(), "hello back");
        assert.equal(seen.open.remoteHost, "127.0.0.1");
        assert.deepEqual(errors, []);
        socket.destroy();
        webSocket.destroy();
      });
    });

    it("serves nobody who speaks no TLS, and nobody an old one", async () => {
      await withTls(under, {}, async ({ port, errors }) => {
        const plain = new RawConnection(await connected(connectTcp({ port, host: "127.0.0.1" })));
        plain.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert.doesNotMatch(new TextDecoder().decode(await plain.readToEnd()), /plain/);
        await plain.closed;
        await assert.rejects(shake(port, { minVersion: "TLSv1", maxVersion: "TLSv1.1" }));
        assert.deepEqual(errors, []);
      });
    });

    it("replaceTls() gives the next connections the new certificate and leaves open ones alone", async () => {
      await withTls(under, {}, async ({ port, webSockets, replaceTls }) => {
        const peer = await openWebSocket(port);
        const seen = await webSockets.first();
        for (const [pair, name] of [[second, "other test only"], [first, "test only"]] as const) {
          replaceTls(pair);
          for (let i = 0; i < 10; i++) assert.equal(await nameOf(port), name);
          peer.send(opcode.text, name);
          await until(() => seen.messages.at(-1) === name, "the message");
          seen.open.send(`after ${name}`);
          assert.equal(await peer.readText(), `after ${name}`);
        }
        const young = await openWebSocket(port);
        await until(() => webSockets.opened.length === 2, "the second");
        assert.deepEqual(seen.closes, []);
        peer.destroy();
        young.destroy();
      });
    });

    it("replaceTls() refuses what is no certificate with its key, and changes nothing", async () => {
      await withTls(under, {}, async ({ port, replaceTls }) => {
        for (const [pair, part, problem] of useless) {
          assert.throws(() => replaceTls(pair), (error) => {
            assert.ok(error instanceof TlsKeyError);
            assert.equal(error.part, part);
            assert.match(error.message, problem);
            return true;
          });
        }
        assert.equal(await nameOf(port), "test only");
      });
    });

    it("listen() rejects with the same, and with BindError for a port that is taken", async () => {
      for (const [tls, part] of useless) {
        await assert.rejects(withTls(under, { tls }, async () => {}), (error) => {
          assert.ok(error instanceof TlsKeyError);
          return error.part === part;
        });
      }
      await withTls(under, {}, async ({ port }) => {
        await assert.rejects(
          withTls(under, { port }, async () => {}),
          (error) => error instanceof BindError && error.code === "EADDRINUSE",
        );
      });
    });

    it("replaceTls() throws for a server without TLS", async () => {
      const server = await under.http().listen({
        host: "127.0.0.1",
        port: 0,
        bodyBytesMax: 1,
        fetch: () => new Response(),
        error: () => {},
      });
      assert.throws(() => server.replaceTls(first), /it has none/);
      await server.close();
    });

    it("close() ends connections by the present and by an older certificate", async () => {
      const peers: RawConnection[] = [];
      await withTls(under, {}, async ({ port, replaceTls }) => {
        peers.push(await openWebSocket(port));
        replaceTls(second);
        peers.push(await openWebSocket(port));
      });
      await Promise.all(peers.map((peer) => peer.closed));
    });

    it("cuts who says nothing, before the handshake or after it, but no WebSocket", {
      timeout: 60_000,
    }, async () => {
      await withTls(under, {}, async ({ port, webSockets }) => {
        const peer = await openWebSocket(port);
        const silent = new RawConnection(await connected(connectTcp({ port, host: "127.0.0.1" })));
        const shaken = new RawConnection(await shake(port));
        const startedAt = performance.now();
        await Promise.all([silent.readToEnd(), shaken.readToEnd()]);
        assert.ok(performance.now() - startedAt < cutMsMax);
        silent.destroy();
        shaken.destroy();
        peer.send(opcode.text, "still here");
        const seen = await webSockets.first();
        await until(() => seen.messages.length === 1, "the message");
        peer.destroy();
      });
    });
  });
}

const useless: [TlsKeyPair, "certificate" | "key", RegExp][] = [
  [{ certificate: "hello", key: testKey }, "certificate", /no certificate/],
  [{ certificate: testKey, key: testKey }, "certificate", /no certificate/],
  [
    { certificate: testCertificate.replace("MII", "MIX"), key: testKey },
    "certificate",
    /damaged certificate/,
  ],
  [{ certificate: testCertificate, key: "hello" }, "key", /no private key/],
  [{ certificate: testCertificate, key: testCertificate }, "key", /no private key/],
  [{ certificate: testCertificate, key: testKey.replace("MIG", "AAA") }, "key", /damaged/],
  [{ certificate: testCertificate, key: otherKey }, "key", /does not belong/],
  [
    {
      certificate: testCertificate,
      key: testKey.replaceAll("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
    },
    "key",
    /encrypted/,
  ],
];

interface TlsServed {
  readonly port: number;
  readonly webSockets: WebSocketRecorder;
  readonly errors: readonly Error[];
  replaceTls(pair: TlsKeyPair): void;
}

async function withTls(
  under: HttpUnderTest,
  { tls = first, port = 0 }: { tls?: TlsKeyPair; port?: number },
  use: (served: TlsServed) => Promise<void>,
): Promise<void> {
  const webSockets = new WebSocketRecorder();
  const errors: Error[] = [];
  const server = await under.http().listen({
    host: "127.0.0.1",
    port,
    bodyBytesMax: 1_000,
    tls,
    fetch: () => new Response("plain\n"),
    error: (error) => errors.push(error),
    webSocket: { limits: ROOMY_LIMITS, handlers: webSockets },
  });
  try {
    await use({
      port: server.port,
      webSockets,
      errors,
      replaceTls: (pair) => server.replaceTls(pair),
    });
  } finally {
    await server.close();
  }
}

function shake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const ca = [testCertificate, otherCertificate];
  const socket = connect({ port, host: "127.0.0.1", ca, ...options });
  return connected(socket, "secureConnect");
}

function connected<S extends Socket>(socket: S, event = "connect"): Promise<S> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once(event, () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

/** Whom the certificate is for that the server shows now. */
async function nameOf(port: number): Promise<unknown> {
  const socket = await shake(port);
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return CN;
}

async function openWebSocket(port: number): Promise<RawConnection> {
  const peer = new RawConnection(await shake(port));
  peer.write(upgradeText("/socket"));
  assert.equal((await peer.readHead()).status, 101);
  return peer;
}
