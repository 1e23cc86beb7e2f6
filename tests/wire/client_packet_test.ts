import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nodeZlib } from "../../src/adapters/node/zlib.ts";
import { type CborInput, encodeCbor } from "../../src/wire/cbor_encode.ts";
import {
  decodeClientCommand,
  decodeClientPacket,
  isCancelReply,
} from "../../src/wire/client_packet.ts";
import { compress } from "../../src/wire/compression.ts";
import type { Packet } from "../../src/wire/packet_types.ts";
import { fromHex, toHex } from "./hex.ts";

const { inflate, deflate } = nodeZlib();
const options = { plainBytesMax: 65_536, inflate };
const utf8 = (text: string) => new TextEncoder().encode(text);

const packet = (fields: Partial<Packet>): Packet => ({
  requestId: -2,
  type: 0x412,
  command: "Chat",
  data: encodeCbor({ type: 1, msg: "hi" }),
  ...fields,
});

describe("decodeClientPacket()", () => {
  const hi = { kind: "command", command: { command: "Chat", type: 1, msg: "hi" } };

  it("looks at neither id, direction bits nor item count of a notification", () => {
    assert.deepEqual(decodeClientPacket(packet({}), options), hi);
    assert.deepEqual(decodeClientPacket(packet({ requestId: 77, type: 0x400 }), options), hi);
    assert.deepEqual(decodeClientPacket(packet({ requestId: 0, type: 0x421 }), options), hi);
    const timed = packet({ timeoutSeconds: 1, timestampMs: 2 });
    assert.deepEqual(decodeClientPacket(timed, options), hi);
  });

  it("reads replies without looking at command or data", () => {
    const reply = packet({ requestId: 9, type: 0x212, command: "?", data: new Uint8Array(0) });
    assert.deepEqual(decodeClientPacket(reply, options), {
      kind: "reply",
      requestId: 9,
      data: new Uint8Array(0),
    });
  });

  it("ignores a type that is neither", () => {
    for (const type of [0, 0x112, 0x121, -1, 2 ** 32 + 0x412, 2 ** 60, 0x10412]) {
      assert.deepEqual(decodeClientPacket(packet({ type }), options), {
        kind: "ignored",
        reason: "packet_kind_unknown",
        command: "Chat",
      });
    }
  });

  it("inflates notifications and replies", () => {
    const data = compress(packet({}).data, deflate);
    assert.deepEqual(decodeClientPacket(packet({ type: 0x1412, data }), options), hi);
    const reply = decodeClientPacket(packet({ requestId: 3, type: 0x1212, data }), options);
    assert.deepEqual(reply, { kind: "reply", requestId: 3, data: packet({}).data });
  });

  it("ignores what does not inflate, whatever the command", () => {
    const reasons = [["00", "compression_broken"], [
      "ffffffff78",
      "compression_too_large",
    ]] as const;
    for (const [hex, reason] of reasons) {
      for (const type of [0x1412, 0x1212]) {
        const found = decodeClientPacket(
          packet({ type, command: "Ready", data: fromHex(hex) }),
          options,
        );
        assert.deepEqual(found, { kind: "ignored", reason, command: "Ready" });
      }
    }
  });

  it("ignores unknown commands and wrong data", () => {
    const reason = (fields: Partial<Packet>) => {
      const found = decodeClientPacket(packet(fields), options);
      return found.kind === "ignored" ? found.reason : found.kind;
    };
    assert.equal(reason({ command: "Setup" }), "command_unknown");
    assert.equal(reason({ command: "" }), "command_unknown");
    assert.equal(reason({ command: "toString" }), "command_unknown");
    assert.equal(reason({ data: fromHex("bf") }), "payload_invalid");
  });
});

