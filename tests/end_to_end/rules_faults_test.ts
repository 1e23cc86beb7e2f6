import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import type { GameClient } from "../client/game_client.ts";
import { talkative } from "./bystanders.ts";
import { Stage, unhurried } from "./game_stage.ts";
import { backInLobby, type Cost, HostileCast, startRoom, turnMs } from "./hostile_cast.ts";
import { corePath, hostileCore, packagesMd5, putIntoCore, statOf } from "./hostile_core.ts";
import { figureBecomes, figures } from "./program_figures.ts";

const memoryMb = 24;
const gameKeys = { ...unhurried, ...talkative };
const root = { lua_turn_ms: turnMs, lua_memory_mb: memoryMb, lua_recycle_mb: memoryMb };

const forever = "while true do end";
const pattern = "('x'):rep(200):find(('.-'):rep(50) .. 'y')";
const bomb = "local all = {} while true do all[#all + 1] = ('x'):rep(9999) .. #all end";

/** In the logic of a game, which the core runs in a coroutine. */
const inGames: readonly (readonly [name: string, text: string, cost: Cost])[] = [
  ["a loop", forever, "game"],
  [
    "a loop that catches what ends it",
    `while true do pcall(function() ${forever} end) end`,
    "game",
  ],
  [
    "loops in coroutines",
    `while true do coroutine.wrap(function() ${forever} end)() end`,
    "game",
  ],
  [
    "a loop in __close",
    `local held <close> = setmetatable({}, { __close = function() ${forever} end })`,
    "game",
  ],
  ["a loop in a comparison", `table.sort({ 3, 2, 1, 5, 4 }, function() ${forever} end)`, "game"],
  ["a loop in gsub", `return (('x'):gsub('x', function() ${forever} end))`, "game"],
  [
    "recursion through __index",
    "local t = setmetatable({}, {}) getmetatable(t).__index = function(_, k) return t[k] end " +
    "return t.x",
    "game",
  ],
  ["big strings without end", "while true do local s = ('x'):rep(1 << 20) end", "game"],
  ["a string of 8 GiB", "return ('x'):rep(1 << 33)", "game"],
  ["a string that doubles", "local s = 'x' while true do s = s .. s end", "game"],
  ["a table that grows", bomb, "game"],
  ["a pattern that backtracks", pattern, "state"],
  [
    "finalizers that loop",
    `while true do setmetatable({}, { __gc = function() ${forever} end }) end`,
    "state",
  ],
  [
    "a loop in a handler of errors",
    `xpcall(function() ${forever} end, function() ${forever} end)`,
    "state",
  ],
];

/** In the handler of a request itself. */
const inHandlers: typeof inGames = [
  ["an error", "error('on purpose')", "nothing"],
  ["an error that is no text", "error({})", "nothing"],
  ["a loop", forever, "room"],
  ["a loop in a comparison", `table.sort({ 3, 2, 1, 5, 4 }, function() ${forever} end)`, "room"],
  [
    "a loop that catches what ends it",
    `while true do pcall(function() ${forever} end) end`,
    "state",
  ],
  ["a table that grows", bomb, "nothing"],
  [
    "a table that grows in the room",
    "local r = ... r.all = {} while true do r.all[#r.all + 1] = #r.all .. '' end",
    "room",
  ],
  ["a pattern that backtracks", pattern, "state"],
  [
    "notices without end",
    "local r, rules = ... while true do rules.tell(r, 'Flood', '') end",
    "room",
  ],
  [
    "big notices without end",
    "local r, rules = ... while true do rules.tell(r, 'Flood', ('x'):rep(99999)) end",
    "room",
  ],
];

const told: Readonly<Record<Cost, string>> = {
  nothing: "nothing more than that call",
  game: "its own game",
  room: "its own room",
  state: "the rooms of its state",
};

