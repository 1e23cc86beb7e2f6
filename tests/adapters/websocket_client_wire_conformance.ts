import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { describe, it } from "node:test";
import type {
  WebSocketClientConnection,
  WebSocketClientPort,
} from "../../src/ports/websocket_client.ts";
import { ClientRecorder, until } from "./http_recorder.ts";
import { encodeFrame, type FrameQuirks, opcode, RawConnection } from "./raw_websocket.ts";

/** What each real WebSocket client must keep towards servers that break the rules. */
export function webSocketClientWireConformance(under: {
  readonly name: string;
  client(): WebSocketClientPort;
}): void {
  describe(`${under.name} WebSocketClientPort.connect() on the wire`, () => {
    it("gives up after connectTimeoutMs, and lets go of the server", async () => {
      await withRawServer(() => {}, async (port, accepted) => {
        const { recorder } = connect(under, port, { connectTimeoutMs: 200 });
        await until(() => recorder.closes.length > 0, "the close");
        assert.deepEqual(recorder.events, ["close"]);
        assert.deepEqual(recorder.closes, [{ code: 1006, reason: "not open after 200 ms" }]);
        await accepted[0]?.peer.closed;
      });
    });

    const answers: [string, (peer: RawConnection) => void][] = [
      ["a 404", (peer) => peer.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")],
      ["a wrong accept key", (peer) => peer.write(acceptText("c29tZSBvdGhlciBrZXk="))],
      ["bytes that are not HTTP", (peer) => peer.write("hello there\r\n\r\n")],
      ["a FIN", (peer) => peer.end()],
      ["a break", (peer) => peer.destroy()],
    ];
    for (const [what, answer] of answers) {
      it(`reports ${what} as 1006 with the cause`, async () => {
        await withRawServer(answer, async (port) => {
          const { recorder } = connect(under, port);
          await until(() => recorder.closes.length > 0, "the close");
          assert.deepEqual(recorder.events, ["close"]);
          assert.equal(recorder.closes[0]?.code, 1006);
          assert.notEqual(recorder.closes[0]?.reason, "");
          assert.doesNotMatch(recorder.closes[0]?.reason ?? "", /ws:|token/);
        });
      });
    }
  });

  describe(`${under.name} WebSocketClientConnection on the wire`, () => {
    const faults: [string, (peer: RawConnection) => void, number][] = [
      ["a masked frame", (peer) => send(peer, opcode.text, "hi", { masked: true }), 1006],
      ["text that is not UTF-8", (peer) => send(peer, opcode.text, Uint8Array.of(0xff)), 1006],
      ["a FIN", (peer) => peer.end(), 1006],
      ["a break", (peer) => peer.destroy(), 1006],
      ["a close frame without a code", (peer) => send(peer, opcode.close, ""), 1005],
    ];
    for (const [what, misbehave, code] of faults) {
      it(`closes once, with ${code}, after ${what}`, async () => {
        await withRawServer(misbehave, async (port) => {
          const { recorder } = connect(under, port);
          await until(() => recorder.closes.length > 0, "the close");
          assert.deepEqual(recorder.closes.map((close) => close.code), [code]);
          assert.deepEqual(recorder.messages, []);
        }, { accept: true });
      });
    }

    it("masks what it sends, answers pings, and offers no extension", async () => {
      await withRawServer((peer) => send(peer, opcode.ping, "alive?"), async (port, accepted) => {
        const { client, recorder } = connect(under, port);
        await until(() => recorder.events.length > 0, "the client to open");
        const { peer, headers } = accepted[0] ?? assert.fail("nobody came");
        assert.equal(headers.get("sec-websocket-extensions"), null);
        const pong = await peer.readFrame();
        assert.deepEqual([pong.opcode, pong.masked], [opcode.pong, true]);
        assert.deepEqual(new TextDecoder().decode(pong.payload), "alive?");
        client.send("hi");
        const message = await peer.readFrame();
        assert.deepEqual([message.opcode, message.masked], [opcode.text, true]);
        assert.deepEqual(new TextDecoder().decode(message.payload), "hi");
        client.terminate();
      }, { accept: true });
    });

    it("close() cuts a server that does not answer", { timeout: 20_000 }, async () => {
      await withRawServer(() => {}, async (port, accepted) => {
        const { client, recorder } = connect(under, port);
        await until(() => recorder.events.length > 0, "the client to open");
        client.close(4000, "bye");
        await until(() => recorder.closes.length > 0, "the close");
        await accepted[0]?.peer.closed;
        assert.deepEqual(recorder.closes, [{ code: 4000, reason: "bye" }]);
      }, { accept: true });
    });
  });
}

interface Accepted {
  readonly peer: RawConnection;
  /** Of its request. */
  readonly headers: Headers;
}

/** Runs `use` with a server that reads the request, agrees to it if it is to, and then does `act`. */
async function withRawServer(
  act: (peer: RawConnection) => void,
  use: (port: number, accepted: readonly Accepted[]) => Promise<void>,
  { accept = false } = {},
): Promise<void> {
  const accepted: Accepted[] = [];
  const sockets = new Set<Socket>();
  const server = createServer(async (socket) => {
    sockets.add(socket);
    const peer = new RawConnection(socket);
    const { headers } = await peer.readHead();
    accepted.push({ peer, headers });
    if (accept) peer.write(acceptText(acceptKey(headers.get("sec-websocket-key") ?? "")));
    act(peer);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await use((server.address() as AddressInfo).port, accepted);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

function connect(
  under: { client(): WebSocketClientPort },
  port: number,
  { connectTimeoutMs = 5000 } = {},
): { client: WebSocketClientConnection; recorder: ClientRecorder } {
  const recorder = new ClientRecorder();
  const client = under.client().connect({
    url: `ws://127.0.0.1:${port}/?token=secret#fragment`,
    connectTimeoutMs,
    messageBytesMax: 1000,
    handlers: recorder,
  });
  return { client, recorder };
}

function send(
  peer: RawConnection,
  kind: number,
  payload: Uint8Array | string,
  quirks: FrameQuirks = {},
): void {
  peer.write(encodeFrame(kind, payload, { masked: false, ...quirks }));
}

function acceptKey(key: string): string {
  // RFC 6455 §1.3.
  return createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
}

function acceptText(key: string): string {
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${key}\r\n\r\n`;
}
