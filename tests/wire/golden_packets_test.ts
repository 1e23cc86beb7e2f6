/** Every packet of every recording of the original server, read and written. */
import assert from "node:assert/strict";
import process from "node:process";
import { it } from "node:test";
import { CborMap, decodeCbor, decodeCborAt } from "../../src/wire/cbor.ts";
import { encodeServerPacket } from "../../src/wire/encode_server_message.ts";
import { encodePacket, encodeRequest } from "../../src/wire/packet.ts";
import { PacketFramer } from "../../src/wire/packet_framer.ts";
import { type Packet, packetBytesMaxAfterLogin, packetTypes } from "../../src/wire/packet_types.ts";
import { fakeRandom } from "../fakes/random.ts";
import { showCbor } from "./cbor_diagnostic.ts";
import { describeTraces, type Frame, framesOf, traceLines, traceNames } from "./golden_traces.ts";
import { fromHex, joined, toHex } from "./hex.ts";
import { semanticMessage } from "./semantic_message.ts";

const seed = Number(process.env.FREEKILL_GW_TEST_SEED ?? Date.now() % 1_000_000);

/** Larger streams are split at this many random places instead of at every byte. */
const SPLITS_MAX = 400;

const traces = traceNames();

/** Packets that a well-behaved peer could have sent: the rest is in golden_bad_input_test.ts. */
function goodFrames(trace: string): Frame[] {
  return framesOf(trace).filter(({ decoded, bytes }) =>
    decoded !== undefined && (bytes[0] === 0x84 || bytes[0] === 0x86) && decoded.command !== "b" &&
    !toHex(bytes).startsWith("84fb")
  );
}

function packetsOf(pieces: readonly Uint8Array[]): Packet[] {
  const framer = new PacketFramer({ packetBytesMax: packetBytesMaxAfterLogin });
  const packets: Packet[] = [];
  for (const piece of pieces) {
    framer.push(piece);
    for (let found = framer.next(); found !== undefined; found = framer.next()) {
      assert.ok(typeof found !== "string", `${found}`);
      packets.push(found);
    }
  }
  return packets;
}

describeTraces("PacketFramer on recordings", () => {
  for (const trace of traces) {
    it(`reads each packet of ${trace} as it was recorded`, () => {
      for (const { bytes, decoded, line } of goodFrames(trace)) {
        const [packet, ...more] = packetsOf([bytes]);
        assert.ok(packet !== undefined && more.length === 0, `line ${line}`);
        assert.equal(packet.requestId, decoded?.requestId, `line ${line}`);
        assert.equal(packet.type, decoded?.type, `line ${line}`);
        assert.equal(packet.command, decoded?.command, `line ${line}`);
        assert.equal(packet.timeoutSeconds, decoded?.timeout, `line ${line}`);
        assert.equal(packet.timestampMs, decoded?.timestamp, `line ${line}`);
        assert.equal(toHex(encodePacket(packet)), toHex(bytes), `line ${line}`);
      }
    });

    it(`reads ${trace} however it is cut and joined (seed ${seed})`, () => {
      const random = fakeRandom(seed);
      const byConnection = Map.groupBy(goodFrames(trace), ({ conn, dir }) => `${conn} ${dir}`);
      for (const frames of byConnection.values()) {
        const expected = frames.map(({ bytes }) => packetsOf([bytes])[0]!);
        const stream = joined(...frames.map(({ bytes }) => bytes));
        assert.deepEqual(packetsOf([stream]), expected);
        const everywhere = stream.length <= SPLITS_MAX;
        for (let round = 0; round < Math.min(stream.length, SPLITS_MAX); round++) {
          const cut = everywhere ? round : Math.floor(random.fraction() * stream.length);
          // Around the cut only, or a long stream would be read hundreds of times.
          const { part, from, to } = around(frames, cut);
          const found = packetsOf([part.subarray(0, cut - from.at), part.subarray(cut - from.at)]);
          assert.deepEqual(found, expected.slice(from.index, to), `cut at ${cut}`);
        }
      }
    });
  }
});

