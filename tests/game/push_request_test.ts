import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../src/wire/utf8.ts";
import { LobbyStage, luaCalls } from "./lobby_stage.ts";

describe("RoomGame.pushRequest()", () => {
  it("passes on what players order, but not what is the server's to tell the rules", () => {
    const stage = new LobbyStage();
    stage.startGame(1, 2);
    stage.login(3);
    stage.say(3, { command: "ObserveRoom", roomId: 1, password: "" });
    const push = (id: number, text: string) =>
      luaCalls(stage.say(id, { command: "PushRequest", request: encodeUtf8(text) }));
    for (const text of ["surrender,true", "observer,1", "prelight,leave,true", "", ",observe"]) {
      assert.deepEqual(push(2, text), ["push_request"], text);
    }
    for (const command of ["reconnect", "observe", "leave", "newroom", "newtask"]) {
      for (const id of [2, 3]) {
        assert.deepEqual([push(id, command), push(id, `${command},1`)], [[], []], command);
      }
    }
  });
});
