import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { GameClient, type Login } from "../client/game_client.ts";
import { type ProgramKind, withGameProgram } from "../client/game_program.ts";
import { Ear } from "./game_stage.ts";
import { packagesMd5 } from "./hostile_core.ts";
import { figureBecomes, figures } from "./program_figures.ts";
import { md5OfCore, realCore, withoutCore } from "./recorded_games.ts";

/** What runs the core: Lua in the program, or a native one. */
const luas = { embedded: "", native: "lua5.4" } as const;
type Lua = keyof typeof luas;

const memoryMb = 512;

/** A game of robots may go on for a thousand rounds: then the only player leaves. */
const longestGameMs = 20_000;

/** Reconnects into a game of the real rules, looks on at another's, and leaves both. */
async function comeAndGo(kind: ProgramKind, lua: Lua): Promise<void> {
  const root = { lua_command: luas[lua], lua_memory_mb: memoryMb };
  await withGameProgram({ kind, core: realCore, root }, async ({ port }) => {
    const join = async (login: Omit<Login, "password" | "md5">) => {
      const client = await GameClient.connect({ port });
      await client.login({ ...login, password: "secret", md5: md5OfCore });
      client.answerRequests(() => "__cancel");
      return client;
    };
    const [owner, other, guest] = [
      await join({ name: "liubei" }),
      await join({ name: "guanyu" }),
      await join({ name: "zhangfei" }),
    ];
    owner.createRoom({
      name: "peach garden",
      capacity: 2,
      settings: roleMode("peach garden"),
    });
    await owner.expect("RoomOwner");
    const [room] = await guest.rooms();
    assert.ok(room !== undefined);
    other.enterRoom(room.id);
    await other.expect("RoomOwner");
    other.ready();
    await owner.expect("ReadyChanged", ({ diag }) => diag.endsWith("true]"));
    owner.startGame();
    for (const client of [owner, other]) await client.expect("ArrangeSeats");

    guest.observeRoom(room.id);
    await guest.expect("Observe");
    await other.reset();
    await owner.expect("NetStateChanged", ({ diag }) => diag === `[${other.id}, 'offline']`);
    const back = await join({ name: "guanyu" });
    const said = back.received.map(({ command }) => command);
    // The game goes on meanwhile, so that words of the rules may come before `Reconnect`.
    assert.deepEqual(said.slice(1, 4), ["NetStateChanged", "Setup", "SetServerSettings"]);
    assert.ok(said.includes("Reconnect"));
    await owner.expect("NetStateChanged", ({ diag }) => diag === `[${other.id}, 'online']`);

    guest.quitRoom();
    await guest.expect("EnterLobby");
    const ear = await Ear.of(guest);
    back.pushRequest("surrender,true");
    owner.pushRequest("surrender,true");
    for (const client of [owner, back]) await client.expect("GameOver");
    for (const client of [owner, back]) await client.expect("AddTotalGameTime");
    assert.deepEqual(await ear.heard(), []);
    for (const client of [owner, back, guest]) await client.close();
  });
}

/** The standard game. */
function roleMode(roomName: string) {
  return {
    gameMode: "aaa_role_mode",
    roomName,
    password: "",
    _game: { generalNum: 3, generalTimeout: 15, luckTime: 0, enableFreeAssign: false },
    _mode: {},
    disabledPack: [],
    disabledGenerals: [],
  };
}

/** A package beside the core, with which the pauses for the eyes of players are 1 ms. */
const hurry = `local base = require "server.roombase"
local delay = base.delay
function base:delay(ms) return delay(self, math.min(ms, 1)) end
require("lunarltk.server.room").delay = base.delay
`;

/** What a player who trusts the machine heard of a game among robots, by its phases. */
interface Course {
  /** Kinds of commands in the order of their first time, until the first round begins. */
  readonly opening: readonly string[];
  /** All kinds of the rounds, sorted. */
  readonly rounds: readonly string[];
  /** Every command from the end of the game; empty when it was too long. */
  readonly ending: readonly string[];
}

/** Plays one game, of the core as it is but for its pauses. */
async function courseOf(lua: Lua, seats: number): Promise<Course> {
  let commands: string[] = [];
  const prepare = (directory: string) => {
    mkdirSync(join(directory, "packages/hurry"));
    writeFileSync(join(directory, "packages/hurry/init.lua"), hurry);
  };
  const root = { lua_command: luas[lua], lua_memory_mb: memoryMb };
  await withGameProgram({ kind: "binary", core: realCore, root, prepare }, async (program) => {
    const md5 = await packagesMd5(program);
    const login = { name: "caocao", password: "secret", md5 };
    const player = await GameClient.join({ port: program.port }, login);
    player.answerRequests(() => "__cancel");
    player.createRoom({ name: "war", capacity: seats, settings: roleMode("war") });
    await player.expect("RoomOwner");
    for (let robot = 1; robot < seats; robot++) player.addRobot();
    player.startGame();
    player.trust();
    const heard = () => player.received.map(({ command }) => command);
    const isOver = () => player.received.at(-1)?.command === "RemovePlayer";
    const hasEnded = await player.until(isOver, { withinMs: longestGameMs });
    await player.settled();
    commands = heard().slice(heard().indexOf("StartGame"));
    if (!hasEnded) player.quitRoom();
    await figureBecomes(program, "game_lua_rooms", (rooms) => rooms === 0);
    for (const [name, allowed] of [["lua_calls_dropped", 0], ["store_failures", 0]] as const) {
      assert.equal((await figures(program))(`game_${name}`), allowed, name);
    }
    assert.doesNotMatch(program.log, /state is lost|rooms ended with their rules/);
    await player.close();
  });
  const kinds = (from: number, to: number) => [...new Set(commands.slice(from, to))];
  const round = commands.indexOf("UpdateRoundNum");
  const over = commands.indexOf("GameOver");
  const quiet = new Set(["Heartbeat", "ReadGlobalSaveState"]);
  return {
    opening: kinds(0, round),
    rounds: kinds(round, over < 0 ? commands.length : over).sort(),
    ending: over < 0 ? [] : commands.slice(over).filter((command) => !quiet.has(command)),
  };
}

for (const kind of ["binary", "deno"] as const) {
  for (const lua of ["embedded", "native"] as const) {
    it(`serve (${kind}): a real core on ${lua} Lua reconnects players and shows games to others`, {
      skip: withoutCore,
    }, () => comeAndGo(kind, lua));
  }
}

for (const seats of [2, 8]) {
  it(`serve: a real core plays the role mode of ${seats} alike on embedded and native Lua`, {
    skip: withoutCore,
  }, async () => {
    const embedded = await courseOf("embedded", seats);
    const native = await courseOf("native", seats);
    assert.ok(embedded.opening.length >= 8, embedded.opening.join());
    assert.deepEqual(embedded.opening, native.opening);
    // What is played depends on the cards; these are in every round.
    for (const kind of ["UpdateRoundNum", "MoveCards", "GameLog", "LogEvent", "PropertyUpdate"]) {
      for (const { rounds } of [embedded, native]) assert.ok(rounds.includes(kind), kind);
    }
    // Two always fight to the end.
    if (seats === 2) assert.ok(embedded.ending.length > 0 && native.ending.length > 0);
    const robots = Array.from({ length: seats - 1 }, () => ["ReadyChanged", "RemovePlayer"]).flat();
    for (const { ending } of [embedded, native]) {
      if (ending.length === 0) continue;
      assert.deepEqual(ending, ["GameOver", "AddTotalGameTime", "NetStateChanged", ...robots]);
    }
  });
}
