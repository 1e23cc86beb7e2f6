import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeServerMessage, encodeServerPacket } from "../../src/wire/encode_server_message.ts";
import { encodeClientNotification, encodeReply, encodeRequest } from "../../src/wire/packet.ts";
import {
  dialogText,
  roomOutdatedNotice,
  type ServerMessage,
} from "../../src/wire/server_messages.ts";
import { fromHex, toHex } from "./hex.ts";

describe("encodeServerPacket()", () => {
  /** Whole packets as the original sent them; the name tells the recording. */
  const recorded: readonly (readonly [trace: string, hex: string, message: ServerMessage])[] = [
    ["duplicate_login", "84211904214a456e7465724c6f62627941f6", { command: "EnterLobby" }],
    [
      "register_login",
      "8421190421455365747570581b84181f6767756478777441666c69756265691b000001a1ffbaf2f7",
      { command: "Setup", id: 31, name: "gudxwtA", avatar: "liubei", nowMs: 1_795_291_804_407 },
    ],
    [
      "game_cancel_2p",
      "842119042149416464506c61796572548518206767756478777442666c6975626569f400",
      addPlayer({ strings: "text", id: 32, name: "gudxwtB" }),
    ],
    [
      "game_cancel_2p",
      "842119042149416464506c6179657254" + "85181f4767756478777441466c6975626569f400",
      addPlayer({ strings: "bytes", id: 31, name: "gudxwtA" }),
    ],
    [
      "game_run_away",
      "84211904214f4e657453746174654368616e6765644782182c4372756e",
      { command: "NetStateChanged", id: 44, state: "run" },
    ],
    [
      "waiting_room",
      "84211904214443686174581ca3636d736767686920726f6f6d6673656e646572181b647479706502",
      { command: "Chat", sender: 27, type: 2, msg: "hi room" },
    ],
    [
      "bad_setup",
      "8421190421484572726f72446c6754494e56414c494420534554555020535452494e47",
      { command: "ErrorDlg", text: "INVALID SETUP STRING" },
    ],
    [
      "room_list",
      "84211904214e557064617465526f6f6d4c697374581a81870764636170306d6161615f726f6c655f6d6f64650000f4f4",
      {
        command: "UpdateRoomList",
        rooms: [{
          id: 7,
          name: "cap0",
          gameMode: "aaa_role_mode",
          players: 0,
          capacity: 0,
          hasPassword: false,
          outdated: false,
        }],
      },
    ],
  ];
  for (const [trace, hex, message] of recorded) {
    it(`writes ${message.command} as in ${trace}`, () => {
      assert.equal(toHex(encodeServerPacket(message)), hex);
    });
  }
});

function addPlayer(
  who: { readonly strings: "text" | "bytes"; readonly id: number; readonly name: string },
): ServerMessage {
  return { command: "AddPlayer", avatar: "liubei", ready: false, totalGameTimeSeconds: 0, ...who };
}

describe("encodeServerMessage()", () => {
  const forms: readonly (readonly [what: string, message: ServerMessage, data: string])[] = [
    [
      "Setup after observing: three items, byte strings",
      { command: "Setup", id: 5, name: "ab", avatar: "c" },
      "83 05 426162 4163",
    ],
    [
      "ReadGlobalSaveState: text holding JSON",
      { command: "ReadGlobalSaveState", json: "{}" },
      "627b7d",
    ],
    ["UpdatePassword: bare 1", { command: "UpdatePassword", changed: true }, "31"],
    ["UpdatePassword: bare 0", { command: "UpdatePassword", changed: false }, "30"],
    ["ChangeSelf: a bare integer", { command: "ChangeSelf", id: -2 }, "21"],
    ["raw without data: null", { command: "raw", name: "X", data: new Uint8Array(0) }, "f6"],
    ["raw: as Lua encoded it", { command: "raw", name: "X", data: fromHex("40") }, "40"],
    [
      "GameLog: keys and texts in bytes",
      roomOutdatedNotice,
      "a2 4474797065 4d23526f6f6d4f75746461746564 45746f617374 f5",
    ],
    [
      "EnterRoom: the raw settings last",
      { command: "EnterRoom", capacity: 2, timeoutSeconds: 15, settings: fromHex("b90000") },
      "83 02 0f b90000",
    ],
  ];
  for (const [what, message, data] of forms) {
    it(`writes ${what}`, () => {
      assert.equal(toHex(encodeServerMessage(message).data), data.replaceAll(" ", ""));
    });
  }

  it("sends the command of a raw message under its own name", () => {
    assert.equal(
      encodeServerMessage({ command: "raw", name: "PlayCard", data: fromHex("f6") }).command,
      "PlayCard",
    );
  });
});

describe("dialogText()", () => {
  it("writes the text and its values as a JSON array", () => {
    assert.equal(
      dialogText("server supports version %1, please update", "0.5.19+"),
      '["server supports version %1, please update","0.5.19+"]',
    );
  });
});

describe("encodeRequest(), encodeReply() and encodeClientNotification()", () => {
  it("write the items of the wire in order", () => {
    const request = encodeRequest({
      requestId: 7,
      command: "X",
      data: fromHex("f6"),
      timeoutSeconds: 15,
      timestampMs: 1_795_291_760_453,
    });
    assert.equal(toHex(request), "860719012141 5841f60f1b000001a1ffba4745".replace(" ", ""));
    const reply = encodeReply({ requestId: 7, command: "X", data: fromHex("f6") });
    assert.equal(toHex(reply), "8407190212415841f6");
    assert.equal(toHex(encodeClientNotification("X", fromHex("60"))), "842119041241584160");
  });
});
