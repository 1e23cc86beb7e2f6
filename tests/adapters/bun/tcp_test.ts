import { dlopen } from "bun:ffi";
import { bunTcp } from "../../../src/adapters/bun/tcp.ts";
import { openFiles } from "../open_files.ts";
import { tcpConformance } from "../tcp_conformance.ts";
import { tcpTlsConformance } from "../tcp_tls_conformance.ts";

const bunUnderTest = { name: "bunTcp", port: bunTcp, openResources: openFiles, silentAddress };

tcpConformance(bunUnderTest);
tcpTlsConformance(bunUnderTest);

const AF_INET = 2;
const SOCK_STREAM = 1;

/** A listener that nobody accepts from, with its queue filled: Bun's own always accepts. */
async function silentAddress() {
  const { symbols: libc } = dlopen("libc.so.6", {
    socket: { args: ["int", "int", "int"], returns: "int" },
    bind: { args: ["int", "ptr", "int"], returns: "int" },
    listen: { args: ["int", "int"], returns: "int" },
    getsockname: { args: ["int", "ptr", "ptr"], returns: "int" },
    close: { args: ["int"], returns: "int" },
  });
  const host = "127.0.0.1";
  const listener = libc.socket(AF_INET, SOCK_STREAM, 0);
  // struct sockaddr_in: family (2 bytes, of this machine's order), port, address, 8 unused bytes.
  const address = new Uint8Array(16);
  address.set([AF_INET, 0, 0, 0, 127, 0, 0, 1]);
  libc.bind(listener, address, address.length);
  libc.listen(listener, 1);
  libc.getsockname(listener, address, new Uint32Array([address.length]));
  const port = new DataView(address.buffer).getUint16(2);
  const connect = () => Bun.connect({ hostname: host, port, socket: { data() {} } });
  const waiting = [await connect(), await connect()];
  return {
    host,
    port,
    close() {
      for (const connection of waiting) connection.terminate();
      libc.close(listener);
    },
  };
}