for (const kind of ["binary", "deno"] as const) {
  describe(`serve: rules that misbehave (${kind})`, () => {
    const stage = new Stage(kind);
    let cast: HostileCast;
    before(async () => {
      await stage.open(hostileCore({ game: gameKeys, root }));
      cast = await HostileCast.meet(stage);
    });
    after(async () => {
      await stage.clear();
      await stage.close();
    });

    for (const [name, text, cost] of inGames) {
      it(`${name} in a game costs ${told[cost]}`, () => cast.suffer(`lua,${text}`, cost));
    }
    for (const [name, text, cost] of inHandlers) {
      it(`${name} in a handler costs ${told[cost]}`, () => cast.suffer(`lua_main,${text}`, cost));
    }

    it("an error or a loop at the beginning of a game costs its room", async () => {
      for (const text of ["error('on purpose')", forever]) {
        cast.neighbours[0].pushRequest(`trap,newroom,${text}`);
        await cast.neighbours[0].settled();
        const from = cast.victims.map(({ received }) => received.length);
        await startRoom(cast.victims);
        for (const [at, client] of cast.victims.entries()) {
          await backInLobby(client, from[at] ?? 0);
        }
        await cast.nothingIsLeft();
      }
    });

    it("an error in any other callback costs nothing more than that call", async () => {
      await cast.begin();
      const [owner, other] = cast.victims;
      const trap = async (callback: string) => {
        owner.pushRequest(`trap,${callback},error('on purpose')`);
        await owner.settled();
      };
      await trap("HandleRequest");
      owner.pushRequest("notify,Lost");
      await trap("ResumeRoom");
      owner.pushRequest("delay,1");
      await trap("SetPlayerState");
      other.trust();
      await owner.expect("NetStateChanged", ({ diag }) => diag === `[${other.id}, 'trust']`);
      other.trust();
      await trap("RemoveObserver");
      cast.watcher.quitRoom();
      await cast.watcher.expect("EnterLobby");
      const [{ id = 0 } = {}] = (await cast.watcher.rooms()).filter(({ name }) =>
        name === `room of ${owner.name}`
      );
      await trap("AddObserver");
      cast.watcher.observeRoom(id);
      await cast.watcher.settled();
      cast.watcher.quitRoom();
      await cast.watcher.expect("EnterLobby");
      cast.watcher.observeRoom(id);
      await cast.watcher.expect("Observe");
      assert.ok(!owner.received.some(({ command }) => command === "Lost"));
      await cast.pay("nothing");
    });

    it("an error at the beginning of a task, or at its end, costs the task", async () => {
      const { watcher, neighbours: [owner] } = cast;
      owner.pushRequest("trap,newtask,error('on purpose')");
      await owner.settled();
      watcher.lobbyTask("count", 1);
      await watcher.settled();
      watcher.lobbyTask("count", 1);
      await watcher.expect("TaskDone");
      await cast.nothingIsLeft();
    });

    for (const [how, lua] of [["run for ever", forever], ["fail", "error('on purpose')"]]) {
      it(`a game that is given up is gone, even if its rules ${how} then`, async () => {
        const pair = await pairOf(stage);
        await startRoom(pair);
        await pair[1].settled();
        pair[0].pushRequest(`trap,ResumeRoom,${lua}`);
        await pair[0].settled();
        for (const client of pair) await client.reset();
        await cast.nothingIsLeft();
      });
    }

    it("nobody else has noticed anything, and nothing is left", async () => {
      await cast.part();
      await figureBecomes(stage.program, "game_lua_rooms", (rooms) => rooms === 0);
      await figureBecomes(stage.program, "game_lua_states", (states) => states === 1);
      const { luaStates } = await statOf(stage.program);
      assert.deepEqual(luaStates.map(({ rooms, isOutdated }) => [rooms, isOutdated]), [[0, false]]);
      const figure = await figures(stage.program);
      assert.equal(figure("game_lua_calls_dropped"), 0);
      const pair = await pairOf(stage);
      await startRoom(pair);
      pair[0].pushRequest("end,win,lose");
      for (const client of pair) await client.expect("GameOver");
    });
  });

  describe(`serve: packages that cannot be loaded (${kind})`, () => {
    const stage = new Stage(kind);
    before(() => stage.open(hostileCore({ game: gameKeys, root })));
    after(async () => {
      await stage.clear();
      await stage.close();
    });

    it("a syntax error ends the games that begin with it, with a word of where it is", async () => {
      const { program } = stage;
      const entry = readFileSync(corePath(program, "entry.lua"), "utf8");
      const before = await pairOf(stage);
      await startRoom(before);
      for (const client of before) await client.expect("Settings");

      putIntoCore(program, "entry.lua", `${entry}\nlocal nothing = = 1\n`);
      await program.command("reloadconf");
      for (let game = 1; game <= 2; game++) {
        const pair = await pairOf(stage);
        const from = pair.map(({ received }) => received.length);
        await startRoom(pair);
        for (const [at, client] of pair.entries()) await backInLobby(client, from[at] ?? 0);
      }
      assert.match(program.log, /entry\.lua:\d+: unexpected symbol near '='/);
      before[0].pushRequest("notify,Note,on");
      await before[1].expect("Note");

      putIntoCore(program, "entry.lua", `${entry}\n-- mended\n`);
      await program.command("reloadconf");
      const pair = await pairOf(stage);
      await startRoom(pair);
      for (const client of pair) await client.expect("Settings");
    });
  });
}

/** Two new players in the lobby, on the packages as they are. */
async function pairOf(stage: Stage): Promise<readonly [GameClient, GameClient]> {
  const md5 = await packagesMd5(stage.program);
  return [await stage.player("player", { md5 }), await stage.player("player", { md5 })];
}
