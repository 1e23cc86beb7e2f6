import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BindError } from "../../src/ports/bind_error.ts";
import type { UdpHandlers, UdpPort, UdpSocket } from "../../src/ports/udp.ts";
import { noIpv6, UNASSIGNED_HOST } from "./addresses.ts";
import { pattern, until } from "./tcp_recorder.ts";

/** What a suite for UDP needs of the adapter that it tests. */
export interface UdpUnderTest {
  readonly name: string;
  port(hook?: { handlerFailed(error: unknown): void }): UdpPort;
}

interface Datagram {
  readonly bytes: Uint8Array;
  readonly host: string;
  readonly port: number;
}

/** Handlers that note what comes. */
class UdpRecorder implements UdpHandlers {
  readonly datagrams: Datagram[] = [];
  readonly errors: Error[] = [];

  message(_socket: UdpSocket, bytes: Uint8Array, host: string, port: number): void {
    this.datagrams.push({ bytes: bytes.slice(), host, port });
  }

  error(_socket: UdpSocket, error: Error): void {
    this.errors.push(error);
  }
}

/** Sends back what comes. */
class UdpEcho extends UdpRecorder {
  override message(socket: UdpSocket, bytes: Uint8Array, host: string, port: number): void {
    super.message(socket, bytes, host, port);
    socket.send(bytes, host, port);
  }
}

