/** Recordings of malformed and wrongly typed input: what closes a connection, what is ignored. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { nodeZlib } from "../../src/adapters/node/zlib.ts";
import { decodeClientPacket, type IgnoredPacket } from "../../src/wire/client_packet.ts";
import { type PacketFault, PacketFramer } from "../../src/wire/packet_framer.ts";
import {
  type Packet,
  packetBytesMaxAfterLogin,
  packetBytesMaxBeforeLogin,
} from "../../src/wire/packet_types.ts";
import { decodeSetup } from "../../src/wire/setup.ts";
import { describeTraces, framesOf, traceLines, traceNames } from "./golden_traces.ts";
import { fromHex } from "./hex.ts";

const { inflate } = nodeZlib();

function firstOf(
  bytes: Uint8Array,
  packetBytesMax: number = packetBytesMaxBeforeLogin,
): Packet | PacketFault | undefined {
  const framer = new PacketFramer({ packetBytesMax });
  framer.push(bytes);
  return framer.next();
}

describeTraces("PacketFramer on malformed recordings", () => {
  const faults: Record<string, PacketFault> = {
    "break byte 0xff": "packet_not_array",
    "reserved additional info 0x1c": "packet_reserved_encoding",
    "reserved simple 0xf8 0x00": "packet_reserved_encoding",
    "random text": "packet_not_array",
    "array(3)": "packet_item_count",
    "array(5)": "packet_item_count",
    "indefinite array": "packet_indefinite",
    "map": "packet_not_array",
    "array(4) with text command": "packet_bytes_expected",
    "array(4) with float id": "packet_integer_expected",
    "array(4) with nested array as data": "packet_bytes_expected",
    "array(4), bytes in integer position": "packet_integer_expected",
    "huge array length": "packet_item_count",
    "huge byte string length (never completes)": "packet_too_large",
    "tagged packet": "packet_not_array",
  };

  it("names the fault of each input, before and after login", () => {
    const seen = new Set<string>();
    for (const { dir, note, bytes } of framesOf("malformed")) {
      const fault = faults[note];
      if (dir !== "c2s" || fault === undefined) continue;
      assert.equal(firstOf(bytes), fault, note);
      assert.equal(firstOf(bytes, packetBytesMaxAfterLogin), fault, note);
      seen.add(note);
    }
    assert.deepEqual([...seen].sort(), Object.keys(faults).sort());
  });

  it("refuses each input of 10 MB within its first bytes", () => {
    const found = traceLines("garbage_10mb").filter((line) => line.hexTotalBytes !== undefined)
      .map((line) => firstOf(fromHex(line.hex!)));
    assert.deepEqual(found, [
      "packet_not_array",
      "packet_not_array",
      "packet_too_large",
      "packet_too_large",
    ]);
  });
});

describeTraces("decodeSetup() on recordings", () => {
  it("refuses exactly what the original answered with INVALID SETUP STRING", () => {
    let refused = 0;
    let accepted = 0;
    for (const trace of traceNames()) {
      const frames = framesOf(trace);
      for (const conn of new Set(frames.map((frame) => frame.conn))) {
        const ofConn = frames.filter((frame) => frame.conn === conn);
        const at = ofConn.findIndex(({ dir }) => dir === "c2s");
        const first = ofConn[at];
        if (first?.decoded === undefined) continue;
        const packet = firstOf(first.bytes);
        // What the framer already refuses never gets here.
        if (packet === undefined || typeof packet === "string") continue;
        const answer = ofConn.slice(at).find(({ dir }) => dir === "s2c")?.decoded?.dataDiag;
        const invalid = answer === 'raw "INVALID SETUP STRING"';
        assert.equal(decodeSetup(packet) === undefined, invalid, `${trace}:${first.line}`);
        if (invalid) refused++;
        else accepted++;
      }
    }
    assert.ok(refused >= 8, `${refused}`);
    assert.ok(accepted >= 80, `${accepted}`);
  });
});

describeTraces("decodeClientPacket() on wrong_types", () => {
  const outcomes: Record<string, IgnoredPacket | "command"> = {
    "Chat type is a string": "payload_invalid",
    "Chat msg is a number": "payload_invalid",
    "Chat msg is a byte string": "command",
    "LobbyTask type is a number": "payload_invalid",
    "compressed flag with broken zlib": "compression_broken",
    "compressed flag, data shorter than 4 bytes": "compression_broken",
    "KickPlayer in the lobby": "command",
    "EnterRoom password as byte string": "command",
    "CreateRoom capacity as float": "payload_invalid",
    "CreateRoom timeout of 64 bits": "command",
    "Ready in the lobby": "command",
  };

  it("ignores what is of a wrong type, and reads the rest", () => {
    const found: Record<string, string> = {};
    for (const { dir, note, bytes } of framesOf("wrong_types")) {
      if (dir !== "c2s" || found[note] !== undefined || outcomes[note] === undefined) continue;
      const packet = firstOf(bytes, packetBytesMaxAfterLogin);
      assert.ok(packet !== undefined && typeof packet !== "string", note);
      if (packet.command === "Setup") continue;
      const decoded = decodeClientPacket(packet, { plainBytesMax: 65_536, inflate });
      found[note] = decoded.kind === "ignored" ? decoded.reason : decoded.kind;
    }
    assert.deepEqual(found, outcomes);
  });
});

describeTraces("decodeClientPacket() on recordings", () => {
  it("understands all that well-behaved clients sent", () => {
    const kinds = new Map<string, number>();
    const traces = traceNames().filter((trace) =>
      !["bad_setup", "garbage_10mb", "malformed", "wrong_types"].includes(trace)
    );
    for (const trace of traces) {
      for (const { dir, bytes, decoded, line } of framesOf(trace)) {
        if (dir !== "c2s" || decoded === undefined || decoded.command === "Setup") continue;
        const packet = firstOf(bytes, packetBytesMaxAfterLogin);
        assert.ok(packet !== undefined && typeof packet !== "string");
        const found = decodeClientPacket(packet, { plainBytesMax: 65_536, inflate });
        const name = found.kind === "command"
          ? found.command.command
          : found.kind === "reply"
          ? "reply"
          : `${trace} ${found.command} ${decoded.dataDiag} ${found.reason}`;
        if (found.kind === "reply") assert.equal(found.requestId, decoded.requestId, `${line}`);
        kinds.set(name, (kinds.get(name) ?? 0) + 1);
      }
    }
    const ignored = [...kinds.keys()].filter((name) => name.includes(" ")).sort();
    assert.deepEqual(ignored, [
      'create_room CreateRoom ["noset", 4, 15, "nope"] payload_invalid',
      'create_room CreateRoom ["x", 4, 15] payload_invalid',
      "lobby_chat Chat !h'bf' payload_invalid",
      'lobby_chat Chat [1, "x"] payload_invalid',
    ]);
  });
});
