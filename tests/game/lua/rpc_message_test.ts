import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { encodePlayer, encodeRoom } from "../../../src/game/lua/rpc_facts.ts";
import { decodeRpc, encodeRpc, type RpcMessage } from "../../../src/game/lua/rpc_message.ts";
import {
  bytesOf,
  CborMap,
  type CborValue,
  decodeCbor,
  integerOf,
  textOf,
} from "../../../src/wire/cbor.ts";
import { type CborInput, encodeCbor } from "../../../src/wire/cbor_encode.ts";
import { bytesOfHex, diagOf, hexOf, noRecording, recordedRpc } from "./rpc_recording.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function decoded(hex: string): RpcMessage<CborValue> {
  const message = decodeRpc(bytesOfHex(hex));
  assert.ok(message.kind !== "bad", message.kind === "bad" ? message.reason : "");
  return message;
}

/** The message in the notation of the recording, from what decodeRpc made of it. */
function meaningOf(message: RpcMessage<CborValue>): Record<string, string> {
  const parts: Record<string, string> = { 100: "'2.0'" };
  if (message.kind === "call" || message.kind === "notification") {
    parts[101] = `'${message.method}'`;
    parts[102] = diagOf(message.params ?? null);
  }
  if ("id" in message && message.id !== undefined) parts[104] = String(message.id);
  if (message.kind === "result") parts[105] = diagOf(message.result);
  if (message.kind === "error") {
    parts[200] = String(message.code);
    parts[201] = `'${message.message}'`;
    if (message.data !== undefined) parts[202] = diagOf(message.data);
  }
  return parts;
}

