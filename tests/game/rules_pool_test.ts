import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LuaCall } from "../../src/game/lua/lua_host.ts";
import type { RulesLoss, RulesTurn } from "../../src/game/lua/rpc_child.ts";
import { type RulesHooks, RulesPool, type RulesState } from "../../src/game/rules_pool.ts";

class StateProbe implements RulesState {
  readonly hooks: RulesHooks;
  readonly calls: LuaCall[] = [];
  readonly forgotten: number[] = [];
  readonly pid: number;
  load = 0;
  isFull = false;
  starts = 0;
  closes = 0;

  constructor(hooks: RulesHooks, pid: number) {
    this.hooks = hooks;
    this.pid = pid;
  }

  start(): void {
    this.starts++;
  }

  call(call: LuaCall): boolean {
    if (this.isFull) return false;
    this.calls.push(call);
    return true;
  }

  forget(id: number): void {
    this.forgotten.push(id);
  }

  close(): Promise<void> {
    this.closes++;
    return Promise.resolve();
  }
}

function stage() {
  const made: StateProbe[] = [];
  const turns: RulesTurn[] = [];
  const losses: RulesLoss[] = [];
  const unheard: LuaCall[] = [];
  const pool = new RulesPool((hooks) => {
    const state = new StateProbe(hooks, 100 + made.length);
    made.push(state);
    return state;
  }, {
    turnDone: (turn) => void turns.push(turn),
    stateLost: (loss) => void losses.push(loss),
    unheard: (call) => void unheard.push(call),
  });
  return { pool, made, turns, losses, unheard };
}

const newRoom = (roomId: number): LuaCall => ({ kind: "new_room", roomId });
const resume = (roomId: number): LuaCall => ({ kind: "resume", roomId, reason: "delay_done" });
const released = (roomId: number): RulesTurn => ({
  call: undefined,
  notices: [{ kind: "decrease_ref_count", roomId }],
});

describe("RulesPool", () => {
  it("renew() starts a state; without one calls go nowhere", () => {
    const { pool, made } = stage();
    pool.call(newRoom(1));
    assert.deepEqual(pool.states, []);
    pool.renew();
    assert.equal(made[0]?.starts, 1);
    assert.deepEqual(pool.states, [{ pid: 100, load: 0, isOutdated: false }]);
    pool.call(resume(1));
    assert.deepEqual(made[0]?.calls, []);
  });

  it("a room stays with its state, new ones go to the newest", () => {
    const { pool, made } = stage();
    pool.renew();
    pool.call(newRoom(1));
    made[0]!.load = 1;
    pool.renew();
    pool.call(newRoom(2));
    pool.call({ kind: "new_task", taskId: -1001 });
    pool.call(resume(1));
    pool.call(resume(2));
    pool.call(resume(-1001));
    assert.deepEqual(made[0]!.calls, [newRoom(1), resume(1)]);
    assert.equal(made[1]!.calls.length, 4);
    assert.deepEqual(pool.states.map(({ isOutdated }) => isOutdated), [false, true]);
    assert.equal(made[0]!.closes, 0);
  });

  it("an outdated state is closed when its last room has ended, an idle one at once", () => {
    const { pool, made, turns } = stage();
    pool.renew();
    pool.renew();
    assert.equal(made[0]!.closes, 1);
    pool.call(newRoom(1));
    made[1]!.load = 1;
    pool.renew();
    made[1]!.hooks.turnDone({ call: undefined, notices: [] });
    assert.equal(made[1]!.closes, 0);
    made[1]!.load = 0;
    made[1]!.hooks.turnDone(released(1));
    assert.equal(made[1]!.closes, 1);
    assert.equal(turns.length, 2);
    assert.deepEqual(pool.states.map(({ pid }) => pid), [102]);
    pool.call(resume(1));
    assert.equal(made[1]!.calls.length, 1, "its room has ended");
  });

  it("a room that its rules let go of is told nothing more, and its id may come again", () => {
    const { pool, made } = stage();
    pool.renew();
    pool.call(newRoom(1));
    made[0]!.hooks.turnDone(released(1));
    pool.call(resume(1));
    pool.renew();
    pool.call(newRoom(1));
    pool.call(resume(1));
    assert.deepEqual(made.map(({ calls }) => calls.length), [1, 2]);
  });

  it("a lost state's rooms are told of once, and an outdated one is not kept for them", () => {
    const { pool, made, losses } = stage();
    pool.renew();
    pool.call(newRoom(1));
    made[0]!.load = 1;
    pool.renew();
    made[0]!.load = 0;
    made[0]!.hooks.stateLost({ reason: "died", roomIds: [1], taskIds: [] });
    assert.deepEqual(losses, [{ reason: "died", roomIds: [1], taskIds: [] }]);
    assert.equal(made[0]!.closes, 1);
    pool.call(resume(1));
    assert.equal(made[0]!.calls.length, 1);
  });

  it("counts calls that a state dropped", () => {
    const { pool, made } = stage();
    pool.renew();
    pool.call(newRoom(1));
    made[0]!.isFull = true;
    pool.call(resume(1));
    assert.equal(pool.dropped, 1);
  });

  it("close() closes all states, and calls go nowhere", async () => {
    const { pool, made } = stage();
    pool.renew();
    pool.call(newRoom(1));
    made[0]!.load = 1;
    pool.renew();
    await pool.close();
    assert.deepEqual(made.map(({ closes }) => closes), [1, 1]);
    pool.call(resume(1));
    pool.call(newRoom(2));
    assert.deepEqual(made.map(({ calls }) => calls.length), [1, 0]);
    assert.deepEqual(pool.states, []);
  });
});

describe("RulesPool of rooms that are over", () => {
  it("forget() tells the state of the room, once, and nobody else", () => {
    const { pool, made } = stage();
    pool.renew();
    pool.call(newRoom(3));
    pool.renew();
    pool.forget(3);
    pool.forget(3);
    pool.forget(4);
    assert.deepEqual(made.map(({ forgotten }) => forgotten), [[3], []]);
  });

  it("forget() of its last room closes an outdated state", () => {
    const { pool, made } = stage();
    pool.renew();
    pool.call(newRoom(3));
    made[0]!.load = 1;
    pool.renew();
    made[0]!.load = 0;
    pool.forget(3);
    assert.deepEqual(made.map(({ closes }) => closes), [1, 0]);
  });

  it("a task that its rules let go of is told nothing more", () => {
    const { pool, made } = stage();
    pool.renew();
    pool.call({ kind: "new_task", taskId: -1001 });
    made[0]!.hooks.turnDone({
      call: undefined,
      notices: [{ kind: "task_decrease_ref_count", taskId: -1001 }],
    });
    pool.call(resume(-1001));
    assert.equal(made[0]!.calls.length, 1);
  });

  it("call() says what no state hears any more", () => {
    const { pool, made, unheard } = stage();
    pool.renew();
    pool.call(newRoom(3));
    made[0]?.hooks.turnDone(released(3));
    const late: LuaCall = { kind: "request", roomId: 3, playerId: 1, command: "reconnect" };
    pool.call(late);
    assert.deepEqual(unheard, [late]);
  });
});
