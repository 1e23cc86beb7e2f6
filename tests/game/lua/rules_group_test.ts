import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { EmbeddedRules } from "../../../src/game/lua/embedded_rules.ts";
import { readPackageTree } from "../../../src/game/lua/package_tree.ts";
import { roomsPerStateMax, RulesGroup } from "../../../src/game/lua/rules_group.ts";
import type { RulesLoss, RulesTurn } from "../../../src/game/lua/rules_queue.ts";
import type { SharedLua } from "../../../src/game/lua/worker_run.ts";
import { encodeUtf8 } from "../../../src/wire/utf8.ts";
import { fakeLog } from "../../fakes/log.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { rulesTable } from "./rpc_table.ts";
import { scriptedCore } from "./scripted_core.ts";

const newRoom = (roomId: number) => ({ kind: "new_room", roomId }) as const;

function order(roomId: number, text: string) {
  return { kind: "push_request", roomId, playerId: 9, request: encodeUtf8(text) } as const;
}

describe("RulesGroup", () => {
  const opened: RulesGroup[] = [];
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close();
  });

  async function started(statesMax: number, { rooms = 8, turnMs = 400 } = {}) {
    const { workers, clock, files } = await runtimeUnderTest();
    const turns: RulesTurn[] = [];
    const losses: RulesLoss[] = [];
    const shared: SharedLua = {};
    const pool = new RulesGroup(clock, {
      statesMax,
      turnDone: (turn) => void turns.push(turn),
      stateLost: (loss) => void losses.push(loss),
      open(told) {
        return new EmbeddedRules({ workers, clock }, {
          ...told,
          tree: () => readPackageTree(files, scriptedCore.dataDirectory),
          directory: scriptedCore.directory,
          disabledPacks: [],
          turnMs,
          memoryMb: 64,
          recycleMb: 64,
          shared,
          host: rulesTable(Array.from({ length: rooms }, (_, at) => at + 1)),
          log: fakeLog().logger,
        });
      },
    });
    opened.push(pool);
    pool.start();
    /** How many states a number of new rooms is spread over. */
    const play = async (ids: readonly number[]) => {
      for (const id of ids) pool.call(newRoom(id));
      assert.equal(await pool.ping(), true);
    };
    const nothingWaits = () => new Promise<void>((resolve) => void clock.after(1, resolve));
    return { pool, shared, turns, losses, play, nothingWaits };
  }

  it("spreads rooms over states, with one ready beforehand, no more than it may have", async () => {
    const { pool, play, turns, shared } = await started(3);
    assert.equal(pool.states, 1);
    await play([1]);
    assert.notEqual(shared.program, undefined, "what the first has compiled is for all");
    assert.equal(pool.states, 2);
    await play([2, 3, 4, 5, 6, 7]);
    assert.equal(pool.states, 3);
    assert.equal(pool.load, 7);
    for (let id = 1; id <= 7; id++) pool.call(order(id, `notify,Note,${id}`));
    await pool.ping();
    assert.equal(turns.length, 14);
  });

  it("a lost state costs its own rooms", async () => {
    const { pool, losses, play, turns } = await started(2);
    await play([1]);
    await play([2]);
    pool.call(order(1, "lua_main,('x'):rep(200):find(('.-'):rep(50) .. 'y')"));
    assert.equal(await pool.ping(), false);
    assert.deepEqual(losses.map(({ roomIds }) => roomIds), [[1]]);
    const before = turns.length;
    pool.call(order(2, "notify,Note,on"));
    pool.call(order(1, "notify,Note,nobody is there"));
    assert.equal(await pool.ping(), true);
    assert.equal(turns.length, before + 1);
    assert.equal(pool.load, 1);
  });

  it("closes states that are idle beside another idle one", async () => {
    const { pool, play, nothingWaits } = await started(3);
    await play([1]);
    await play([2]);
    assert.equal(pool.states, 3);
    for (const id of [1, 2]) pool.call(order(id, "end,draw,draw"));
    await pool.ping();
    await nothingWaits();
    assert.equal(pool.states, 1);
    await play([3]);
    assert.equal(pool.load, 1);
  });

  it("forget() lets go of a room, and of a state that is not needed then", async () => {
    const { pool, play, nothingWaits } = await started(2);
    await play([1]);
    assert.equal(pool.states, 2);
    pool.forget(1);
    await pool.ping();
    await nothingWaits();
    assert.deepEqual([pool.load, pool.states], [0, 1]);
    await play([2]);
    assert.equal(pool.load, 1);
  });

  it("opens one state more when all are full", async () => {
    const { pool, play } = await started(1, { rooms: roomsPerStateMax + 2 });
    const ids = Array.from({ length: roomsPerStateMax + 1 }, (_, at) => at + 1);
    await play(ids.slice(0, -2));
    assert.equal(pool.states, 1);
    await play(ids.slice(-2));
    assert.equal(pool.states, 2);
    assert.equal(pool.load, roomsPerStateMax + 1);
  });

  it("close() ends all, and nothing is told any more", async () => {
    const { pool, play, losses } = await started(2);
    await play([1, 2]);
    await pool.close();
    assert.equal(pool.call(newRoom(3)), false);
    assert.equal(await pool.ping(), false);
    assert.deepEqual(losses, []);
  });

  it("begins no further room in a state that stays full; those in it play on", async () => {
    const { pool, play, turns, losses, nothingWaits } = await started(1, { turnMs: 30_000 });
    await play([1, 2]);
    assert.equal(pool.states, 1);
    const kept = "local all, mt = {}, {} mt.__gc = function(o) setmetatable(o, mt) end " +
      "while true do all[#all + 1] = setmetatable({ ('x'):rep(999) .. #all }, mt) end";
    pool.call(order(1, `lua_main,${kept}`));
    while (losses.length === 0) await nothingWaits();
    assert.deepEqual(losses, [{
      reason: "the rules used more than 64 MiB of memory",
      roomIds: [1],
      taskIds: [],
    }]);
    await play([3]);
    assert.deepEqual(pool.parts.map(({ load, isSpent }) => [load, isSpent]), [
      [1, true],
      [1, false],
    ]);
    for (const id of [2, 3]) pool.call(order(id, "notify,Note,on"));
    await pool.ping();
    assert.deepEqual(turns.slice(-2).map(({ notices }) => notices.length), [2, 2]);
    pool.call(order(2, "end,draw,draw"));
    await pool.ping();
    await nothingWaits();
    assert.equal(pool.parts.some(({ isSpent }) => isSpent), false);
    assert.equal(losses.length, 1);
  });
});
