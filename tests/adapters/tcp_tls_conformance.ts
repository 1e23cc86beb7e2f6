import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { describe, it } from "node:test";
import {
  firstFault,
  pattern,
  ROOMY_LIMITS,
  type Seen,
  TcpRecorder,
  type TcpUnderTest,
  until,
  writeUntilFull,
} from "./tcp_recorder.ts";
import { listenTls, testCertificate, type TlsServer } from "./tls_server.ts";

const trusted = { serverName: "localhost", authorities: testCertificate };

/** What must hold for connections with TLS that an adapter opens. */
export function tcpTlsConformance(under: TcpUnderTest): void {
  async function withServer(
    accept: (socket: TLSSocket) => void,
    use: (server: TlsServer) => Promise<void>,
  ): Promise<void> {
    const server = await listenTls(accept);
    try {
      await use(server);
    } finally {
      server.close();
    }
  }

  function connect(
    port: number,
    recorder: TcpRecorder,
    tls: { serverName: string; authorities?: string },
    timeoutMs = 5_000,
  ) {
    const where = { host: "127.0.0.1", port, tls, timeoutMs };
    return under.port().connect<Seen>({ ...where, limits: ROOMY_LIMITS, handlers: recorder });
  }

  describe(`${under.name} TcpPort.connect() with TLS`, () => {
    it("opens after the handshake, and carries bytes both ways", async () => {
      await withServer(
        (socket) => socket.on("data", (bytes) => socket.write(bytes)),
        async (server) => {
          const recorder = new TcpRecorder();
          const connection = await connect(server.port, recorder, trusted);
          assert.deepEqual(recorder.first.events, ["open"]);
          assert.equal(connection.remoteHost, "127.0.0.1");
          assert.equal(connection.remotePort, server.port);
          connection.write(pattern(1_000));
          await until(() => recorder.first.bytes === 1_000, "the echo comes back");
          assert.equal(firstFault(recorder.first.chunks), -1);
          connection.destroy();
          await until(() => recorder.first.closes.length > 0, "it closes");
          assert.deepEqual(recorder.first.closes, ["local"]);
        },
      );
    });

    it("takes a certificate for the address, where the name is one", async () => {
      await withServer(() => {}, async (server) => {
        const recorder = new TcpRecorder();
        const connection = await connect(server.port, recorder, {
          ...trusted,
          serverName: "127.0.0.1",
        });
        connection.destroy();
      });
    });

    it("refuses a certificate of an unknown authority, or for another name", async () => {
      await withServer(() => {}, async (server) => {
        const cases = [
          ["DEPTH_ZERO_SELF_SIGNED_CERT", { serverName: "localhost" }],
          ["ERR_TLS_CERT_ALTNAME_INVALID", { ...trusted, serverName: "other.example" }],
        ] as const;
        for (const [code, tls] of cases) {
          const recorder = new TcpRecorder();
          await assert.rejects(connect(server.port, recorder, tls), (error: Error) => {
            assert.equal("code" in error && error.code, code);
            return true;
          });
          assert.deepEqual(recorder.opened, [], "no handler was called");
        }
      });
    });

    it("rejects where no TLS is spoken, where it is silent, and where nobody listens", async () => {
      const sockets: { destroy(): void }[] = [];
      for (const answer of ["HTTP/1.1 400 Bad Request\r\n\r\n", undefined]) {
        const server = createServer((socket) => {
          sockets.push(socket);
          socket.on("error", () => {});
          if (answer !== undefined) socket.end(answer);
        });
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
        const { port } = server.address() as AddressInfo;
        const recorder = new TcpRecorder();
        const started = performance.now();
        await assert.rejects(connect(port, recorder, trusted, answer === undefined ? 100 : 5_000));
        assert.ok(performance.now() - started < 4_000);
        for (const socket of sockets) socket.destroy();
        await new Promise((resolve) => server.close(resolve));
        await assert.rejects(connect(port, recorder, trusted), { code: "ECONNREFUSED" });
        assert.deepEqual(recorder.opened, []);
      }
    });

    it("write() waits for a peer that does not read, and then everything arrives", async () => {
      let received = 0;
      const chunks: Uint8Array[] = [];
      await withServer((socket) => socket.pause(), async (server) => {
        const recorder = new TcpRecorder();
        const connection = await connect(server.port, recorder, trusted);
        let written = writeUntilFull(connection);
        connection.write(pattern(300_000, written));
        written += 300_000;
        assert.ok(connection.bufferedBytes > 0);
        await until(() => server.sockets.length > 0, "the server accepts");
        const socket = server.sockets[0] as TLSSocket;
        socket.on("data", (bytes: Uint8Array) => {
          chunks.push(bytes.slice());
          received += bytes.length;
        });
        socket.resume();
        await until(() => received === written, "all bytes arrive");
        assert.equal(firstFault(chunks), -1);
        await until(() => recorder.first.events.includes("drain"), "it drains");
        assert.equal(connection.bufferedBytes, 0);
        connection.destroy();
      });
    });

    it("reads millions of bytes, with pauses", async () => {
      const total = 3_000_000;
      const send = (socket: TLSSocket) => void socket.write(pattern(total));
      await withServer(send, async (server) => {
        const recorder = new TcpRecorder({
          data(connection) {
            if (connection.data.chunks.length % 50 !== 0) return;
            connection.pause();
            setTimeout(() => connection.resume(), 1);
          },
        });
        const connection = await connect(server.port, recorder, trusted);
        await until(() => recorder.first.bytes === total, "all bytes arrive");
        assert.equal(firstFault(recorder.first.chunks), -1);
        connection.destroy();
      });
    });

    it("end() sends all that waits, and closes when the peer does", async () => {
      let received = 0;
      const accept = (socket: TLSSocket) => {
        socket.on("data", (bytes: Uint8Array) => received += bytes.length);
        socket.on("end", () => socket.end());
      };
      await withServer(accept, async (server) => {
        const recorder = new TcpRecorder();
        const connection = await connect(server.port, recorder, trusted);
        connection.write(pattern(500_000));
        connection.end();
        assert.equal(connection.write(pattern(1)), false);
        await until(() => recorder.first.closes.length > 0, "it closes");
        assert.deepEqual(recorder.first.closes, ["local"]);
        assert.equal(received, 500_000);
      });
    });

    it("tells of the peer's end after its last bytes", async () => {
      await withServer((socket) => socket.end(pattern(2_000)), async (server) => {
        const end = (connection: { end(): void }) => connection.end();
        const recorder = new TcpRecorder({ end });
        await connect(server.port, recorder, trusted);
        await until(() => recorder.first.closes.length > 0, "it closes");
        assert.equal(recorder.first.bytes, 2_000);
        assert.deepEqual(recorder.first.closes, ["remote"]);
      });
    });
  });
}
