/** The least a UDP server can do, with `bun` or `node` sockets. Prints `ready <port>`. */
import { createSocket } from "node:dgram";

if (process.argv[2] === "node") {
  const socket = createSocket("udp4");
  socket.on("message", (bytes, peer) => socket.send(bytes, peer.port, peer.address));
  socket.on("error", () => {}); // as below
  socket.bind(0, "127.0.0.1", () => console.log(`ready ${socket.address().port}`));
} else {
  const socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, bytes, port, address) {
        socket.send(bytes, port, address);
      },
      // Linux reports a peer that closed before its replies came; without this the peer ends.
      error() {},
    },
  });
  console.log(`ready ${socket.port}`);
}