/** The frame that a place in the stream falls into, with its neighbours. */
function around(
  frames: readonly Frame[],
  cut: number,
): { part: Uint8Array; from: { index: number; at: number }; to: number } {
  let at = 0;
  let index = 0;
  while (at + frames[index]!.bytes.length <= cut) at += frames[index++]!.bytes.length;
  const first = Math.max(0, index - 1);
  const to = Math.min(frames.length, index + 2);
  if (first < index) at -= frames[first]!.bytes.length;
  const part = joined(...frames.slice(first, to).map(({ bytes }) => bytes));
  return { part, from: { index: first, at }, to };
}

describeTraces("decodeCbor() on recordings", () => {
  for (const trace of traces) {
    it(`reads the data of ${trace} as it was recorded`, () => {
      for (const { decoded, bytes, line } of goodFrames(trace)) {
        const diagnostic = decoded!.dataDiag;
        if (/^(raw |!|\(empty\))/.test(diagnostic) || decoded!.type === 0x1412) continue;
        const found = decodeCbor(packetsOf([bytes])[0]!.data);
        if (!found.ok) {
          // The original cut this text within a character (a listed defect).
          assert.deepEqual([trace, found.fault], ["lobby_chat", "bad_utf8"], `line ${line}`);
          continue;
        }
        const shown = showCbor(found.value);
        const whole = diagnostic.length < 4_000;
        if (whole) assert.equal(shown, diagnostic, `line ${line}`);
        else assert.equal(shown.slice(0, 3_900), diagnostic.slice(0, 3_900), `line ${line}`);
      }
    });
  }
});

describeTraces("encodeServerPacket() on recordings", () => {
  for (const trace of traces) {
    it(`writes what the server sent in ${trace}, byte for byte`, () => {
      for (const { dir, bytes, line } of goodFrames(trace)) {
        if (dir !== "s2c") continue;
        const packet = packetsOf([bytes])[0]!;
        if (packet.type === packetTypes.serverRequest) {
          const { requestId, command, data, timeoutSeconds = 0, timestampMs = 0 } = packet;
          const request = { requestId, command, data, timeoutSeconds, timestampMs };
          assert.equal(toHex(encodeRequest(request)), toHex(bytes), `line ${line}`);
          continue;
        }
        const message = semanticMessage(packet);
        // A text that the original cut within a character (a listed defect) is no text.
        if (message === "not_utf8") assert.equal(trace, "lobby_chat");
        else assert.equal(toHex(encodeServerPacket(message)), toHex(bytes), `line ${line}`);
      }
    });
  }

  it("covers every command of the server but those that were not recorded", () => {
    const commands = new Set<string>(
      traces.flatMap((trace) =>
        goodFrames(trace).filter(({ dir }) => dir === "s2c").map(({ bytes }) => {
          const message = semanticMessage(packetsOf([bytes])[0]!);
          return message === "not_utf8" ? "" : message.command;
        })
      ),
    );
    for (
      const command of [
        "NetworkDelayTest",
        "Setup",
        "SetServerSettings",
        "AddTotalGameTime",
        "EnterLobby",
        "UpdatePlayerNum",
        "UpdateRoomList",
        "Chat",
        "EnterRoom",
        "AddPlayer",
        "RemovePlayer",
        "RoomOwner",
        "ReadyChanged",
        "UpdateGameData",
        "NetStateChanged",
        "ChangeSelf",
        "ChangeRoom",
        "ErrorDlg",
        "ErrorMsg",
        "ServerMessage",
        "UpdateAvatar",
        "UpdatePackage",
        "Heartbeat",
        "raw",
      ]
    ) assert.ok(commands.has(command), command);
  });
});

describeTraces("decodeCborAt() on the recorded Lua child", () => {
  it("reads each message as one map with integer keys", () => {
    let count = 0;
    for (const { hex } of traceLines("lua_rpc")) {
      if (hex === undefined) continue;
      const bytes = fromHex(hex);
      const found = decodeCborAt(bytes, 0);
      assert.ok(found.ok && found.value.item instanceof CborMap);
      assert.equal(found.value.end, bytes.length);
      assert.ok(found.value.item.get(100) !== undefined);
      count++;
    }
    assert.ok(count > 100);
  });
});
