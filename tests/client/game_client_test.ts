import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import { describe, it } from "node:test";
import { describeTraces, framesOf, traceNames } from "../wire/golden_traces.ts";
import { type CborItem, CborReader, encode } from "./cbor.ts";
import { diagnose, fromHex, hexOf } from "./diagnosis.ts";
import { GameClient } from "./game_client.ts";
import { GamePacket, packetBytes, PacketStream } from "./game_packet.ts";

/** A notification of a server. */
function said(command: string, data: CborItem): Uint8Array {
  return packetBytes({ id: -2, type: 0x421, command, data: encode(data) });
}

/** Runs `use` with a client of a server that does what `serve` says. */
async function withServer(
  serve: (socket: Socket, packets: () => GamePacket[]) => void,
  use: (client: GameClient, server: Server) => Promise<void>,
): Promise<void> {
  const server = createServer((socket) => {
    const stream = new PacketStream();
    const packets: GamePacket[] = [];
    socket.on("data", (bytes: Uint8Array) => {
      packets.push(...stream.push(new Uint8Array(bytes)));
      socket.emit("packets");
    });
    socket.on("error", () => {});
    serve(socket, () => packets);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const client = await GameClient.connect({ port, localAddress: "127.0.0.9" });
  try {
    await use(client, server);
  } finally {
    await client.reset();
    await new Promise((resolve) => server.close(resolve));
  }
}

describe("the headless client's own codec", () => {
  // RFC 8949 appendix A.
  const vectors: readonly (readonly [string, CborItem])[] = [
    ["00", 0],
    ["1818", 24],
    ["1903e8", 1_000],
    ["1a000f4240", 1_000_000],
    ["1b000000e8d4a51000", 1_000_000_000_000],
    ["3903e7", -1_000],
    ["fb3ff199999999999a", 1.1],
    ["f4", false],
    ["f6", null],
    ["4401020304", Uint8Array.of(1, 2, 3, 4)],
    ["6449455446", "IETF"],
    ["62c3bc", "ü"],
    ["8301820203820405", [1, [2, 3], [4, 5]]],
    ["a26161016162820203", { a: 1, b: [2, 3] }],
  ];
  it("encode() and CborReader.read() agree with the examples of RFC 8949", () => {
    for (const [hex, item] of vectors) {
      assert.equal(hexOf(encode(item)), hex);
      assert.deepEqual(new CborReader(fromHex(hex)).read(), item);
    }
  });

  it("diagnose() marks heads that are longer than needed", () => {
    assert.equal(diagnose(fromHex("82180560"), { marks: true }), '[5_, ""]');
    assert.equal(diagnose(fromHex("82180560")), '[5, ""]');
    assert.equal(diagnose(fromHex("8218")), "!h'8218'");
  });

  it("PacketStream.push() keeps a packet until the rest of it arrives", () => {
    const bytes = [...said("Chat", { msg: "hello" }), ...said("EnterLobby", null)];
    for (let cut = 0; cut <= bytes.length; cut++) {
      const stream = new PacketStream();
      const packets = [
        ...stream.push(Uint8Array.from(bytes.slice(0, cut))),
        ...stream.push(Uint8Array.from(bytes.slice(cut))),
      ];
      assert.deepEqual(packets.map(({ command }) => command), ["Chat", "EnterLobby"]);
      assert.equal(stream.pendingBytes, 0);
    }
  });
});

describe("GameClient", () => {
  it("logs in with the server's key and knows its id", async () => {
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 1_024 });
    const pem = publicKey.export({ type: "pkcs1", format: "pem" }) as string;
    await withServer((socket, packets) => {
      socket.write(said("NetworkDelayTest", new TextEncoder().encode(pem)));
      socket.on("packets", () => {
        if (packets().at(-1)?.command !== "Setup") return;
        socket.write(said("Setup", [7, "gao", "liubei", 1_700_000_000_000]));
        socket.write(said("EnterLobby", null));
      });
    }, async (client) => {
      await client.login({ name: "gao", password: "secret" });
      assert.equal(client.id, 7);
      assert.equal(client.publicKeyPem, pem);
    });
  });

  it("login() rejects with the text of a refusal, and closed tells how it ended", async () => {
    const data = new TextEncoder().encode("server is full!");
    await withServer((socket) => {
      socket.end(packetBytes({ id: -2, type: 0x421, command: "ErrorDlg", data }));
    }, async (client) => {
      await assert.rejects(
        client.login({ name: "gao", password: "x" }),
        /^Error: server is full!$/,
      );
      assert.equal(await client.closed, "fin");
    });
  });

  it("expect() gives matching packets in turn and lists what came instead", async () => {
    await withServer((socket) => {
      socket.write(said("Chat", { msg: "one" }));
      socket.write(said("EnterLobby", null));
      socket.end(said("Chat", { msg: "two" }));
    }, async (client) => {
      assert.equal((await client.expect("Chat")).diag, '{"msg": "one"}');
      assert.equal((await client.expect("Chat")).diag, '{"msg": "two"}');
      await assert.rejects(
        client.expect("UpdateRoomList"),
        /^Error: expected UpdateRoomList, but the connection ended \(fin\); since then: nothing$/,
      );
    });
  });

  it("answers heartbeats by itself, and requests as told, with the request's id", async () => {
    let heard = () => {};
    const both = new Promise<void>((resolve) => heard = resolve);
    const seen: string[] = [];
    await withServer((socket, packets) => {
      socket.write(said("Heartbeat", null));
      const ask = { id: 12, type: 0x121, command: "AskForGeneral", data: encode([1]) };
      socket.write(packetBytes({ ...ask, timeout: 15, timestamp: 1_700_000_000_000 }));
      socket.on("packets", () => {
        if (packets().length < 2) return;
        seen.push(...packets().map((one) => `${one.id} ${one.type.toString(16)} ${one.diag}`));
        heard();
      });
    }, async (client) => {
      client.answer("AskForGeneral", () => "__cancel");
      await both;
      assert.deepEqual(seen, ['-2 412 ""', '12 212 "__cancel"']);
    });
  });

  it("closed is reset when the server throws the connection away", async () => {
    await withServer((socket) => {
      socket.on("packets", () => socket.resetAndDestroy());
    }, async (client) => {
      client.heartbeat();
      assert.equal(await client.closed, "reset");
    });
  });
});

describeTraces("the headless client's codec on recordings", () => {
  for (const trace of traceNames()) {
    it(`reads every packet of ${trace} as the recording notes it, and would write the same`, () => {
      for (const { bytes, decoded, dir, line } of framesOf(trace)) {
        if (dir !== "s2c" || decoded === undefined) continue;
        const packet = new GamePacket(bytes);
        const { id: requestId, type, command } = packet;
        const place = `${trace}:${line}`;
        assert.deepEqual(
          { requestId, type, command },
          { requestId: decoded.requestId, type: decoded.type, command: decoded.command },
          place,
        );
        if (decoded.dataDiag.length < 4_000) assert.equal(packet.diag, decoded.dataDiag, place);
        const { id, data, timeout, timestamp } = packet;
        const written = packetBytes({ id, type, command, data, timeout, timestamp });
        assert.equal(hexOf(written), hexOf(bytes), place);
      }
    });
  }
});
