// The ways to serve on Deno that compare.ts measures. Argument: one of the names below. JavaScript,
// because the checker of the Bun side reads this folder and knows no `Deno`.
import dgram from "node:dgram";
import net from "node:net";
import { denoTcp } from "../../src/adapters/deno/tcp.ts";
import { denoUdp } from "../../src/adapters/deno/udp.ts";

const host = "127.0.0.1";
const reply = new TextEncoder().encode("M1_UDP_PONG\n");

const servers = {
  async "tcp Deno.listen alone, 512 bytes to read into"() {
    const listener = Deno.listen({ hostname: host, port: 0, tcpBacklog: 4096 });
    acceptAll(listener);
    return listener.addr.port;
  },
  "tcp node:net alone": () =>
    new Promise((resolve) => {
      const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
        socket.on("data", (bytes) => socket.write(bytes));
        socket.on("error", () => {});
        socket.on("end", () => socket.end());
      });
      server.listen({ host, port: 0, backlog: 4096 }, () => resolve(server.address().port));
    }),
  async "tcp adapter"() {
    const limits = { outboundBytesMax: 1 << 20, lingerMs: 1_000 };
    const handlers = {
      open(connection) {
        connection.data = null;
      },
      data: (connection, bytes) => void connection.write(bytes),
      end: (connection) => connection.end(),
      drain() {},
      close() {},
    };
    return (await denoTcp().listen({ host, port: 0, limits, handlers })).port;
  },
  async "udp Deno.listenDatagram alone (unstable)"() {
    const socket = Deno.listenDatagram({ hostname: host, port: 0, transport: "udp" });
    answerAll(socket);
    return socket.addr.port;
  },
  "udp node:dgram alone": () =>
    new Promise((resolve) => {
      const socket = dgram.createSocket("udp4");
      socket.on("message", (_bytes, peer) => socket.send(reply, peer.port, peer.address));
      socket.bind(0, host, () => resolve(socket.address().port));
    }),
  async "udp adapter"() {
    const handlers = {
      message: (socket, _bytes, host, port) => void socket.send(reply, host, port),
      error: (_socket, error) => console.error(error),
    };
    return (await denoUdp().bind({ host, port: 0, handlers })).port;
  },
};

async function acceptAll(listener) {
  for await (const connection of listener) echo(connection);
}

async function echo(connection) {
  connection.setNoDelay(true);
  const bytes = new Uint8Array(512);
  try {
    for (let read; (read = await connection.read(bytes)) !== null;) {
      await connection.write(bytes.subarray(0, read));
    }
  } finally {
    connection.close();
  }
}

async function answerAll(socket) {
  const bytes = new Uint8Array(65_536);
  for (;;) {
    const [, peer] = await socket.receive(bytes);
    await socket.send(reply, peer);
  }
}

const name = Deno.args[0] ?? "";
console.log(await servers[name]?.() ?? `Unknown "${name}"; known: ${Object.keys(servers)}`);