describe("decodeRpc()", () => {
  it("reads every message of the trace lua_rpc as its notation says", { skip: noRecording }, () => {
    const messages = recordedRpc();
    assert.ok(messages.length > 1_000);
    for (const { bytes, diag } of messages) {
      const raw = decodeCbor(bytes);
      assert.ok(raw.ok);
      // The recording cuts long notations.
      const isCut = diag.endsWith(" …");
      const shown = isCut ? diagOf(raw.value).slice(0, diag.length - 2) : diagOf(raw.value);
      assert.equal(shown, isCut ? diag.slice(0, -2) : diag);
      const message = decodeRpc(bytes);
      assert.ok(message.kind !== "bad", diag);
      for (const [key, value] of Object.entries(meaningOf(message))) {
        assert.ok(isCut || diag.includes(`${key}: ${value}`), `${key} in ${diag}`);
      }
    }
  });

  it("reads hello, a call, an answer and an error of the trace lua_rpc", () => {
    assert.deepEqual(decoded("a318668145776f726c64186443322e3018654568656c6c6f"), {
      kind: "notification",
      method: "hello",
      params: [bytes("world")],
    });
    assert.deepEqual(
      decoded("a418668201193c8c186443322e30186554526f6f6d5f7365745265717565737454696d657218680e"),
      { kind: "call", id: 14, method: "Room_setRequestTimer", params: [1, 15_500] },
    );
    assert.deepEqual(decoded("a31869f5186443322e30186801"), {
      kind: "result",
      id: 1,
      result: true,
    });
    assert.deepEqual(
      decoded(
        "a3186443322e30186818351867a318c94e496e7465726e616c206572726f7218ca4e526f6f6d206e6f7420666f756e6418c8397f5a",
      ),
      {
        kind: "error",
        id: 53,
        code: -32_603,
        message: "Internal error",
        data: bytes("Room not found"),
      },
    );
  });

  it("takes text for byte strings in the words of the protocol", () => {
    const call = new Map<CborInput, CborInput>([[100, "2.0"], [101, "qInfo"], [104, 7], [102, []]]);
    assert.deepEqual(decodeRpc(encodeCbor(call)), {
      kind: "call",
      id: 7,
      method: "qInfo",
      params: [],
    });
  });

  it("takes parameters that are left out, nil or an empty table as none, a map as a fault", () => {
    const params = (given: CborInput | undefined) => {
      const call = new Map<CborInput, CborInput>([[100, "2.0"], [101, "print"], [104, 7]]);
      if (given !== undefined) call.set(102, given);
      const message = decodeRpc(encodeCbor(call));
      assert.ok(message.kind === "call");
      return message.params;
    };
    assert.deepEqual(params(undefined), []);
    assert.deepEqual(params(null), []);
    assert.deepEqual(params({}), []);
    assert.equal(params(new Map([[1, "a"], [3, "c"]])), undefined);
  });

  it("says what is wrong with a map that is no message", () => {
    const reason = (entries: readonly (readonly [CborInput, CborInput])[]) => {
      const message = decodeRpc(encodeCbor(new Map(entries)));
      return message.kind === "bad" ? message.reason : message.kind;
    };
    const version: readonly [CborInput, CborInput] = [100, "2.0"];
    assert.match(reason([[100, "1.0"], [104, 1], [105, 0]]), /version/);
    assert.match(reason([version]), /neither a method nor an id/);
    assert.match(reason([version, [101, 5], [104, 1]]), /method is no string/);
    assert.match(reason([version, [104, 0], [105, 0]]), /id is no whole number/);
    assert.match(reason([version, [104, 1.5], [105, 0]]), /id is no whole number/);
    assert.match(reason([version, [104, "1"], [105, 0]]), /id is no whole number/);
    assert.match(reason([version, [104, 1], [103, 5]]), /error is no map/);
    assert.match(reason([version, [104, 1], [103, {}]]), /error has no code/);
    assert.equal(reason([version, [104, 1]]), "result");
  });

  it("never throws, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (given) => {
        decodeRpc(given);
        decodeRpc(Uint8Array.of(0xa3, 0x18, 0x64, 0x43, 0x32, 0x2e, 0x30, ...given));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("encodeRpc()", () => {
  it(
    "writes every message of the server in the trace lua_rpc byte for byte",
    { skip: noRecording },
    () => {
      const own = recordedRpc().filter(({ direction }) => direction === "srv2lua");
      assert.ok(own.length > 500);
      for (const { bytes, diag } of own) {
        const message = decodeRpc(bytes);
        assert.ok(message.kind !== "bad");
        // Nothing that the server says holds a map or a tag.
        const again = encodeRpc(message as RpcMessage<CborInput>);
        assert.equal(hexOf(again), hexOf(bytes), diag);
      }
    },
  );

  it("writes calls, results and errors that decodeRpc reads back", () => {
    const messages: RpcMessage<CborInput>[] = [
      { kind: "call", id: 1, method: "ResumeRoom", params: [1, bytes("reply")] },
      { kind: "notification", method: "hello", params: [] },
      { kind: "result", id: 3, result: bytes("\u0000\u00ff") },
      { kind: "error", id: 4, code: -32_602, message: "Invalid params", data: bytes("x") },
      { kind: "error", id: undefined, code: -32_600, message: "Invalid request", data: undefined },
    ];
    for (const message of messages) assert.deepEqual(decodeRpc(encodeRpc(message)), message);
  });
});

describe("encodeRoom()", () => {
  const settingsOf = (map: CborMap) => bytesOf(map.get("settings")) ?? new Uint8Array(0);

  it("writes rooms as the trace lua_rpc has them, but for settings and observers", {
    skip: noRecording,
  }, () => {
    let seen = 0;
    const asked = new Set<number>();
    for (const { direction, bytes } of recordedRpc()) {
      const message = decodeRpc(bytes);
      if (direction === "lua2srv" && message.kind === "call") {
        if (message.method === "RoomThread_getRoom") asked.add(message.id);
      } else if (direction === "srv2lua" && message.kind === "result" && asked.has(message.id)) {
        asked.delete(message.id);
        assert.ok(message.result instanceof Uint8Array);
        checkRoom(message.result);
        seen++;
      }
    }
    assert.equal(seen, 5);
  });

  /** The settings of the trace are text that is no UTF-8, which no strict reader takes. */
  function checkRoom(recorded: Uint8Array): void {
    const hex = hexOf(recorded);
    const key = hexOf(encodeCbor("settings"));
    const at = hex.indexOf(key) + key.length;
    assert.equal(hex.slice(at, at + 2), "78");
    const repaired = `${hex.slice(0, at)}58${hex.slice(at + 2)}`;
    const room = decodeCbor(bytesOfHex(repaired));
    assert.ok(room.ok && room.value instanceof CborMap);
    const number = (map: CborMap, name: string) => integerOf(map.get(name)) ?? NaN;
    const players = (room.value.get("players") as readonly CborMap[]).map((player) => ({
      avatar: textOf(player.get("avatar")) ?? "",
      connId: number(player, "connId"),
      gameData: player.get("gameData") as [number, number, number],
      id: number(player, "id"),
      screenName: textOf(player.get("screenName")) ?? "",
      state: number(player, "state"),
      totalGameTime: number(player, "totalGameTime"),
    }));
    const written = hexOf(encodeRoom({
      id: number(room.value, "id"),
      ownerId: number(room.value, "ownerId"),
      timeout: number(room.value, "timeout"),
      settings: settingsOf(room.value),
      players,
      observers: [],
    }));
    const observers = `${hexOf(encodeCbor("observers"))}80`;
    assert.equal(written.replace(observers, "").replace(/^a6/, "a5"), repaired);
  }

  it("keeps settings byte for byte, and tells observers as players", () => {
    const observer = {
      connId: 1004,
      id: 13,
      screenName: "名字",
      avatar: "liubei",
      totalGameTime: 0,
      state: 1,
      gameData: [3, 2, 1] as const,
    };
    const settings = Uint8Array.of(0xb9, 0x00, 0x01, 0x61, 0x78, 0x41, 0xff);
    const room = decodeCbor(
      encodeRoom({ id: 2, ownerId: 9, timeout: 15, settings, players: [], observers: [observer] }),
    );
    assert.ok(room.ok && room.value instanceof CborMap);
    assert.deepEqual(room.value.get("settings"), settings);
    const found = (room.value.get("observers") as readonly CborValue[])[0];
    assert.ok(found instanceof CborMap);
    assert.deepEqual(found.get("gameData"), [3, 2, 1]);
    assert.equal(found.get("screenName"), "名字");
    assert.deepEqual(decodeCbor(encodePlayer(observer)), { ok: true, value: found });
  });
});
