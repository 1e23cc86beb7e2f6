import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TcpConnection } from "../../src/ports/tcp.ts";
import {
  fill,
  firstFault,
  pattern,
  type Seen,
  type TcpUnderTest,
  until,
  withPair,
  writeUntilFull,
} from "./tcp_recorder.ts";

const endBack = { end: (connection: TcpConnection<Seen>) => connection.end() };

/** What must hold when a connection ends: who is told what, how often, and what still arrives. */
export function tcpCloseConformance(under: TcpUnderTest): void {
  describe(`${under.name} TcpConnection closing`, () => {
    it("end() lets the peer answer, and both sides learn who ended it", async () => {
      await withPair(under.port(), {}, async ({ server, client }) => {
        client.connection.write(pattern(5));
        client.connection.end();
        await until(() => server.events.includes("end"), "the server sees the end");
        assert.equal(server.bytes, 5);
        assert.equal(server.connection.write(pattern(7)), true);
        server.connection.end();
        await until(() => server.closes.length + client.closes.length === 2, "both sides close");
        assert.equal(client.bytes, 7);
        assert.deepEqual(server, { ...server, events: ["open", "end", "close"] });
        assert.deepEqual(server.closes, ["remote"]);
        assert.deepEqual(client.events, ["open", "close"]);
        assert.deepEqual(client.closes, ["local"]);
      });
    });

    it("end() of the accepting side leaves the peer able to send", async () => {
      await withPair(under.port(), {}, async ({ server, client, settle }) => {
        server.connection.end();
        await until(() => client.events.includes("end"), "the client sees the end");
        client.connection.write(pattern(2_000));
        await until(() => server.bytes === 2_000, "the bytes arrive after end()");
        await settle();
        assert.deepEqual(client.closes, []);
        assert.deepEqual(server.closes, []);
        client.connection.end();
        await until(() => server.closes.length + client.closes.length === 2, "both sides close");
        assert.deepEqual(server.closes, ["local"]);
        assert.deepEqual(client.closes, ["remote"]);
      });
    });

    it("end() of both sides at once closes both", async () => {
      await withPair(under.port(), {}, async ({ server, client }) => {
        server.connection.end();
        client.connection.end();
        await until(() => server.closes.length + client.closes.length === 2, "both sides close");
        assert.deepEqual(server.closes, ["local"]);
        assert.deepEqual(client.closes, ["local"]);
      });
    });

    it("end() sends all that waits before the end", async () => {
      await withPair(under.port(), { client: endBack }, async ({ server, client, settle }) => {
        client.connection.pause();
        let written = await fill(server.connection, settle);
        server.connection.write(pattern(300_000, written));
        written += 300_000;
        server.connection.end();
        server.connection.end();
        assert.equal(server.connection.write(pattern(10)), false);
        await settle();
        assert.deepEqual(server.closes, []);
        client.connection.resume();
        await until(() => server.closes.length + client.closes.length === 2, "both sides close");
        assert.equal(client.bytes, written);
        assert.equal(firstFault(client.chunks), -1);
        assert.ok(!server.events.includes("end"));
        assert.deepEqual(server.closes, ["local"]);
        assert.deepEqual(client.closes, ["remote"]);
      });
    });

    it("end() while bytes wait for a peer that has ended reports no end, only the close", async () => {
      await withPair(under.port(), {}, async ({ server, client, settle }) => {
        client.connection.pause();
        const written = await fill(server.connection, settle);
        server.connection.end();
        client.connection.end();
        client.connection.pause();
        await settle();
        client.connection.resume();
        await until(() => server.closes.length + client.closes.length === 2, "both sides close");
        assert.ok(client.bytes <= written);
        assert.ok(!server.events.includes("end"));
        assert.deepEqual(server.closes, ["local"]);
        assert.deepEqual(client.closes, ["local"]);
      });
    });

    it("end() gives a peer that never closes lingerMs, then cuts it", async () => {
      const serverLimits = { lingerMs: 40 };
      await withPair(under.port(), { serverLimits }, async ({ server, client }) => {
        server.connection.end();
        await until(() => server.closes.length > 0, "the server gives up");
        assert.deepEqual(server.closes, ["local"]);
        await until(() => client.events.includes("end"), "the client sees the end");
        client.connection.write(pattern(1));
        await until(() => client.closes.length > 0, "the client notices");
        assert.deepEqual(client.closes, ["remote"]);
      });
    });

    it("end() with output that nobody reads is cut after lingerMs", async () => {
      const serverLimits = { lingerMs: 40 };
      await withPair(under.port(), { serverLimits }, async ({ server, client, settle }) => {
        client.connection.pause();
        await fill(server.connection, settle);
        server.connection.end();
        await until(() => server.closes.length > 0, "the server gives up");
        assert.deepEqual(server.closes, ["local"]);
        assert.equal(server.connection.bufferedBytes, 0);
        client.connection.resume();
        await until(() => client.closes.length > 0, "the client notices");
        assert.deepEqual(client.closes, ["error"]);
      });
    });

    it("end() of a paused connection closes when the peer does, and reports no data", async () => {
      await withPair(under.port(), { client: endBack }, async ({ server, client, settle }) => {
        server.connection.pause();
        const written = await fill(client.connection, settle);
        assert.ok(written > 0);
        server.connection.end();
        await until(() => server.closes.length + client.closes.length === 2, "both sides close");
        assert.deepEqual(server.events, ["open", "close"]);
        assert.equal(server.bytes, 0);
        assert.deepEqual(server.closes, ["local"]);
      });
    });

    it("end is reported after all data, also when it came while paused", async () => {
      await withPair(under.port(), {}, async ({ server, client, settle }) => {
        server.connection.pause();
        client.connection.write(pattern(3_000));
        client.connection.end();
        await settle();
        assert.deepEqual(server.events, ["open"]);
        server.connection.resume();
        await until(() => server.events.includes("end"), "the end is reported");
        assert.equal(server.bytes, 3_000);
        assert.deepEqual(server.closes, []);
      });
    });

    it("destroy() closes now, once, and never within the call", async () => {
      await withPair(under.port(), {}, async ({ server, client, settle }) => {
        server.connection.destroy();
        server.connection.destroy();
        server.connection.end();
        assert.deepEqual(server.closes, []);
        assert.equal(server.connection.write(pattern(10)), false);
        server.connection.pause();
        server.connection.resume();
        await until(() => server.closes.length > 0, "the server closes");
        await until(() => client.events.includes("end"), "the client sees the end");
        client.connection.end();
        await until(() => client.closes.length > 0, "the client closes");
        await settle();
        assert.deepEqual(server.events, ["open", "close"]);
        assert.deepEqual(server.closes, ["local"]);
        assert.deepEqual(client.events, ["open", "end", "close"]);
        assert.deepEqual(client.closes, ["remote"]);
        assert.equal(server.connection.write(pattern(10)), false);
        assert.equal(server.connection.bufferedBytes, 0);
      });
    });

    it("destroy() within data is the last that the owner hears but close", async () => {
      const destroy = { data: (connection: TcpConnection<Seen>) => connection.destroy() };
      await withPair(under.port(), { server: destroy }, async ({ server, client }) => {
        writeUntilFull(client.connection);
        await until(() => server.closes.length > 0, "the server closes");
        await until(() => client.closes.length > 0, "the client is reset");
        assert.equal(server.chunks.length, 1);
        assert.deepEqual(server.closes, ["local"]);
        assert.deepEqual(client.closes, ["error"]);
      });
    });

    it("destroy() drops what waits", async () => {
      await withPair(under.port(), {}, async ({ server, client, settle }) => {
        client.connection.pause();
        const written = await fill(server.connection, settle);
        server.connection.destroy();
        assert.equal(server.connection.bufferedBytes, 0);
        await until(() => server.closes.length > 0, "the server closes");
        client.connection.resume();
        await until(() => client.events.length > 1, "the client sees the end");
        assert.ok(client.bytes < written);
        assert.equal(firstFault(client.chunks), -1);
      });
    });

    it("write() past outboundBytesMax closes a peer that never reads as slow_consumer", async () => {
      const serverLimits = { outboundBytesMax: 300_000 };
      await withPair(under.port(), { serverLimits }, async ({ server, client, settle }) => {
        client.connection.pause();
        await fill(server.connection, settle);
        let waiting = 0;
        for (let more = 0; more < 200; more++) {
          assert.equal(server.connection.write(pattern(4_096)), false);
          waiting = Math.max(waiting, server.connection.bufferedBytes);
        }
        assert.ok(waiting > 150_000 && waiting <= 300_000, `${waiting} bytes waited`);
        assert.deepEqual(server.closes, []);
        await until(() => server.closes.length > 0, "the server closes");
        client.connection.resume();
        await until(() => client.closes.length > 0, "the client is reset");
        assert.equal(server.events.filter((event) => event === "close").length, 1);
        assert.deepEqual(server.closes, ["slow_consumer"]);
        assert.deepEqual(client.closes, ["error"]);
        assert.equal(server.connection.bufferedBytes, 0);
      });
    });

    it("write() of more than there is room for beside what waits is refused the same way", async () => {
      const serverLimits = { outboundBytesMax: 1 << 20 };
      await withPair(under.port(), { serverLimits }, async ({ server, client, settle }) => {
        client.connection.pause();
        await fill(server.connection, settle);
        assert.equal(server.connection.write(new Uint8Array((1 << 20) + 1)), false);
        await until(() => server.closes.length > 0, "the server closes");
        assert.deepEqual(server.closes, ["slow_consumer"]);
      });
    });

    it("write() of more than outboundBytesMax at once is refused the same way", async () => {
      const serverLimits = { outboundBytesMax: 1_000 };
      await withPair(under.port(), { serverLimits }, async ({ server, client }) => {
        client.connection.pause();
        assert.equal(server.connection.write(new Uint8Array(32 << 20)), false);
        await until(() => server.closes.length > 0, "the server closes");
        assert.deepEqual(server.closes, ["slow_consumer"]);
      });
    });

    it("close names error once when the peer resets the connection", async () => {
      const clientLimits = { outboundBytesMax: 1 };
      await withPair(under.port(), { clientLimits }, async ({ server, client, settle }) => {
        server.connection.pause();
        client.connection.write(new Uint8Array(32 << 20));
        await until(() => client.closes.length > 0, "the client resets");
        server.connection.resume();
        await until(() => server.closes.length > 0, "the server notices");
        await settle();
        assert.deepEqual(server.closes, ["error"]);
        assert.ok(!server.events.includes("end"));
      });
    });

    it("write() to a peer that has closed and resets ends the connection at once", async () => {
      // An owner who keeps to `write`: after false nothing is read until `drain`.
      const data = (connection: TcpConnection<Seen>) => {
        for (let left = 1_000; left > 0; left--) {
          if (!connection.write(pattern(14))) return connection.pause();
        }
      };
      await withPair(under.port(), { server: { data } }, async ({ server, client, settle }) => {
        client.connection.write(pattern(5));
        client.connection.destroy();
        await until(() => server.closes.length > 0, "the server notices");
        await settle();
        assert.equal(server.closes.length, 1);
        assert.match(server.closes[0] ?? "", /^(error|remote)$/);
        assert.equal(server.connection.bufferedBytes, 0);
      });
    });

    it("remoteHost and remotePort stay readable after close", async () => {
      await withPair(under.port(), {}, async ({ listener, server, client }) => {
        const { remotePort } = server.connection;
        assert.ok(remotePort > 0 && remotePort !== listener.port);
        server.connection.destroy();
        client.connection.destroy();
        await until(() => server.closes.length + client.closes.length === 2, "both sides close");
        assert.equal(server.connection.remoteHost, "127.0.0.1");
        assert.equal(server.connection.remotePort, remotePort);
        assert.equal(client.connection.remoteHost, "127.0.0.1");
        assert.equal(client.connection.remotePort, listener.port);
      });
    });
  });
}
