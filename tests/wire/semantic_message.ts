import assert from "node:assert/strict";
import { CborMap, type CborValue, decodeCbor } from "../../src/wire/cbor.ts";
import type { Packet } from "../../src/wire/packet_types.ts";
import type { PlayerState, ServerMessage } from "../../src/wire/server_messages.ts";
import { decodeUtf8 } from "../../src/wire/utf8.ts";

/** What a recorded notification of the server says, as a client would read it; commands of the rules
 * stay raw, and so does a `GameLog` that they sent. */
export function semanticMessage(packet: Packet): ServerMessage | "not_utf8" {
  const { command, data } = packet;
  switch (command) {
    case "ErrorDlg":
    case "ErrorMsg":
    case "ServerMessage":
      return { command, text: decodeUtf8(data)! };
    case "UpdateAvatar":
      return { command, avatar: decodeUtf8(data)! };
    case "UpdatePassword":
      return { command, changed: decodeUtf8(data) === "1" };
    case "ChangeRoom":
      return { command, data };
    case "EnterRoom": {
      const [capacity, timeoutSeconds] = fields(data);
      // 83, two numbers, then the settings.
      const settings = data.subarray(1 + size(Number(capacity)) + size(Number(timeoutSeconds)));
      return {
        command,
        capacity: Number(capacity),
        timeoutSeconds: Number(timeoutSeconds),
        settings,
      };
    }
    case "EnterLobby":
    case "Heartbeat":
      assert.deepEqual(data, Uint8Array.of(0xf6));
      return { command };
  }
  const decoded = decodeCbor(data);
  if (!decoded.ok && decoded.fault === "bad_utf8") return "not_utf8";
  return fromItem(packet, decoded.ok ? decoded.value : null);
}

function fromItem({ command, data }: Packet, item: CborValue): ServerMessage {
  switch (command) {
    case "NetworkDelayTest":
      return { command, publicKey: text(item) };
    case "ChangeSelf":
      return { command, id: Number(item) };
    case "ReadGlobalSaveState":
      return { command, json: text(item) };
    case "Chat": {
      assert.ok(item instanceof CborMap);
      const userName = item.get("userName");
      return {
        command,
        sender: Number(item.get("sender")),
        type: Number(item.get("type")),
        msg: text(item.get("msg")),
        ...(userName === undefined ? {} : { userName: text(userName) }),
      };
    }
    case "UpdatePackage":
      return {
        command,
        packages: list(item).map((entry) => {
          assert.ok(entry instanceof CborMap);
          return {
            hash: text(entry.get("hash")),
            name: text(entry.get("name")),
            url: text(entry.get("url")),
          };
        }),
      };
    case "UpdateRoomList":
      return {
        command,
        rooms: list(item).map((entry) => {
          const [id, name, gameMode, players, capacity, hasPassword, outdated] = list(entry);
          return {
            id: Number(id),
            name: text(name),
            gameMode: text(gameMode),
            players: Number(players),
            capacity: Number(capacity),
            hasPassword: hasPassword === true,
            outdated: outdated === true,
          };
        }),
      };
    case "SetServerSettings": {
      const [motd, hiddenPacks, enabledFeatures] = list(item);
      return {
        command,
        motd: text(motd),
        hiddenPacks: list(hiddenPacks).map(text),
        enabledFeatures: list(enabledFeatures).map(text),
      };
    }
  }
  return fromArray(command, item) ?? { command: "raw", name: command, data };
}

function fromArray(command: string, item: CborValue): ServerMessage | undefined {
  if (!Array.isArray(item)) return undefined;
  const [first, second, third, fourth, fifth] = item as CborValue[];
  const id = Number(first);
  switch (command) {
    case "Setup":
      return fourth === undefined
        ? { command, id, name: text(second), avatar: text(third) }
        : { command, id, name: text(second), avatar: text(third), nowMs: Number(fourth) };
    case "AddTotalGameTime":
      return { command, id, seconds: Number(second) };
    case "UpdatePlayerNum":
      return { command, inLobby: id, online: Number(second) };
    case "AddPlayer":
      return {
        command,
        strings: typeof second === "string" ? "text" : "bytes",
        id,
        name: text(second),
        avatar: text(third),
        ready: fourth === true,
        totalGameTimeSeconds: Number(fifth),
      };
    case "RemovePlayer":
    case "RoomOwner":
      return { command, id };
    case "ReadyChanged":
      return { command, id, ready: second === true };
    case "UpdateGameData":
      return { command, id, total: Number(second), win: Number(third), run: Number(fourth) };
    case "NetStateChanged":
      return { command, id, state: text(second) as PlayerState };
  }
  return undefined;
}

function fields(data: Uint8Array): readonly CborValue[] {
  const decoded = decodeCbor(data);
  assert.ok(decoded.ok);
  return list(decoded.value);
}

function list(value: CborValue | undefined): readonly CborValue[] {
  assert.ok(Array.isArray(value));
  return value as CborValue[];
}

function text(value: CborValue | undefined): string {
  if (typeof value === "string") return value;
  assert.ok(value instanceof Uint8Array);
  return decodeUtf8(value)!;
}

/** Bytes of a number in its shortest form. */
function size(value: number): number {
  return value < 24 ? 1 : value < 256 ? 2 : value < 65_536 ? 3 : 5;
}
