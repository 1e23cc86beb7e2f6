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

/** What must hold for bytes that travel: order, backpressure, pauses. */
export function tcpStreamConformance(under: TcpUnderTest): void {
  describe(`${under.name} TcpConnection`, () => {
    it("write() keeps order over thousands of writes of any size", async () => {
      await withPair(under.port(), {}, async ({ server, client }) => {
        let sent = 0;
        for (let count = 0; count < 3_000; count++) {
          const length = (count * 37) % 200;
          client.connection.write(pattern(length, sent));
          sent += length;
        }
        await until(() => server.bytes === sent, "all bytes have arrived");
        assert.equal(firstFault(server.chunks), -1);
      });
    });

    it("write() of no bytes sends nothing and nothing waits", async () => {
      await withPair(under.port(), {}, async ({ client, server, settle }) => {
        assert.equal(client.connection.write(new Uint8Array(0)), true);
        await settle();
        assert.equal(server.bytes, 0);
        assert.deepEqual(client.events, ["open"]);
      });
    });

    it("write() answers true and reports no drain while the kernel takes all", async () => {
      await withPair(under.port(), {}, async ({ server, client, settle }) => {
        for (let count = 0; count < 10; count++) {
          assert.equal(client.connection.write(pattern(100, count * 100)), true);
          assert.equal(client.connection.bufferedBytes, 0);
          await settle();
        }
        assert.equal(server.bytes, 1_000);
        assert.deepEqual(client.events, ["open"]);
      });
    });

    it("write() answers false to a peer that does not read, and drain follows once", async () => {
      await withPair(under.port(), {}, async ({ server, client, settle }) => {
        client.connection.pause();
        const written = await fill(server.connection, settle);
        await settle();
        assert.ok(server.connection.bufferedBytes > 0);
        assert.equal(client.bytes, 0);

        server.events.length = 0;
        client.connection.resume();
        await until(() => server.events.includes("drain"), "what waited has left");
        assert.equal(server.connection.bufferedBytes, 0);
        await until(() => client.bytes === written, "all bytes have arrived");
        assert.equal(firstFault(client.chunks), -1);
        assert.equal(server.connection.write(pattern(10, written)), true);
        await until(() => client.bytes === written + 10, "the last bytes have arrived");
        await settle();
        assert.deepEqual(server.events, ["drain"]);
      });
    });

    it("write() copies what it keeps", async () => {
      await withPair(under.port(), {}, async ({ server, client }) => {
        client.connection.pause();
        const reused = new Uint8Array(65_536);
        let written = 0;
        for (let full = false; !full; written += reused.length) {
          reused.set(pattern(reused.length, written));
          full = !server.connection.write(reused);
          reused.fill(0xee);
        }
        client.connection.resume();
        await until(() => client.bytes === written, "all bytes have arrived");
        assert.equal(firstFault(client.chunks), -1);
      });
    });

    it("write() goes on in order after false", async () => {
      await withPair(under.port(), {}, async ({ server, client, settle }) => {
        client.connection.pause();
        let written = await fill(server.connection, settle);
        for (let count = 0; count < 5_000; count++) {
          assert.equal(server.connection.write(pattern(10, written)), false);
          written += 10;
        }
        client.connection.resume();
        await until(() => client.bytes === written, "all bytes have arrived");
        assert.equal(firstFault(client.chunks), -1);
      });
    });

    it("write() within drain fills the connection again", async () => {
      let written = 0;
      let rounds = 0;
      const drain = (connection: TcpConnection<Seen>) => {
        if (rounds === 3) return;
        rounds += 1;
        written += writeUntilFull(connection, written);
      };
      await withPair(under.port(), { server: { drain } }, async ({ server, client }) => {
        written += writeUntilFull(server.connection);
        await until(() => rounds === 3 && client.bytes === written, "three more fillings arrive");
        assert.equal(firstFault(client.chunks), -1);
      });
    });

    it("pause() leaves a flood in the kernel, resume() brings all of it", async () => {
      await withPair(under.port(), {}, async ({ server, client, settle }) => {
        server.connection.pause();
        const written = await fill(client.connection, settle);
        await settle();
        assert.equal(server.bytes, 0);
        assert.ok(client.connection.bufferedBytes > 0);
        server.connection.resume();
        await until(() => server.bytes === written, "all bytes have arrived");
        assert.equal(firstFault(server.chunks), -1);
      });
    });

    it("pause() within data holds back what follows", async () => {
      const server = { data: (connection: { pause(): void }) => connection.pause() };
      await withPair(under.port(), { server }, async ({ server, client, settle }) => {
        const written = await fill(client.connection, settle);
        await until(() => server.bytes > 0, "the first bytes arrive");
        await settle();
        const read = server.bytes;
        await settle();
        assert.equal(server.bytes, read);
        assert.ok(server.bytes < written, `${server.bytes} of ${written} bytes arrived`);
        while (server.bytes < written) {
          const before = server.bytes;
          server.connection.resume();
          await until(() => server.bytes > before, "more bytes arrive");
        }
        assert.equal(firstFault(server.chunks), -1);
      });
    });

    it("write() that must wait does not undo pause()", async () => {
      await withPair(under.port(), {}, async ({ server, client, settle }) => {
        server.connection.pause();
        client.connection.pause();
        client.connection.write(pattern(1_000));
        const written = await fill(server.connection, settle);
        await settle();
        client.connection.resume();
        await until(() => client.bytes === written, "all bytes have arrived");
        await settle();
        assert.equal(server.bytes, 0);
        server.connection.resume();
        await until(() => server.bytes === 1_000, "what was held back arrives");
      });
    });

    it("pause() in open holds back the first bytes", async () => {
      const server = { open: (connection: { pause(): void }) => connection.pause() };
      await withPair(under.port(), { server }, async ({ server, client, settle }) => {
        client.connection.write(pattern(1_000));
        await settle();
        assert.equal(server.bytes, 0);
        server.connection.resume();
        await until(() => server.bytes === 1_000, "what was held back arrives");
      });
    });

    it("pause() and resume() may be repeated", async () => {
      await withPair(under.port(), {}, async ({ server, client, settle }) => {
        for (const step of ["pause", "pause", "resume", "pause", "resume", "resume"] as const) {
          server.connection[step]();
        }
        client.connection.write(pattern(10));
        await until(() => server.bytes === 10, "the bytes arrive");
        await settle();
        assert.deepEqual(server.events, ["open"]);
      });
    });
  });
}
