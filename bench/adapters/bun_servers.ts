// The ways to serve on Bun that compare.ts measures. Argument: one of the names below.
import dgram from "node:dgram";
import net from "node:net";
import { bunTcp } from "../../src/adapters/bun/tcp.ts";
import { bunUdp } from "../../src/adapters/bun/udp.ts";

const host = "127.0.0.1";
const reply = new TextEncoder().encode("M1_UDP_PONG\n");

const servers: Record<string, () => Promise<number>> = {
  async "tcp Bun.listen alone"() {
    const { port } = Bun.listen({
      hostname: host,
      port: 0,
      allowHalfOpen: true,
      socket: {
        binaryType: "uint8array",
        open: (socket) => void socket.setNoDelay(true),
        data: (socket, bytes) => void socket.write(bytes),
        end: (socket) => void socket.end(),
      },
    });
    return port;
  },
  "tcp node:net alone": () =>
    new Promise((resolve) => {
      const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
        socket.on("data", (bytes) => socket.write(bytes));
        socket.on("error", () => {});
        socket.on("end", () => socket.end());
      });
      server.listen({ host, port: 0, backlog: 4096 }, () => {
        resolve((server.address() as net.AddressInfo).port);
      });
    }),
  async "tcp adapter"() {
    const limits = { outboundBytesMax: 1 << 20, lingerMs: 1_000 };
    const handlers = {
      open(connection: { data: null }) {
        connection.data = null;
      },
      data: (connection: { write(bytes: Uint8Array): boolean }, bytes: Uint8Array) =>
        void connection.write(bytes),
      end: (connection: { end(): void }) => connection.end(),
      drain() {},
      close() {},
    };
    return (await bunTcp().listen({ host, port: 0, limits, handlers })).port;
  },
  async "udp Bun.udpSocket alone"() {
    const socket = await Bun.udpSocket({
      hostname: host,
      binaryType: "uint8array",
      socket: { data: (socket, _bytes, port, address) => void socket.send(reply, port, address) },
    });
    return socket.port;
  },
  async "udp Bun.udpSocket, sendMany once a turn"() {
    let waiting: (Uint8Array | number | string)[] = [];
    const socket = await Bun.udpSocket({
      hostname: host,
      binaryType: "uint8array",
      socket: {
        data(socket, _bytes, port, address) {
          if (waiting.push(reply, port, address) > 3) return;
          setImmediate(() => {
            socket.sendMany(waiting);
            waiting = [];
          });
        },
      },
    });
    return socket.port;
  },
  "udp node:dgram alone": () =>
    new Promise((resolve) => {
      const socket = dgram.createSocket("udp4");
      socket.on("message", (_bytes, peer) => socket.send(reply, peer.port, peer.address));
      socket.bind(0, host, () => resolve(socket.address().port));
    }),
  "udp adapter": () => udpAdapter(host),
  "udp adapter on ::": () => udpAdapter("::"),
};

async function udpAdapter(host: string): Promise<number> {
  const socket = await bunUdp().bind({
    host,
    port: 0,
    handlers: {
      message: (socket, _bytes, host, port) => void socket.send(reply, host, port),
      error: (_socket, error) => console.error(error),
    },
  });
  return socket.port;
}

const name = process.argv[2] ?? "";
console.log(await servers[name]?.() ?? `Unknown "${name}"; known: ${Object.keys(servers)}`);