/** All that each adapter for UDP must keep, and the fake with them. */
export function udpConformance(under: UdpUnderTest): void {
  describe(`${under.name} UdpPort`, () => {
    /** Two sockets of one port: one that echoes and one that asks. */
    async function withEcho(
      hosts: { echo: string; asking: string; sendTo: string },
      use: (sides: {
        udp: UdpPort;
        echo: UdpEcho;
        echoSocket: UdpSocket;
        asking: UdpRecorder;
        askingSocket: UdpSocket;
        ask(bytes: Uint8Array): boolean;
      }) => Promise<void>,
    ): Promise<void> {
      const udp = under.port();
      const echo = new UdpEcho();
      const asking = new UdpRecorder();
      const echoSocket = await udp.bind({ host: hosts.echo, port: 0, handlers: echo });
      const askingSocket = await udp.bind({ host: hosts.asking, port: 0, handlers: asking });
      const ask = (bytes: Uint8Array) => askingSocket.send(bytes, hosts.sendTo, echoSocket.port);
      try {
        await use({ udp, echo, echoSocket, asking, askingSocket, ask });
      } finally {
        echoSocket.close();
        askingSocket.close();
      }
    }

    const local = { echo: "127.0.0.1", asking: "127.0.0.1", sendTo: "127.0.0.1" };

    it("send() carries datagrams whole, with the sender's address", async () => {
      await withEcho(local, async ({ echo, echoSocket, asking, askingSocket, ask }) => {
        assert.equal(ask(pattern(1_000)), true);
        await until(() => asking.datagrams.length === 1, "the echo comes");
        const there = { bytes: pattern(1_000), host: "127.0.0.1", port: askingSocket.port };
        assert.deepEqual(plain(echo.datagrams[0]), plain(there));
        const back = { bytes: pattern(1_000), host: "127.0.0.1", port: echoSocket.port };
        assert.deepEqual(plain(asking.datagrams[0]), plain(back));
      });
    });

    it("send() carries empty datagrams and the largest", async () => {
      await withEcho(local, async ({ asking, ask }) => {
        ask(new Uint8Array(0));
        await until(() => asking.datagrams.length === 1, "the empty one comes back");
        ask(pattern(65_507));
        await until(() => asking.datagrams.length === 2, "the largest comes back");
        const lengths = asking.datagrams.map(({ bytes }) => bytes.length);
        assert.deepEqual(lengths, [0, 65_507]);
      });
    });

    it("send() lets the caller reuse the array", async () => {
      await withEcho(local, async ({ asking, ask }) => {
        const reused = pattern(100);
        ask(reused);
        reused.fill(0xee);
        await until(() => asking.datagrams.length === 1, "the echo comes");
        assert.deepEqual([...(asking.datagrams[0]?.bytes ?? [])], [...pattern(100)]);
      });
    });

    it("send() of a datagram too large fails alone", async () => {
      await withEcho(local, async ({ asking, askingSocket, ask }) => {
        const refused = !ask(new Uint8Array(70_000));
        await until(() => refused || asking.errors.length > 0, "the failure is told");
        ask(pattern(3));
        await until(() => asking.datagrams.length === 1, "the next one comes back");
        assert.equal(askingSocket.send(pattern(3), "127.0.0.1", 0), false);
      });
    });

    it("send() to a port where nobody listens leaves the socket alive", async () => {
      await withEcho(local, async ({ udp, asking, askingSocket, ask }) => {
        const gone = await udp.bind({ host: "127.0.0.1", port: 0, handlers: asking });
        gone.close();
        for (let count = 1; count <= 20; count++) {
          askingSocket.send(pattern(5), "127.0.0.1", gone.port);
          assert.equal(ask(pattern(count)), true);
          await until(() => asking.datagrams.length === count, "each echo comes");
        }
        assert.deepEqual(asking.errors, []);
      });
    });

    it("bind() on :: takes IPv4 too and answers it", { skip: noIpv6 }, async () => {
      const hosts = { echo: "::", asking: "127.0.0.1", sendTo: "127.0.0.1" };
      await withEcho(hosts, async ({ echo, asking, ask }) => {
        ask(pattern(10));
        await until(() => asking.datagrams.length === 1, "the echo comes");
        assert.equal(echo.datagrams[0]?.host, "127.0.0.1");
        assert.equal(asking.datagrams[0]?.host, "127.0.0.1");
        assert.deepEqual(echo.errors, []);
      });
    });

    it("bind() on :: takes IPv6", { skip: noIpv6 }, async () => {
      await withEcho(
        { echo: "::", asking: "::1", sendTo: "::1" },
        async ({ echo, asking, ask }) => {
          ask(pattern(10));
          await until(() => asking.datagrams.length === 1, "the echo comes");
          assert.equal(echo.datagrams[0]?.host, "::1");
        },
      );
    });

    it("bind() rejects with EADDRINUSE for a port in use", async () => {
      await withEcho(local, async ({ udp, echo, echoSocket }) => {
        const { port } = echoSocket;
        await assert.rejects(
          udp.bind({ host: "127.0.0.1", port, handlers: echo }),
          (error) =>
            error instanceof BindError && error.code === "EADDRINUSE" && error.port === port &&
            error.message.startsWith(`Cannot listen on udp 127.0.0.1:${port}: the port is in use`),
        );
      });
    });

    it("bind() rejects with EADDRNOTAVAIL for an address of another machine", async () => {
      await assert.rejects(
        under.port().bind({ host: UNASSIGNED_HOST, port: 0, handlers: new UdpRecorder() }),
        (error) => error instanceof BindError && error.code === "EADDRNOTAVAIL",
      );
    });

    it("close() frees the port, and the socket neither sends nor receives", async () => {
      await withEcho(local, async ({ udp, echo, echoSocket, asking, askingSocket, ask }) => {
        ask(pattern(3));
        askingSocket.close();
        askingSocket.close();
        assert.equal(askingSocket.send(pattern(3), "127.0.0.1", echoSocket.port), false);
        const { port } = askingSocket;
        const next = new UdpRecorder();
        const nextSocket = await bindWhenFree(udp, { host: "127.0.0.1", port, handlers: next });
        assert.equal(nextSocket.port, port);
        nextSocket.send(pattern(4), "127.0.0.1", echoSocket.port);
        await until(() => next.datagrams.some(({ bytes }) => bytes.length === 4), "an echo comes");
        assert.deepEqual(asking.datagrams, []);
        assert.ok(echo.datagrams.length >= 1);
        nextSocket.close();
      });
    });

    it("close() within message ends the socket there", async () => {
      await withEcho(local, async ({ udp, echo, echoSocket }) => {
        let heard = 0;
        const socket = await udp.bind({
          host: "127.0.0.1",
          port: 0,
          handlers: {
            message(socket) {
              heard += 1;
              socket.close();
            },
            error() {},
          },
        });
        for (let count = 0; count < 5; count++) {
          socket.send(pattern(1), "127.0.0.1", echoSocket.port);
        }
        await until(() => echo.datagrams.length === 5, "all are answered");
        await until(() => heard > 0, "the first answer comes");
        assert.equal(heard, 1);
      });
    });

    it("handlers that throw are reported and the socket goes on", async () => {
      const failures: unknown[] = [];
      const udp = under.port({ handlerFailed: (error) => failures.push(error) });
      const recorder = new UdpRecorder();
      const handlers: UdpHandlers = {
        message() {
          throw new Error("broken message");
        },
        error() {},
      };
      const bad = await udp.bind({ host: "127.0.0.1", port: 0, handlers });
      const sender = await udp.bind({ host: "127.0.0.1", port: 0, handlers: recorder });
      for (let count = 1; count <= 2; count++) {
        sender.send(pattern(1), "127.0.0.1", bad.port);
        await until(() => failures.length === count, "the failure is reported");
      }
      assert.equal(String(failures[0]), "Error: broken message");
      bad.close();
      sender.close();
    });
  });
}

/** A closed socket may keep its port for some turns of the event loop. */
async function bindWhenFree(
  udp: UdpPort,
  options: { host: string; port: number; handlers: UdpHandlers },
): Promise<UdpSocket> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    try {
      return await udp.bind(options);
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

function plain(datagram: Datagram | undefined): unknown {
  return datagram && { ...datagram, bytes: [...datagram.bytes] };
}
