import { dlopen } from "bun:ffi";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bunTcp } from "../../../src/adapters/bun/tcp.ts";
import { openFiles } from "../open_files.ts";
import { tcpConformance } from "../tcp_conformance.ts";
import { until, withPair } from "../tcp_recorder.ts";
import { tcpTlsConformance } from "../tcp_tls_conformance.ts";

const bunUnderTest = { name: "bunTcp", port: bunTcp, openResources: openFiles, silentAddress };

tcpConformance(bunUnderTest);
tcpTlsConformance(bunUnderTest);

describe("bunTcp: memory", () => {
  it("a large piece is given back when its handler is done", async () => {
    const sent = new Uint8Array(4 << 20).map((_, at) => at * 7);
    const pieces: { bytes: Uint8Array; came: number }[] = [];
    const server = {
      data: (_connection: unknown, bytes: Uint8Array) =>
        void pieces.push({ bytes, came: bytes.length }),
    };
    await withPair(bunTcp(), { server }, async ({ client, server }) => {
      client.connection.write(sent);
      await until(() => server.bytes === sent.length, "all of it came");
      assert.deepEqual(Buffer.concat(server.chunks), Buffer.from(sent));
      const large = pieces.filter(({ came }) => came >= 65_536);
      assert.ok(large.length > 0, "no piece was large");
      assert.deepEqual(large.filter(({ bytes }) => bytes.length > 0), []);
    });
  });
});

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
