import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import { after, describe, it } from "node:test";
import { askToStop, checkPort, probeHealth } from "../../src/watchdog/health_probe.ts";
import { keepAliveMs } from "../../src/watchdog/service_manager.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";
import { freePort } from "../program_environment.ts";

/** Short enough to wait for, long enough for an answer on a busy machine. */
const timeoutMs = 600;
const host = "127.0.0.1";

const servers: Server[] = [];
const sockets: Socket[] = [];
after(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
});

/** A server that treats each connection like this; gives its port. */
function serving(treat: (socket: Socket) => void): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on("error", () => {});
      socket.resume();
      treat(socket);
    });
    servers.push(server);
    server.listen(0, host, () => {
      const address = server.address();
      resolve(typeof address === "object" ? address?.port ?? 0 : 0);
    });
  });
}

const replying = (reply: string | Uint8Array) =>
  serving((socket) => void socket.once("data", () => socket.write(reply)));

async function probe(tcpPort: number, udpPort?: number): Promise<string> {
  const ports = await runtimeUnderTest();
  const health = await probeHealth(ports, { host, tcpPort, udpPort, timeoutMs });
  assert.equal(health.ok, health.reason === "ok");
  return health.reason;
}

describe("probeHealth() over TCP", () => {
  it("is good for M1_CONN_PONG, with or without a carriage return, in pieces", async () => {
    assert.equal(await probe(await replying("M1_CONN_PONG\n")), "ok");
    assert.equal(await probe(await replying("M1_CONN_PONG\r\n")), "ok");
    const slow = await serving((socket) => {
      socket.once("data", () => {
        socket.write("M1_CONN");
        setTimeout(() => socket.write("_PONG\n"), 50);
      });
    });
    assert.equal(await probe(slow), "ok");
  });

  it("says what is wrong with any other peer, in one short line", async () => {
    const closed = await freePort();
    assert.equal(await probe(closed), `TCP 127.0.0.1:${closed}: nobody listens (ECONNREFUSED)`);
    const deaf = await serving(() => {});
    assert.equal(await probe(deaf), `TCP 127.0.0.1:${deaf}: no reply within 600 ms`);
    const half = await replying("M1_CONN_PONG");
    assert.equal(await probe(half), `TCP 127.0.0.1:${half}: no reply within 600 ms`);
    const hangsUp = await serving((socket) => void socket.end());
    assert.match(await probe(hangsUp), /: the connection (was closed without a reply|broke off)$/);
    const other = await replying(`HTTP/1.1 400 ${"Bad ".repeat(200)}\n\n`);
    const reason = await probe(other);
    assert.match(reason, /expected M1_CONN_PONG, got "HTTP\/1\.1 400 Bad/);
    assert.ok(reason.length < 150, reason);
    const garbage = await replying(new Uint8Array(100_000).fill(0xf5));
    assert.match(await probe(garbage), /: it speaks another protocol$/);
  });
});

describe("probeHealth() over UDP", () => {
  it("is good for M1_UDP_PONG, and sends again when the first datagram is lost", async () => {
    const tcpPort = await replying("M1_CONN_PONG\n");
    for (const lost of [0, 1]) {
      const socket = createSocket("udp4");
      let seen = 0;
      socket.on("message", (bytes, from) => {
        assert.equal(bytes.toString(), "M1_UDP_PING\n");
        if (seen++ >= lost) socket.send("M1_UDP_PONG\n", from.port, from.address);
      });
      await new Promise<void>((resolve) => socket.bind(0, host, resolve));
      assert.equal(await probe(tcpPort, socket.address().port), "ok");
      socket.close();
    }
  });

  it("tells of a missing answer beside what TCP says", async () => {
    const closed = await freePort();
    const reason = await probe(closed, closed);
    assert.match(reason, /^TCP 127\.0\.0\.1:\d+: nobody listens .*; UDP 127\.0\.0\.1:\d+: /);
  });
});

describe("checkPort()", () => {
  it("tells a free port, a server like ours, a stranger and a known orphan apart", async () => {
    const ports = await runtimeUnderTest();
    const check = async (port: number, orphan?: number) => {
      const found = await checkPort(ports, { host, port, timeoutMs }, orphan);
      return found.kind === "free" ? "free" : found.detail.replace(/^TCP port \S+ is /, "");
    };
    assert.equal(await check(await freePort(), 77), "free");
    const ours = await replying("M1_CONN_PONG\n");
    assert.match(await check(ours), /^held by another server, which answers probes/);
    const stranger = await serving(() => {});
    assert.match(await check(stranger), /^held by another program, which does not answer probes$/);
    assert.match(await check(stranger, 77), /^still held by process 77, .*; end it: kill 77$/);
  });
});

describe("askToStop()", () => {
  it("sends the token and __STOP__ in one go and tells how that went", async () => {
    const ports = await runtimeUnderTest();
    const heard: string[] = [];
    const answering = (...replies: string[]) =>
      serving((socket) => {
        socket.once("data", (bytes) => {
          heard.push(bytes.toString());
          socket.end(replies.map((reply) => `${reply}\n`).join(""));
        });
      });
    const ask = async (port: number) =>
      await askToStop(ports, { host, port, timeoutMs, token: "s3cret" });
    assert.equal(await ask(await answering("AUTH_OK", "__STOP_OK__")), "acknowledged");
    assert.equal(await ask(await answering("AUTH_OK", "ERR_FORBIDDEN")), "not_taken");
    assert.equal(await ask(await answering("ERR_FORBIDDEN", "__STOP_OK__")), "acknowledged");
    assert.equal(await ask(await answering()), "not_listening");
    assert.equal(await ask(await freePort()), "not_listening");
    assert.deepEqual(heard, new Array(4).fill("AUTH:s3cret\n__STOP__\n"));
  });
});

it("keepAliveMs() is half of WATCHDOG_USEC when that is meant for this process", () => {
  assert.equal(keepAliveMs({}, 7), undefined);
  assert.equal(keepAliveMs({ WATCHDOG_USEC: "30000000" }, 7), 15_000);
  assert.equal(keepAliveMs({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "7" }, 7), 15_000);
  assert.equal(keepAliveMs({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "8" }, 7), undefined);
  assert.equal(keepAliveMs({ WATCHDOG_USEC: "1" }, 7), 1);
  for (const wrong of ["", "0", "-5", "x", "1e99", "1.5"]) {
    assert.equal(keepAliveMs({ WATCHDOG_USEC: wrong }, 7), undefined, wrong);
  }
});
