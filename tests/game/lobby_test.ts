import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chatCharsMax, cutChat } from "../../src/game/chat.ts";
import { numbersIntervalMs } from "../../src/game/lobby_numbers.ts";
import type { Effect } from "../../src/game/outbox.ts";
import { isCleanName } from "../../src/game/player.ts";
import { GameIds, RequestSlot } from "../../src/game/request_slot.ts";
import { requestIdMax } from "../../src/wire/packet_types.ts";
import { LobbyStage, luaCalls } from "./lobby_stage.ts";

describe("Lobby", () => {
  it("Lobby tells the lobby its numbers at most four times a second, and the newest at last", () => {
    const stage = new LobbyStage();
    for (let id = 1; id <= 50; id++) {
      stage.now += 10;
      stage.login(id);
    }
    const count = () => stage.told(1).filter((told) => told.startsWith("UpdatePlayerNum")).length;
    assert.ok(count() <= 4, `${count()} in half a second`);
    const wake = stage.effects.filter((effect) => effect.kind === "wake").at(-1);
    assert.ok(wake !== undefined);
    stage.now += numbersIntervalMs;
    stage.give({ kind: "wake" });
    assert.equal(stage.told(1).at(-1), "UpdatePlayerNum 50 50");
    assert.equal(stage.told(50).at(-1), "UpdatePlayerNum 50 50");
  });

  it("Lobby tells all who comes and goes while at most ten are online", () => {
    const stage = new LobbyStage();
    for (let id = 1; id <= 12; id++) stage.login(id);
    const comings = stage.told(1).filter((told) => told.endsWith("logged in"));
    assert.equal(comings.length, 10, "the eleventh finds ten online, the twelfth eleven");
    assert.deepEqual(stage.told(1, stage.close(12)).filter((told) => told.includes("out")), []);
    stage.close(11);
    assert.ok(stage.told(1, stage.close(10)).includes("ServerMessage p10 logged out"));
  });

  it("Lobby refuses to enter with the known texts, in their order", () => {
    const stage = new LobbyStage();
    for (let id = 1; id <= 4; id++) stage.login(id);
    stage.create(1, { password: "s" });
    assert.deepEqual(stage.told(2, stage.enter(2, 9, "s")), ["ErrorMsg no such room"]);
    assert.deepEqual(stage.told(2, stage.enter(2, 1, "")), ["ErrorMsg room password error"]);
    const watch = stage.say(2, { command: "ObserveRoom", roomId: 1, password: "s" });
    assert.deepEqual(stage.told(2, watch), ["ErrorMsg Can only observe running room."]);
    stage.enter(2, 1, "s");
    const full = "ErrorMsg Room is full or already started!";
    assert.deepEqual(stage.told(3, stage.enter(3, 1, "s")), [full]);
    stage.say(1, { command: "KickPlayer", playerId: 2 });
    stage.enter(3, 1, "s");
    const rejected = "ErrorMsg rejected your demand of joining room";
    assert.deepEqual(stage.told(2, stage.enter(2, 1, "s")), [rejected]);
    stage.say(3, { command: "QuitRoom" });
    stage.now += 3 * 60_000;
    assert.ok(stage.told(2, stage.enter(2, 1, "s")).includes("EnterRoom"));
  });

  it("Lobby answers every wish for a room outside the limits with `unk error`", () => {
    const stage = new LobbyStage({ banWords: ["bad"] });
    stage.login(1);
    const wishes = [
      { capacity: 0 },
      { capacity: 65 },
      { capacity: -1 },
      { name: "" },
      { name: "x".repeat(129) },
      { name: "я".repeat(65) },
      { name: "a bad room" },
    ];
    for (const wish of wishes) {
      assert.deepEqual(stage.told(1, stage.create(1, wish)), ["ErrorMsg unk error"]);
    }
    assert.equal(stage.lobby.rooms.size, 0);
    assert.ok(stage.told(1, stage.create(1, { capacity: 64 })).includes("EnterRoom"));
  });

  it("Lobby lets others kick an owner who keeps a ready room waiting for 15 s", () => {
    const stage = new LobbyStage();
    for (let id = 1; id <= 2; id++) stage.login(id);
    stage.create(1);
    stage.enter(2);
    stage.say(2, { command: "Ready" });
    stage.now = 14_999;
    assert.deepEqual(stage.told(1, stage.say(2, { command: "KickPlayer", playerId: 1 })), []);
    stage.now = 15_000;
    const told = stage.told(2, stage.say(2, { command: "KickPlayer", playerId: 1 }));
    assert.deepEqual(told, ["ReadyChanged 1 false", "RemovePlayer 1", "RoomOwner 2"]);
  });

  it("Lobby lets nobody chat faster than the bucket, muted, or with a ban word", () => {
    const stage = new LobbyStage({ banWords: ["bad"], chat: { perSecond: 5, burst: 3 } });
    stage.login(1);
    const chat = (msg: string) => stage.told(1, stage.say(1, { command: "Chat", type: 1, msg }));
    for (let i = 0; i < 3; i++) assert.deepEqual(chat("hi"), ["Chat 1 hi"]);
    assert.deepEqual(chat("hi"), []);
    stage.now += 1000;
    assert.deepEqual(chat(`${"x".repeat(300)}bad`), [], "tested before the cut");
    stage.give({ kind: "mute", playerId: 1, until: stage.now + 5000 });
    assert.deepEqual(chat("hi"), []);
    stage.now += 5000;
    assert.deepEqual(chat("hi"), ["Chat 1 hi"]);
  });

  it("Lobby looks for ban words in the part of a message that could be seen, and some more", () => {
    const stage = new LobbyStage({ banWords: ["bad"] });
    stage.login(1);
    const chat = (msg: string) => stage.told(1, stage.say(1, { command: "Chat", type: 1, msg }));
    const long = "x".repeat(chatCharsMax - 3);
    assert.deepEqual(chat(`${long}bad`), []);
    assert.deepEqual(chat(`${long}xbad`), [`Chat 1 ${"x".repeat(300)}`]);
  });

  it("Lobby lets nobody fill the queue of the rules by looking on and handing over", () => {
    const stage = new LobbyStage();
    stage.startGame(1, 2);
    stage.login(3);
    const watch = () => {
      const watching = stage.say(3, { command: "ObserveRoom", roomId: 1, password: "" });
      return [...watching, ...stage.say(3, { command: "QuitRoom" })];
    };
    const floods = [watch, () => stage.say(2, { command: "Trust" })];
    for (const flood of floods) {
      const calls = () => luaCalls(Array.from({ length: 300 }, flood).flat()).length;
      const first = calls();
      assert.ok(first > 0 && first <= 48, `${first} calls at once`);
      stage.now += 1_000;
      const next = calls();
      assert.ok(next > 0 && next <= 8, `${next} calls a second later`);
    }
    const rejected = "ErrorMsg rejected your demand of joining room";
    const answers = Array.from({ length: 5 }, () => stage.told(3, watch())).at(-1);
    assert.deepEqual(answers, [rejected]);
  });

  it("Lobby lets nobody try old passwords faster than a login could", () => {
    const stage = new LobbyStage();
    stage.login(1);
    const change = () =>
      stage.say(1, { command: "UpdatePassword", oldPassword: "guess", newPassword: "new" });
    const isTried = (effects: readonly Effect[]) => effects.some(({ kind }) => kind === "store");
    const tries = () => Array.from({ length: 100 }, change).filter(isTried).length;
    assert.equal(tries(), 10);
    assert.deepEqual(stage.told(1, change()), ["UpdatePassword"], "told that it is unchanged");
    stage.now += 60_000;
    assert.equal(tries(), 10);
  });

  it("Lobby takes another time between heartbeats from the next one on", () => {
    const stage = new LobbyStage({ heartbeatMs: 30_000 });
    stage.login(1);
    stage.give({ kind: "settings", settings: { ...stage.lobby.settings, heartbeatMs: 5_000 } });
    const beats = (at: number) => {
      stage.now = at;
      return stage.told(1, stage.give({ kind: "wake" })).includes("Heartbeat");
    };
    assert.deepEqual([5_000, 30_000, 34_999, 35_000].map(beats), [false, true, false, true]);
  });

  it("Lobby ends the tasks of a player who leaves the lobby", () => {
    const stage = new LobbyStage();
    stage.login(1);
    const data = Uint8Array.of(0xf6);
    const begun = stage.say(1, { command: "LobbyTask", taskType: "t", data });
    assert.deepEqual(luaCalls(begun), ["new_task"]);
    assert.equal(stage.lobby.reads.task(-1000)?.player.id, 1);
    assert.deepEqual(luaCalls(stage.create(1)), ["resume abort"]);
    assert.equal(stage.lobby.tasks.size, 0);
    assert.deepEqual(luaCalls(stage.close(1)), [], "once");
    assert.equal(stage.lobby.reads.task(-1000)?.taskType, "t", "the rules end it themselves");
    stage.give({ kind: "lua", request: { kind: "task_decrease_ref_count", taskId: -1000 } });
    assert.equal(stage.lobby.reads.task(-1000), undefined);
  });

  it("Lobby sends who does not play to log in again when the packages change", () => {
    const stage = new LobbyStage();
    stage.startGame(1, 2);
    for (let id = 3; id <= 4; id++) stage.login(id);
    stage.create(4);
    const effects = stage.give({ kind: "outdate" });
    const closed = effects.flatMap((effect) => effect.kind === "close" ? [effect.connection] : []);
    assert.deepEqual(closed.sort(), [stage.connection(3), stage.connection(4)]);
    assert.ok(stage.told(1, effects).includes("GameLog"));
    const quit = stage.say(2, { command: "QuitRoom" });
    assert.ok(stage.told(2, quit).includes("EnterLobby"));
    assert.ok(quit.some((effect) => effect.kind === "close"));
    assert.ok(!quit.some((effect) => effect.kind === "ban_ip"));
  });
});

