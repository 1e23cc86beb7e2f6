/** The least a TCP server on Bun can do: it sends back what it gets. Prints `ready <port>`. */
const listener = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    data(socket, bytes) {
      socket.write(bytes);
    },
  },
});
console.log(`ready ${listener.port}`);