describe("decodeClientCommand()", () => {
  const read = (command: string, data: CborInput) => decodeClientCommand(command, encodeCbor(data));

  it("takes any and no data for commands without a payload", () => {
    const commands = [
      "RefreshRoomList",
      "QuitRoom",
      "AddRobot",
      "Ready",
      "StartGame",
      "Trust",
      "Heartbeat",
    ];
    for (const command of commands) {
      for (const hex of ["", "60", "f6", "ff", "9fffffff"]) {
        assert.deepEqual(decodeClientCommand(command, fromHex(hex)), { command });
      }
    }
  });

  it("takes strings as text and as bytes", () => {
    for (const form of [(text: string) => text, utf8]) {
      assert.deepEqual(read("UpdateAvatar", form("caocao")), {
        command: "UpdateAvatar",
        avatar: "caocao",
      });
      assert.deepEqual(read("UpdatePassword", [form("old"), form("neü")]), {
        command: "UpdatePassword",
        oldPassword: "old",
        newPassword: "neü",
      });
      assert.deepEqual(read("EnterRoom", [3, form("pw")]), {
        command: "EnterRoom",
        roomId: 3,
        password: "pw",
      });
      assert.deepEqual(read("ReadGlobalSaveState", form("key")), {
        command: "ReadGlobalSaveState",
        key: "key",
      });
      assert.deepEqual(read("Chat", { msg: form("x"), type: 2 }), {
        command: "Chat",
        type: 2,
        msg: "x",
      });
      assert.deepEqual(read("PushRequest", form("surrender,true")), {
        command: "PushRequest",
        request: utf8("surrender,true"),
      });
    }
    assert.deepEqual(decodeClientCommand("UpdateAvatar", fromHex("7f 6161 6162 ff")), {
      command: "UpdateAvatar",
      avatar: "ab",
    });
  });

  it("takes whole-number floats where an integer belongs, and no others", () => {
    const observe = (id: string) => decodeClientCommand("ObserveRoom", fromHex(`82 ${id} 60`));
    for (const id of ["03", "f94200", "fa40400000", "fb4008000000000000", "1b0000000000000003"]) {
      assert.deepEqual(observe(id), { command: "ObserveRoom", roomId: 3, password: "" });
    }
    for (const id of ["f94100", "f97e00", "f97c00", "6133", "4133", "f5", "c103", "8103"]) {
      assert.equal(observe(id), "payload_invalid", id);
    }
    assert.deepEqual(decodeClientCommand("KickPlayer", fromHex("21")), {
      command: "KickPlayer",
      playerId: -2,
    });
  });

  it("gives Chat its defaults", () => {
    assert.deepEqual(read("Chat", {}), { command: "Chat", type: 1, msg: "" });
    assert.deepEqual(read("Chat", { msg: "a" }), { command: "Chat", type: 1, msg: "a" });
  });

  it("keeps the settings of a room byte for byte and reads two keys of the top level", () => {
    // A map with a two-byte head, a key in bytes, a nested password, and a repeated key.
    const settings = "b90005" + "6867616d654d6f646563616161" + "4870617373776f726462" + "7077" +
      "6161a16870617373776f72646178" + "6867616d654d6f646563626262" + "6162f97e00";
    const data = fromHex(`84 6172 02 0f ${settings}`);
    const room = {
      name: "r",
      capacity: 2,
      timeoutSeconds: 15,
      settings: { bytes: fromHex(settings), gameMode: "bbb", password: "pw" },
    };
    assert.deepEqual(decodeClientCommand("CreateRoom", data), { command: "CreateRoom", ...room });
    assert.deepEqual(decodeClientCommand("ChangeRoom", data), {
      command: "ChangeRoom",
      ...room,
      data,
    });
    const bare = decodeClientCommand(
      "CreateRoom",
      fromHex("84 6172 02 0f a1 6867616d654d6f6465 05"),
    );
    assert.ok(typeof bare === "object" && bare.command === "CreateRoom");
    assert.equal(bare.settings.gameMode, "");
    assert.equal(toHex(bare.settings.bytes), "a16867616d654d6f646505");
  });

  it("leaves limits to the lobby: huge numbers arrive saturated", () => {
    const found = read("CreateRoom", ["r", -1, 2n ** 63n, {}]);
    assert.ok(typeof found === "object" && found.command === "CreateRoom");
    assert.equal(found.capacity, -1);
    assert.equal(found.timeoutSeconds, Number.MAX_SAFE_INTEGER);
  });

  it("keeps the CBOR of a task", () => {
    assert.deepEqual(read("LobbyTask", ["t", [1, "x"]]), {
      command: "LobbyTask",
      taskType: "t",
      data: encodeCbor([1, "x"]),
    });
  });

  it("refuses wrong types, wrong counts, trailing bytes and text that is not UTF-8", () => {
    const wrong: Record<string, readonly string[]> = {
      UpdateAvatar: ["", "01", "80", "6161 00", "61ff", "41ff", "f6"],
      UpdatePassword: ["", "6161", "816161", "83606060", "826001"],
      CreateRoom: ["", "a0", "83616b040f", "84 01 04 0f a0", "84 60 60 0f a0", "84 60 04 0f 80"],
      ChangeRoom: [
        "84 60 04 0f 646e6f7065",
        "84 60 04 0f a1",
        "84 60 04 0f a0 00",
        "85 60 04 0f a0 00",
      ],
      EnterRoom: ["", "8101", "826060", "820101", "83016000"],
      LobbyTask: ["820102", "816161"],
      Chat: ["", "820161", "a16474797065f97c00", "a1636d736705", "a0 00", "bf"],
      ReadGlobalSaveState: ["01", ""],
      KickPlayer: ["", "6131", "f6", "0100"],
      PushRequest: ["", "01", "f6", "8160"],
    };
    for (const [command, hexes] of Object.entries(wrong)) {
      for (const hex of hexes) {
        assert.equal(decodeClientCommand(command, fromHex(hex)), "payload_invalid", command + hex);
      }
    }
  });

  it("refuses data that nests deeper than 32", () => {
    const nested = (depth: number) => fromHex(`82 6174 ${"81".repeat(depth)} 00`);
    assert.equal(typeof decodeClientCommand("LobbyTask", nested(31)), "object");
    assert.equal(decodeClientCommand("LobbyTask", nested(32)), "payload_invalid");
  });
});

describe("isCancelReply()", () => {
  it("knows __cancel as text and as bytes, and nothing else", () => {
    assert.ok(isCancelReply(encodeCbor("__cancel")));
    assert.ok(isCancelReply(encodeCbor(utf8("__cancel"))));
    assert.ok(!isCancelReply(utf8("__cancel")));
    assert.ok(!isCancelReply(encodeCbor("__cancel2")));
    assert.ok(!isCancelReply(new Uint8Array(0)));
    assert.ok(!isCancelReply(encodeCbor(["__cancel"])));
  });
});
