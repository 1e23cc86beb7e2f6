import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BindError } from "../../src/ports/bind_error.ts";
import type { TcpConnection, TcpHandlers, TcpPort } from "../../src/ports/tcp.ts";
import { noIpv6, UNASSIGNED_HOST } from "./addresses.ts";
import {
  pattern,
  ROOMY_LIMITS,
  type Seen,
  TcpRecorder,
  type TcpUnderTest,
  until,
  withPair,
} from "./tcp_recorder.ts";

const limits = ROOMY_LIMITS;

function connect(tcp: TcpPort, port: number, handlers: TcpHandlers<Seen>, host = "127.0.0.1") {
  return tcp.connect({ host, port, timeoutMs: 5_000, limits, handlers });
}

/** What must hold for listening, connecting and handlers that throw. */
export function tcpListenConformance(under: TcpUnderTest): void {
  describe(`${under.name} TcpPort`, () => {
    it("listen() chooses a port for 0 and names it", async () => {
      const tcp = under.port();
      const handlers = new TcpRecorder();
      const listener = await tcp.listen({ host: "127.0.0.1", port: 0, limits, handlers });
      assert.equal(listener.host, "127.0.0.1");
      assert.ok(listener.port > 0);
      await listener.close();
    });

    it("listen() rejects with EADDRINUSE for a port in use", async () => {
      const tcp = under.port();
      const handlers = new TcpRecorder();
      const listener = await tcp.listen({ host: "127.0.0.1", port: 0, limits, handlers });
      const { port } = listener;
      await assert.rejects(
        tcp.listen({ host: "127.0.0.1", port, limits, handlers }),
        (error) =>
          error instanceof BindError && error.code === "EADDRINUSE" && error.port === port &&
          error.message.startsWith(`Cannot listen on tcp 127.0.0.1:${port}: the port is in use`),
      );
      await listener.close();
    });

    it("listen() rejects with EADDRNOTAVAIL for an address of another machine", async () => {
      await assert.rejects(
        under.port().listen({
          host: UNASSIGNED_HOST,
          port: 0,
          limits,
          handlers: new TcpRecorder(),
        }),
        (error) => error instanceof BindError && error.code === "EADDRNOTAVAIL",
      );
    });

    it("listen() on :: takes IPv4 too and shows it as IPv4", { skip: noIpv6 }, async () => {
      const tcp = under.port();
      const accepted = new TcpRecorder();
      const listener = await tcp.listen({ host: "::", port: 0, limits, handlers: accepted });
      const connected = new TcpRecorder();
      await connect(tcp, listener.port, connected, "127.0.0.1");
      await connect(tcp, listener.port, connected, "::1");
      await until(() => accepted.opened.length === 2, "both are accepted");
      const hosts = (seen: Seen) => seen.connection.remoteHost;
      assert.deepEqual(accepted.opened.map(hosts).sort(), ["127.0.0.1", "::1"]);
      assert.deepEqual(connected.opened.map(hosts).sort(), ["127.0.0.1", "::1"]);
      for (const { connection } of connected.opened) connection.destroy();
      for (const { connection } of accepted.opened) connection.destroy();
      await listener.close();
    });

    it("listen() on IPv6 carries bytes", { skip: noIpv6 }, async () => {
      await withPair(under.port(), { host: "::1" }, async ({ server, client }) => {
        client.connection.write(pattern(10));
        await until(() => server.bytes === 10, "the bytes arrive");
      });
    });

    it("close() frees the port and leaves open connections alone", async () => {
      const tcp = under.port();
      await withPair(tcp, {}, async ({ listener, server, client }) => {
        await listener.close();
        await listener.close();
        const refused = new TcpRecorder();
        await assert.rejects(connect(tcp, listener.port, refused), { code: "ECONNREFUSED" });
        const { port } = listener;
        const handlers = new TcpRecorder();
        const second = await tcp.listen({ host: "127.0.0.1", port, limits, handlers });
        assert.equal(second.port, port);
        await second.close();
        client.connection.write(pattern(10));
        server.connection.write(pattern(20));
        await until(() => server.bytes === 10 && client.bytes === 20, "bytes go both ways");
      });
    });

    it("connect() resolves after open with the same connection", async () => {
      const tcp = under.port();
      const accepted = new TcpRecorder();
      const listener = await tcp.listen({ host: "127.0.0.1", port: 0, limits, handlers: accepted });
      const connected = new TcpRecorder();
      const connection = await connect(tcp, listener.port, connected);
      assert.equal(connected.first.connection, connection);
      assert.equal(connection.data, connected.first);
      connection.destroy();
      await until(() => accepted.opened.length === 1, "the connection is accepted");
      accepted.first.connection.destroy();
      await listener.close();
    });

    it("connect() rejects with ECONNREFUSED and calls no handler", async () => {
      const tcp = under.port();
      const recorder = new TcpRecorder();
      const listener = await tcp.listen({ host: "127.0.0.1", port: 0, limits, handlers: recorder });
      await listener.close();
      await assert.rejects(connect(tcp, listener.port, recorder), { code: "ECONNREFUSED" });
      assert.deepEqual(recorder.opened, []);
    });

    it("connect() rejects with ETIMEDOUT after timeoutMs and calls no handler", async () => {
      const silent = await under.silentAddress();
      const handlers = new TcpRecorder();
      const { host, port } = silent;
      try {
        await assert.rejects(
          under.port().connect({ host, port, timeoutMs: 40, limits, handlers }),
          (error) =>
            error instanceof Error && "code" in error && error.code === "ETIMEDOUT" &&
            error.message === `Cannot connect to ${host} port ${port}: no answer within 40 ms`,
        );
        assert.deepEqual(handlers.opened, []);
      } finally {
        silent.close();
      }
    });

    it("1,000 connections that send nothing are all accepted and leave nothing behind", async () => {
      const tcp = under.port();
      const accepted = new TcpRecorder();
      const listener = await tcp.listen({ host: "127.0.0.1", port: 0, limits, handlers: accepted });
      const connected = new TcpRecorder();
      const before = under.openResources();
      await Promise.all(
        Array.from({ length: 1_000 }, () => connect(tcp, listener.port, connected)),
      );
      await until(() => accepted.opened.length === 1_000, "all are accepted");
      assert.ok(under.openResources() > before + 1_900);
      connected.opened.forEach(({ connection }, index) =>
        index % 2 === 0 ? connection.destroy() : connection.end()
      );
      await until(() => accepted.opened.every((seen) => seen.events.length > 1), "all are told");
      for (const { connection } of accepted.opened) connection.end();
      const all = [...accepted.opened, ...connected.opened];
      await until(() => all.every((seen) => seen.closes.length > 0), "all are closed");
      assert.ok(all.every((seen) => seen.closes.length === 1));
      await until(() => under.openResources() <= before, "nothing is left open");
      await listener.close();
    });
  });

  describe(`${under.name} TcpHandlers that throw`, () => {
    const events = ["open", "data", "end", "drain"] as const;
    for (const event of events) {
      it(`in ${event} end their own connection alone and are reported`, async () => {
        const failures: unknown[] = [];
        const tcp = under.port({ handlerFailed: (error) => failures.push(error) });
        const bad = new TcpRecorder({
          [event](connection: TcpConnection<Seen>) {
            if (connection.remotePort % 2 >= 0) throw new Error(`broken ${event}`);
          },
        });
        await withPair(tcp, {}, async ({ server: goodServer, client: goodClient }) => {
          const options = { host: "127.0.0.1", port: 0, limits, handlers: bad };
          const listener = await tcp.listen(options);
          const client = new TcpRecorder();
          await connect(tcp, listener.port, client);
          await until(() => bad.opened.length === 1, "the connection is accepted");
          if (event === "data") client.first.connection.write(pattern(5));
          if (event === "end") client.first.connection.end();
          if (event === "drain") {
            client.first.connection.pause();
            for (let full = false; !full;) full = !bad.first.connection.write(pattern(65_536));
            client.first.connection.resume();
          }
          await until(() => failures.length > 0, "the failure is reported");
          assert.deepEqual(failures.map(String), [`Error: broken ${event}`]);
          await until(() => client.first.events.length > 1, "the peer sees the end");
          client.first.connection.destroy();
          if (event !== "open") {
            await until(() => bad.first.closes.length > 0, "the connection closes");
            assert.deepEqual(bad.first.closes, [event === "end" ? "remote" : "local"]);
          } else {
            assert.deepEqual(bad.first.closes, []);
          }
          await listener.close();
          goodClient.connection.write(pattern(10));
          await until(() => goodServer.bytes === 10, "the other connection works on");
        });
      });
    }

    it("in close are reported", async () => {
      const failures: unknown[] = [];
      const tcp = under.port({ handlerFailed: (error) => failures.push(error) });
      const server = {
        close() {
          throw new Error("broken close");
        },
      };
      await withPair(tcp, { server }, async ({ server }) => {
        server.connection.destroy();
        await until(() => failures.length > 0, "the failure is reported");
        assert.deepEqual(failures.map(String), ["Error: broken close"]);
        assert.deepEqual(server.closes, ["local"]);
      });
    });

    it("in open of connect() reject it", async () => {
      const failures: unknown[] = [];
      const tcp = under.port({ handlerFailed: (error) => failures.push(error) });
      const accepted = new TcpRecorder();
      const listener = await tcp.listen({ host: "127.0.0.1", port: 0, limits, handlers: accepted });
      const bad = new TcpRecorder({
        open() {
          throw new Error("broken open");
        },
      });
      await assert.rejects(connect(tcp, listener.port, bad), { message: "broken open" });
      await until(() => accepted.opened[0]?.events.length === 2, "the peer sees the end");
      assert.deepEqual(failures.map(String), ["Error: broken open"]);
      assert.deepEqual(bad.first.closes, []);
      accepted.first.connection.destroy();
      await listener.close();
    });
  });
}
