import assert from "node:assert/strict";
import process from "node:process";
import { before, describe, it } from "node:test";
import type { LuaEngineFactory } from "../../../src/game/lua/lua_engine.ts";
import type { LuaCall } from "../../../src/game/lua/lua_host.ts";
import { compileLua } from "../../../src/game/lua/lua_wasm.ts";
import { type PackageTree, readPackageTree } from "../../../src/game/lua/package_tree.ts";
import type { RulesNotice } from "../../../src/game/lua/rpc_rules.ts";
import { turnFacts } from "../../../src/game/lua/rules_facts.ts";
import { RulesState, type RulesTurnEnd } from "../../../src/game/lua/rules_state.ts";
import { wasmoonEngines } from "../../../src/game/lua/wasmoon_engine.ts";
import { encodeUtf8 } from "../../../src/wire/utf8.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { readGlue } from "./lua_program.ts";
import { memoryBombs } from "./memory_bombs.ts";
import { rulesTable } from "./rpc_table.ts";
import { scriptedCore } from "./scripted_core.ts";

/** How often each is set off; what goes wrong does so once in a while. */
const rounds = Number(process.env.FREEKILL_GW_MEMORY_BOMBS ?? 3);
const memoryBytesMax = 24 * 1_048_576;
/** Long enough for any of them on a busy machine, but for the one that waits for it. */
const turnMs = { usual: 5_000, short: 300 };

/** A state with two rooms. */
class TwoRooms {
  readonly #table = rulesTable([1, 2]);
  readonly state: RulesState;

  constructor(engines: LuaEngineFactory, tree: PackageTree, length: keyof typeof turnMs) {
    this.state = new RulesState(engines, {
      tree,
      directory: scriptedCore.directory,
      disabledPacks: [],
      turnMs: turnMs[length],
      memoryBytesMax,
      now: () => performance.now(),
      time: () => 0,
    });
    assert.equal(this.state.start().outcome, "done");
    this.begin(1);
    this.begin(2);
  }

  begin(roomId: number): void {
    assert.equal(this.#run({ kind: "new_room", roomId }).outcome, "done");
  }

  order(roomId: number, text: string): RulesTurnEnd {
    const request = encodeUtf8(text);
    return this.#run({ kind: "push_request", roomId, playerId: 9, request });
  }

  #run(call: LuaCall): RulesTurnEnd {
    return this.state.run(call, turnFacts(this.#table, call, 0));
  }
}

const untilLate = "while true do end";
const hasEnded = ({ ends, notices }: RulesTurnEnd) =>
  ends !== undefined || notices.some(({ kind }) => kind === "game_over");
const commandsOf = (notices: readonly RulesNotice[]) =>
  notices.map((notice) => notice.kind === "do_notify" ? notice.command : notice.kind);

describe("RulesState: a room that uses up the memory", () => {
  let engines: LuaEngineFactory;
  let tree: PackageTree;
  before(async () => {
    engines = wasmoonEngines(await compileLua(await readGlue()));
    tree = await readPackageTree((await runtimeUnderTest()).files, scriptedCore.dataDirectory);
  });

  /** Sets one off again and again, with another room in between that must not feel it. */
  function suffer(order: string): void {
    const length = order.endsWith(untilLate) ? "short" : "usual";
    let rooms = new TwoRooms(engines, tree, length);
    for (let round = 0; round < rounds; round++) {
      const end = rooms.order(1, order);
      assert.notEqual(end.outcome, "dead", `in round ${round}: ${end.reason}`);
      for (const [text, told] of spared) {
        const { outcome, reason, notices } = rooms.order(2, text);
        assert.deepEqual([outcome, reason, commandsOf(notices)], ["done", "", told]);
      }
      if (end.isSpent) {
        rooms = new TwoRooms(engines, tree, length);
      } else if (hasEnded(end)) rooms.begin(1);
    }
  }

  for (const [name, text] of Object.entries(memoryBombs)) {
    it(`with ${name}: the other room goes on`, { timeout: rounds * 20_000 }, () => {
      suffer(`lua,${text}`);
      suffer(`lua_main,${text}`);
    });
  }

  it("ends it if it holds on to the memory, and lets go of what it held", () => {
    const rooms = new TwoRooms(engines, tree, "usual");
    const end = rooms.order(1, `lua_main,${memoryBombs["all of it kept in the room"]}`);
    assert.equal(end.ends, "the rules used more than 24 MiB of memory");
    assert.equal(end.isSpent, false);
    assert.match(rooms.order(1, "notify,Note,on").reason, /Room not found/);
    const others = rooms.order(2, "lua,return collectgarbage('count') < 4096");
    assert.deepEqual(commandsOf(others.notices), ["Told", "Told"]);
  });

  it("is spent when nobody lets go of the memory; the others get the reserve", () => {
    for (const name of ["finalizers that revive", "all of it kept by the core"]) {
      const text = memoryBombs[name] ?? "rules.kept = {} while true do " +
          "rules.kept[#rules.kept + 1] = {} end";
      const rooms = new TwoRooms(engines, tree, "usual");
      const end = rooms.order(1, `lua_main,local room, rules = ... ${text}`);
      assert.equal(end.ends, "the rules used more than 24 MiB of memory", name);
      assert.equal(end.isSpent, true, name);
      assert.equal(rooms.order(2, "notify,Note,on").isSpent, true, name);
      const { notices } = rooms.order(2, "lua,return #('x'):rep(2000000)");
      assert.deepEqual(commandsOf(notices), ["Told", "Told"], name);
    }
  });
});

/** What the other room does, and what is to come of it. */
const spared: readonly (readonly [order: string, told: readonly string[]])[] = [
  ["notify,Note,on", ["Note", "Note"]],
  ["lua,local t = {} for i = 1, 9999 do t[i] = { i } end return #t", ["Told", "Told"]],
];