describe("cutChat", () => {
  it("cutChat() cuts at 300 bytes, never within a character", () => {
    assert.equal(cutChat("a".repeat(350)), "a".repeat(300));
    assert.equal(cutChat("a".repeat(299) + "中"), "a".repeat(299));
    assert.equal(cutChat("a".repeat(298) + "😀b"), "a".repeat(298));
    assert.equal(cutChat("中".repeat(100)), "中".repeat(100));
  });
});

describe("isCleanName", () => {
  it("isCleanName() refuses each forbidden character", () => {
    for (const char of `'";#* /\\?<>|:`) assert.equal(isCleanName(`a${char}b`), false, char);
    assert.equal(isCleanName("a--b"), false);
    assert.equal(isCleanName(""), false);
    assert.equal(isCleanName("刘备-1"), true);
  });
});

describe("RequestSlot", () => {
  it("RequestSlot takes the newest question's answer alone, once, and in time", () => {
    const slot = new RequestSlot();
    const text = (isOnline = true) => new TextDecoder().decode(slot.read(isOnline));
    const answer = new TextEncoder().encode("yes");
    assert.equal(slot.answer(1, answer, 0), false);
    slot.ask(1, 15, 0);
    slot.ask(2, 15, 0);
    assert.equal(text(), "__notready");
    assert.equal(slot.answer(1, answer, 1), false);
    assert.equal(slot.answer(2, answer, 15_501), false);
    assert.equal(slot.answer(2, answer, 15_500), true);
    assert.equal(slot.answer(2, answer, 15_500), false);
    assert.equal(text(), "yes");
    assert.equal(text(false), "__cancel");
  });

  it("GameIds begins requests at 1 again after ten million", () => {
    const ids = new GameIds();
    assert.equal(ids.nextRequest(), 1);
    for (let i = 1; i < requestIdMax; i++) ids.nextRequest();
    assert.equal(ids.nextRequest(), 1);
    assert.deepEqual([ids.nextRobot(), ids.nextRobot()], [-2, -3]);
    assert.deepEqual([ids.nextLuaId(), ids.nextTask()], [1000, -1000]);
  });
});
