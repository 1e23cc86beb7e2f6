import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { abandonMsMax } from "../../src/game/room_game.ts";
import { LobbyStage, luaCalls } from "./lobby_stage.ts";

const data = Uint8Array.of(0xf6);

function ask(stage: LobbyStage, id: number) {
  const connId = stage.luaId(id);
  const request = { kind: "do_request", connId, command: "Ask", data, timeout: 15, timestamp: 0 };
  return stage.give({ kind: "lua", request: request as typeof request & { kind: "do_request" } });
}

function think(stage: LobbyStage, id: number): void {
  const connId = stage.luaId(id);
  stage.give({ kind: "lua", request: { kind: "set_thinking", connId, thinking: true } });
}

function overAndOut(stage: LobbyStage) {
  return [
    ...stage.give({ kind: "lua", request: { kind: "game_over", roomId: 1 } }),
    ...stage.give({ kind: "lua", request: { kind: "decrease_ref_count", roomId: 1 } }),
    ...stage.give({ kind: "stored", roomId: 1, session: 1 }),
  ];
}

describe("RoomGame", () => {
  it("RoomGame begins with all unready, the warning, and then the rules", () => {
    const stage = new LobbyStage();
    stage.login(1, "::1");
    stage.login(2, "::1");
    stage.create(1);
    stage.enter(2);
    assert.deepEqual(luaCalls(stage.say(1, { command: "StartGame" })), [], "2 is not ready");
    stage.say(2, { command: "Ready" });
    assert.deepEqual(luaCalls(stage.say(2, { command: "StartGame" })), [], "2 is a guest");
    const start = stage.say(1, { command: "StartGame" });
    assert.deepEqual(stage.told(2, start), [
      "ReadyChanged 1 false",
      "ReadyChanged 2 false",
      "ServerMessage *WARN* Same IP address: [p1, p2]",
    ]);
    assert.deepEqual(start.map(({ kind }) => kind), ["send", "send", "send", "lua"]);
    assert.deepEqual(stage.lobby.reads.session(1), { id: 1, data: "{}" });
  });

  it("RoomGame asks only who is online, and wakes the rules with his answer", () => {
    const stage = new LobbyStage();
    stage.startGame(1, 2);
    const [asked] = ask(stage, 1);
    assert.equal(asked?.kind === "request" && asked.request.id, 1);
    const connection = stage.connection(1);
    assert.deepEqual(luaCalls(stage.give({ kind: "reply", connection, id: 9, data })), []);
    const answered = stage.give({ kind: "reply", connection, id: 1, data });
    assert.deepEqual(luaCalls(answered), ["resume reply"]);
    assert.deepEqual(stage.lobby.reads.reply(stage.luaId(1)), data);
    think(stage, 2);
    const trusting = stage.say(2, { command: "Trust" });
    assert.deepEqual(luaCalls(trusting), ["state 2 2", "resume player_trust"]);
    assert.equal(trusting[0]?.kind, "lua", "the rules know it before the players");
    assert.deepEqual(ask(stage, 2), [], "no question, no id");
    const next = ask(stage, 1)[0];
    assert.equal(next?.kind === "request" && next.request.id, 2);
  });

  it("RoomGame keeps the seat of one who lost his connection, and gives it back", () => {
    const stage = new LobbyStage();
    stage.startGame(1, 2);
    const before = stage.luaId(2);
    think(stage, 2);
    const lost = stage.close(2);
    assert.deepEqual(luaCalls(lost), ["state 2 6", "resume player_disconnect"]);
    const gone = ["ServerMessage p2 logged out", "NetStateChanged 2 offline"];
    assert.deepEqual(stage.told(1, lost), gone);
    assert.equal(stage.lobby.online.size, 2);
    const back = stage.login(2);
    assert.deepEqual(luaCalls(back), ["state 2 1", "2 reconnect"]);
    assert.deepEqual(stage.told(1, back), ["ServerMessage p2 backed", "NetStateChanged 2 online"]);
    assert.deepEqual(stage.told(2, back), [
      "NetStateChanged 2 online",
      "Setup",
      "SetServerSettings",
    ]);
    assert.equal(stage.luaId(2), before);
    assert.equal(back.at(-1)?.kind, "lua");
  });

  it("RoomGame gives the seat of one who is online to his new connection", () => {
    const stage = new LobbyStage();
    stage.startGame(1, 2);
    const old = stage.connection(2);
    const again = stage.login(2);
    const toOld = again.filter((effect) => effect.kind === "send" && effect.to.includes(old));
    assert.equal(toOld.length, 1, "only the dialog");
    assert.ok(again.some((effect) => effect.kind === "close" && effect.connection === old));
    assert.deepEqual(luaCalls(again), ["2 reconnect"]);
    assert.deepEqual(stage.give({ kind: "closed", connection: old }), []);
  });

  it("RoomGame lets the dead leave in peace", () => {
    const stage = new LobbyStage({ tempBanMinutes: 20 });
    stage.startGame(1, 2);
    const connId = stage.luaId(2);
    stage.give({ kind: "lua", request: { kind: "set_died", connId, died: true } });
    const quit = stage.say(2, { command: "QuitRoom" });
    assert.deepEqual(stage.told(2, quit), [
      "NetStateChanged 2 run",
      "EnterLobby",
      "UpdatePlayerNum 1 2",
      "ChangeSelf 2",
    ]);
    assert.ok(quit.every(({ kind }) => kind !== "close" && kind !== "ban_ip"));
    assert.notEqual(stage.luaId(2), connId);
    const again = stage.say(2, { command: "ObserveRoom", roomId: 1, password: "" });
    assert.deepEqual(stage.told(2, again), ["ErrorMsg rejected your demand of joining room"]);
  });

  it("RoomGame ends in the order that clients know, after the store", () => {
    const stage = new LobbyStage({ tempBanMinutes: 20 });
    stage.login(3);
    stage.startGame(1, 2);
    stage.say(3, { command: "ObserveRoom", roomId: 1, password: "" });
    stage.now = 10_400;
    stage.close(1);
    stage.say(2, { command: "Trust" });
    stage.now = 20_000;
    const result = { kind: "player_result", roomId: 1, playerId: 2, mode: "mode" } as const;
    stage.give({ kind: "lua", request: { ...result, role: "lord", result: 1 } });
    const over = stage.give({ kind: "lua", request: { kind: "game_over", roomId: 1 } });
    const kinds = over.map((effect) => {
      return effect.kind === "store" ? effect.operation.kind : effect.kind;
    });
    assert.deepEqual(kinds, ["add_game_time", "add_run", "ban_ip", "add_game_time", "end_of_game"]);
    const released = stage.give({
      kind: "lua",
      request: { kind: "decrease_ref_count", roomId: 1 },
    });
    assert.deepEqual(released, [], "not before it is on disk");
    const stored = stage.give({ kind: "stored", roomId: 1, session: 1 });
    assert.deepEqual(stage.told(2, stored), [
      "UpdateGameData 2 1 1 0",
      "AddTotalGameTime 1 10",
      "AddTotalGameTime 2 10",
      "NetStateChanged 2 online",
      "ReadyChanged 1 false",
      "RemovePlayer 1",
      "RoomOwner 2",
    ]);
    assert.equal(stage.lobby.rooms.room(1)?.state.kind, "waiting");
    assert.deepEqual(stage.lobby.rooms.room(1)?.seats.observers.map(({ id }) => id), [3]);
    assert.equal(stage.lobby.online.size, 2);
  });

  it("RoomGame lets nobody run away from a game that is over", () => {
    const stage = new LobbyStage({ tempBanMinutes: 20 });
    stage.startGame(1, 2);
    stage.give({ kind: "lua", request: { kind: "game_over", roomId: 1 } });
    assert.deepEqual(stage.say(2, { command: "QuitRoom" }), []);
    stage.give({ kind: "lua", request: { kind: "decrease_ref_count", roomId: 1 } });
    const stored = stage.give({ kind: "stored", roomId: 1, session: 1 });
    assert.ok(stage.told(2, stored).includes("EnterLobby"));
    assert.ok(stored.every(({ kind }) => kind !== "close" && kind !== "ban_ip"));
  });

  it("Room.keepsSeat() is over when the rules have let go: nobody would tell who comes back", () => {
    const stage = new LobbyStage();
    stage.startGame(1, 2);
    stage.close(2);
    stage.give({ kind: "lua", request: { kind: "game_over", roomId: 1 } });
    assert.ok(luaCalls(stage.login(2)).includes("2 reconnect"), "the rules are still there");
    stage.close(2);
    stage.give({ kind: "lua", request: { kind: "decrease_ref_count", roomId: 1 } });
    const login = stage.login(2);
    assert.ok(stage.told(2, login).includes("EnterLobby"), "he begins anew");
    assert.deepEqual(luaCalls(login), []);
    const stored = stage.give({ kind: "stored", roomId: 1, session: 1 });
    assert.ok(stage.told(1, stored).includes("RemovePlayer 2"));
    assert.equal(stage.lobby.online.size, 2);
    assert.equal(stage.lobby.whereaboutsSize, 1);
  });

  it("RoomGame without a human is given up, whatever the rules do then", () => {
    const stage = new LobbyStage();
    stage.login(3);
    stage.startGame(1, 2);
    stage.say(3, { command: "ObserveRoom", roomId: 1, password: "" });
    stage.close(1);
    const last = stage.close(2);
    const calls = ["state 2 6", "resume abandon", "3 leave", "remove_observer 3"];
    assert.deepEqual(luaCalls(last), calls);
    assert.ok(stage.told(3, last).includes("EnterLobby"));
    assert.equal(stage.lobby.online.size, 1);
    assert.ok(stage.told(2, stage.login(2)).includes("EnterLobby"), "he begins anew");
    stage.now += abandonMsMax;
    stage.give({ kind: "wake" });
    stage.give({ kind: "stored", roomId: 1, session: 1 });
    assert.equal(stage.lobby.rooms.size, 0);
  });

  it("RoomGame replaces its request timer, and resumes at once for no time at all", () => {
    const stage = new LobbyStage();
    stage.startGame(1, 2);
    const timer = (ms: number) => {
      return stage.give({ kind: "lua", request: { kind: "set_request_timer", roomId: 1, ms } });
    };
    timer(1000);
    timer(2000);
    const delay = { kind: "delay", roomId: 1, ms: 500 } as const;
    stage.give({ kind: "lua", request: delay });
    const at = (now: number) => {
      stage.now = now;
      return luaCalls(stage.give({ kind: "wake" }));
    };
    assert.deepEqual([at(499), at(500), at(1000), at(1999)], [[], ["resume delay_done"], [], []]);
    assert.deepEqual([at(2000), at(9000)], [["resume request_timer"], []]);
    assert.deepEqual(luaCalls(timer(0)), ["resume request_timer"]);
    const none = stage.give({ kind: "lua", request: { ...delay, ms: 0 } });
    assert.deepEqual(luaCalls(none), ["resume delay_done"]);
  });

  it("RoomGame sends its players back to the lobby when its Lua state is lost", () => {
    const stage = new LobbyStage();
    stage.startGame(1, 2);
    const lost = stage.give({ kind: "lua_lost", roomIds: [1] });
    const told = stage.told(1, lost).filter((each) => !each.startsWith("UpdatePlayerNum"));
    assert.deepEqual(told, ["ErrorDlg Server Internal Error", "EnterLobby"]);
    assert.equal(stage.lobby.rooms.size, 0);
  });

  it("RoomGame asks the store for saves, and resumes with what it found", () => {
    const stage = new LobbyStage();
    stage.startGame(1, 2);
    const connId = stage.luaId(1);
    const [query] = stage.give({ kind: "lua", request: { kind: "get_save_state", connId } });
    assert.deepEqual(query, {
      kind: "store",
      operation: { kind: "get_state", roomId: 1, playerId: 1, mode: "mode" },
    });
    const found = (text: string) => luaCalls(stage.give({ kind: "query_done", roomId: 1, text }));
    assert.deepEqual(found('{"a":1}'), ['resume {"a":1}']);
    assert.deepEqual(found("oops"), ["resume {}"]);
    assert.deepEqual(luaCalls(stage.give({ kind: "query_done", roomId: 1 })), [
      "resume query_done",
    ]);
  });

  it("RoomGame asks the store for who looks on too, and for no robot", () => {
    const stage = new LobbyStage();
    stage.login(3);
    stage.startGame(1, 2);
    stage.say(3, { command: "ObserveRoom", roomId: 1, password: "" });
    const connId = stage.luaId(3);
    const [query] = stage.give({
      kind: "lua",
      request: { kind: "get_global_save_state", connId, key: "k" },
    });
    assert.deepEqual(query, {
      kind: "store",
      operation: { kind: "get_global_state", roomId: 1, playerId: 3, key: "k" },
    });
    const robot = stage.lobby.reads.addNpc(1)?.connId ?? 0;
    const saved = stage.give({
      kind: "lua",
      request: { kind: "save_state", connId: robot, json: "{}" },
    });
    assert.deepEqual(luaCalls(saved), ["resume query_done"]);
    assert.ok(saved.every(({ kind }) => kind !== "store"));
  });

  it("Room gives one who looked on himself back before he is in the lobby", () => {
    const stage = new LobbyStage();
    stage.login(3);
    stage.startGame(1, 2);
    const observe = stage.say(3, { command: "ObserveRoom", roomId: 1, password: "" });
    assert.deepEqual(luaCalls(observe), ["add_observer 3", "3 observe"]);
    const chat = stage.say(3, { command: "Chat", type: 2, msg: "hi" });
    for (const id of [1, 2, 3]) assert.deepEqual(stage.told(id, chat), ["Chat 3 hi"]);
    const quit = stage.say(3, { command: "QuitRoom" });
    assert.deepEqual(luaCalls(quit), ["3 leave", "remove_observer 3"]);
    const kinds = quit.map((effect) =>
      effect.kind === "send" ? effect.message.command : effect.kind
    );
    assert.deepEqual(kinds, ["Setup", "lua", "lua", "EnterLobby", "UpdatePlayerNum"]);
  });

  it("Room ignores what is for the waiting room while a game is on", () => {
    const stage = new LobbyStage();
    stage.startGame(1, 2);
    const room = { name: "r", capacity: 2, timeoutSeconds: 9 };
    const settings = { bytes: Uint8Array.of(0xa0), gameMode: "m", password: "" };
    assert.deepEqual(stage.say(1, { command: "Ready" }), []);
    assert.deepEqual(stage.say(1, { command: "AddRobot" }), []);
    assert.deepEqual(stage.say(1, { command: "KickPlayer", playerId: 2 }), []);
    assert.deepEqual(stage.say(1, { command: "ChangeRoom", ...room, settings, data }), []);
    assert.deepEqual(stage.say(1, { command: "StartGame" }), []);
  });

  it("RoomGame plays again in the same room, with robots of that game alone", () => {
    const stage = new LobbyStage();
    stage.login(1);
    stage.create(1);
    assert.deepEqual(stage.told(1, stage.say(1, { command: "AddRobot" })), ["AddPlayer -2"]);
    assert.deepEqual(luaCalls(stage.say(1, { command: "StartGame" })), ["new_room"]);
    assert.ok(stage.told(1, overAndOut(stage)).includes("RemovePlayer -2"));
    stage.say(1, { command: "AddRobot" });
    stage.say(1, { command: "StartGame" });
    assert.equal(stage.lobby.reads.session(1)?.id, 2);
  });
});
