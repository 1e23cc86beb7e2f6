import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, afterEach, before, describe } from "node:test";
import { fileURLToPath } from "node:url";
import { builtinGameDirectory, builtinGameTree } from "../../../src/game/builtin_game/files.ts";
import { EmbeddedRules } from "../../../src/game/lua/embedded_rules.ts";
import type { LuaAnswers } from "../../../src/game/lua/lua_host.ts";
import type { PackageTree } from "../../../src/game/lua/package_tree.ts";
import { RulesChild } from "../../../src/game/lua/rpc_child.ts";
import type { RulesLoss, RulesQueue, RulesTurn } from "../../../src/game/lua/rules_queue.ts";
import type { Runtime } from "../../../src/ports/runtime.ts";
import type { WorkersPort } from "../../../src/ports/workers.ts";
import { fakeLog } from "../../fakes/log.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import type { RulesEnds } from "../lua/lobby_with_rules.ts";
import { FerryStage } from "./ferry_stage.ts";

/** A way to run the built-in game's Lua. */
export interface FerryHost {
  readonly name: string;
  /** Why it cannot be had here. */
  readonly skip: string | false;
  /** `tree`: other files than the game's own, for hosts that can have them. */
  open(ends: RulesEnds, runtime: Runtime, tree?: PackageTree): OpenFerry;
}

/** Rules that run the game, and what their state occupies. */
export interface OpenFerry {
  readonly rules: RulesQueue;
  memoryBytes(): number;
}

const nativeLua = "lua5.4";
const found = spawnSync(nativeLua, ["-v"]).status === 0;
const common = { log: fakeLog().logger, turnMs: 30_000, disabledPacks: [], memoryMb: 64 };

/** A child process of the system's Lua. */
export const nativeFerry: FerryHost = {
  name: "the native Lua",
  skip: found ? false : `there is no ${nativeLua} on this machine`,
  open(ends, { process, clock }) {
    const rules = new RulesChild({ process, clock }, {
      ...ends,
      ...common,
      command: nativeLua,
      directory: fileURLToPath(new URL("../../../src/game/builtin_game", import.meta.url)),
    });
    return { rules, memoryBytes: () => residentBytes(rules.pid ?? 0) };
  },
};

/** A worker with the WebAssembly in this program. */
export const embeddedFerry: FerryHost = {
  name: "the embedded Lua",
  skip: false,
  open(ends, { workers, clock }, tree = builtinGameTree()) {
    let memoryBytes = 0;
    const watched: WorkersPort = {
      start<In, Out>(options: Parameters<typeof workers.start<In, Out>>[0]) {
        const { handlers } = options;
        const message = (told: Out) => {
          memoryBytes = (told as { readonly memoryBytes?: number }).memoryBytes ?? memoryBytes;
          handlers.message(told);
        };
        return workers.start<In, Out>({ ...options, handlers: { ...handlers, message } });
      },
    };
    const rules = new EmbeddedRules({ workers: watched, clock }, {
      ...ends,
      ...common,
      recycleMb: 64,
      tree: () => Promise.resolve(tree),
      directory: builtinGameDirectory,
    });
    return { rules, memoryBytes: () => memoryBytes };
  },
};

/** Every host that the game runs in. */
export const ferryHosts: readonly FerryHost[] = [nativeFerry, embeddedFerry];

/** What a process has in memory; NaN where the system does not tell. */
function residentBytes(pid: number): number {
  try {
    const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Number(kilobytes ?? NaN) * 1_024;
  } catch {
    // There is no /proc but on Linux.
    return NaN;
  }
}

/**
 * The same tests for each host. `start` gives a server of its own with no games, on a Lua state that
 * all tests of one host share: games of one test must leave nothing behind for the next.
 */
export function describeFerry(
  title: string,
  define: (start: () => FerryStage, memoryBytes: () => number) => void,
): void {
  for (const host of ferryHosts) {
    describe(`${title}, in ${host.name}`, { skip: host.skip }, () => {
      let open: OpenFerry;
      let stage: FerryStage;
      before(async () => {
        const ends = {
          host: forwarding(() => stage.reads),
          turnDone: (turn: RulesTurn) => stage.turnDone(turn),
          stateLost: (loss: RulesLoss) => stage.stateLost(loss),
        };
        open = host.open(ends, await runtimeUnderTest());
        open.rules.start();
      });
      afterEach(() => stage.abandonAll());
      after(() => open.rules.close());
      define(() => stage = new FerryStage(open.rules), () => open.memoryBytes());
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
