import { spawnSync } from "node:child_process";
import { after, afterEach, before, describe } from "node:test";
import { fileURLToPath } from "node:url";
import { builtinGameDirectory, builtinGameTree } from "../../../src/game/builtin_game/files.ts";
import { EmbeddedRules } from "../../../src/game/lua/embedded_rules.ts";
import type { LuaAnswers } from "../../../src/game/lua/lua_host.ts";
import { RulesChild } from "../../../src/game/lua/rpc_child.ts";
import type { RulesLoss, RulesQueue, RulesTurn } from "../../../src/game/lua/rules_queue.ts";
import type { Runtime } from "../../../src/ports/runtime.ts";
import { fakeLog } from "../../fakes/log.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import type { RulesEnds } from "../lua/lobby_with_rules.ts";
import { FerryStage } from "./ferry_stage.ts";

/** A way to run the built-in game's Lua. */
export interface FerryHost {
  readonly name: string;
  /** Why it cannot be had here. */
  readonly skip: string | false;
  open(ends: RulesEnds, runtime: Runtime): RulesQueue;
}

const nativeLua = "lua5.4";
const found = spawnSync(nativeLua, ["-v"]).status === 0;
const turnMs = 30_000;

/** Every host that the game runs in. */
export const ferryHosts: readonly FerryHost[] = [
  {
    name: "the native Lua",
    skip: found ? false : `there is no ${nativeLua} on this machine`,
    open: (ends, { process, clock }) =>
      new RulesChild({ process, clock }, {
        ...ends,
        log: fakeLog().logger,
        turnMs,
        disabledPacks: [],
        memoryMb: 64,
        command: nativeLua,
        directory: fileURLToPath(new URL("../../../src/game/builtin_game", import.meta.url)),
      }),
  },
  {
    name: "the embedded Lua",
    skip: false,
    open: (ends, { workers, clock }) =>
      new EmbeddedRules({ workers, clock }, {
        ...ends,
        log: fakeLog().logger,
        turnMs,
        disabledPacks: [],
        memoryMb: 64,
        recycleMb: 64,
        tree: () => Promise.resolve(builtinGameTree()),
        directory: builtinGameDirectory,
      }),
  },
];

/**
 * The same tests for each host. `start` gives a server of its own with no games, on a Lua state that
 * all tests of one host share: games of one test must leave nothing behind for the next.
 */
export function describeFerry(title: string, define: (start: () => FerryStage) => void): void {
  for (const host of ferryHosts) {
    describe(`${title}, in ${host.name}`, { skip: host.skip }, () => {
      let rules: RulesQueue;
      let stage: FerryStage;
      before(async () => {
        const ends = {
          host: forwarding(() => stage.reads),
          turnDone: (turn: RulesTurn) => stage.turnDone(turn),
          stateLost: (loss: RulesLoss) => stage.stateLost(loss),
        };
        rules = host.open(ends, await runtimeUnderTest());
        rules.start();
      });
      afterEach(() => stage.abandonAll());
      after(() => rules.close());
      define(() => stage = new FerryStage(rules));
    });
  }
}

/** Answers as whoever is behind it at the moment. */
function forwarding(behind: () => LuaAnswers): LuaAnswers {
  return {
    room: (roomId) => behind().room(roomId),
    session: (roomId) => behind().session(roomId),
    task: (taskId) => behind().task(taskId),
    reply: (connId) => behind().reply(connId),
    thinking: (connId) => behind().thinking(connId),
    addNpc: (roomId) => behind().addNpc(roomId),
    npcPlaces: (roomId) => behind().npcPlaces(roomId),
    newNpc: () => behind().newNpc(),
    seatNpc: (roomId, npc) => behind().seatNpc(roomId, npc),
  };
}
