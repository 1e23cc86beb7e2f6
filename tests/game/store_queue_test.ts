import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StoreResult } from "../../src/game/accounts/store_batch.ts";
import type {
  AccountFacts,
  UsersAnswer,
  UsersAnswers,
  UsersOperation,
} from "../../src/game/accounts/users_operations.ts";
import { StoreQueue } from "../../src/game/store_queue.ts";
import { savesRules, usersRules } from "../../src/game/store_rules.ts";

const limits = { batchOperationsMax: 3, batchBytesMax: 100 };
const busy = { ok: false, reason: "busy", passes: true } as const;
const done = { ok: true, value: null } as const;

const account: AccountFacts = {
  uid: 7,
  name: "a",
  avatar: "liubei",
  lastLoginIp: "",
  banned: false,
  password: {},
  totalGameTime: 10,
  statistics: [],
};
const found: UsersAnswers["look_up"] = { account, deviceAccounts: 1 };
const nobody: UsersAnswers["look_up"] = { account: undefined, deviceAccounts: 0 };

const time = (seconds: number, uid = 7) => ({ kind: "add_game_time", uid, seconds }) as const;
const lookUp = (name = "a") => ({ kind: "look_up", name, uuid: "" }) as const;
const register = (name: string) =>
  ({
    kind: "register",
    name,
    password: { hash: "h", salt: "s" },
    ip: "::1",
    uuid: "u",
    at: 1,
    deviceAccountsMax: 5,
  }) as const;

function usersQueue() {
  const queue = new StoreQueue<UsersOperation, UsersAnswer>(usersRules);
  let number = 0;
  return {
    queue,
    give(operation: UsersOperation, bytes = 1) {
      const given: { result?: StoreResult<UsersAnswer>; giveUp(reason: string): void } = {
        giveUp: () => {},
      };
      number++;
      given.giveUp = queue.add({
        operation,
        number,
        bytes,
        since: number,
        answer(result) {
          assert.equal(given.result, undefined, "answered twice");
          given.result = result;
        },
      });
      return given;
    },
    /** Answers the next batch of a lane and returns what was in it. */
    step(lane: "writes" | "reads", result: StoreResult<UsersAnswer> = done) {
      const batch = queue.take(lane, limits);
      queue.finish(lane, batch.map(() => result));
      return batch;
    },
  };
}

describe("StoreQueue", () => {
  it("take() gives batches in order, bounded in operations and bytes, one at a time", () => {
    const { queue, give } = usersQueue();
    const all = [1, 2, 3, 4].map((seconds) => give(time(seconds)));
    give(time(5), 500);
    assert.deepEqual(queue.take("writes", limits), [time(1), time(2), time(3)]);
    assert.deepEqual(queue.take("writes", limits), [], "one is in flight");
    queue.finish("writes", [done, { ok: false, reason: "no" }, done]);
    assert.deepEqual(all.map(({ result }) => result), [
      done,
      { ok: false, reason: "no" },
      done,
      undefined,
    ]);
    assert.deepEqual(queue.take("writes", limits), [time(4)]);
    queue.finish("writes", [done]);
    assert.deepEqual(queue.take("writes", limits), [time(5)], "too large, so alone");
  });

  it("finish() keeps what may be tried again at the front, in order", () => {
    const { queue, give, step } = usersQueue();
    give(time(1));
    give(time(2));
    assert.equal(queue.take("writes", limits).length, 2);
    give(time(3));
    assert.equal(queue.finish("writes", [done, busy]), "busy");
    assert.deepEqual(step("writes"), [time(2), time(3)]);
    assert.equal(queue.isBusy("writes"), false);
  });

  it("a look_up overtakes writes and yet sees those of the same account that came before", () => {
    const { give, step } = usersQueue();
    give(time(1));
    give(time(100, 8));
    give({ kind: "ban", name: "a" });
    const read = give(lookUp());
    give(time(50));
    step("reads", { ok: true, value: found });
    assert.deepEqual(read.result, {
      ok: true,
      value: { ...found, account: { ...account, totalGameTime: 11, banned: true } },
    });
  });

  it("a look_up does not count again what was written before it was done", () => {
    const { give, step } = usersQueue();
    give(time(1));
    const read = give(lookUp());
    step("writes");
    step("reads", { ok: true, value: found });
    assert.deepEqual(read.result, { ok: true, value: found });
  });

  it("a look_up of a name that is being registered waits for that alone", () => {
    const { queue, give, step } = usersQueue();
    give(register("a"));
    const read = give(lookUp("a"));
    const other = give(lookUp("b"));
    step("reads", { ok: true, value: nobody });
    assert.equal(read.result, undefined);
    assert.deepEqual(other.result, { ok: true, value: nobody });
    assert.equal(queue.isBusy("reads"), false);
    step("writes", { ok: true, value: { outcome: "created", uid: 7, avatar: "liubei" } });
    assert.deepEqual(step("reads", { ok: true, value: found }), [lookUp("a")]);
    assert.deepEqual(read.result, { ok: true, value: found });
  });

  it("find_player and game_data wait for all writes before them", () => {
    const { give, step } = usersQueue();
    give({ kind: "whitelist_add", name: "z" });
    const read = give({ kind: "find_player", name: "a" });
    step("reads");
    assert.equal(read.result, undefined);
    step("writes");
    step("reads");
    assert.deepEqual(read.result, done);
  });

  it("giving up takes a waiting operation out, and a held read too", () => {
    const { queue, give, step } = usersQueue();
    const first = give(register("a"));
    const second = give(time(1));
    const read = give(lookUp("a"));
    step("reads", { ok: true, value: nobody });
    read.giveUp("late");
    first.giveUp("late");
    assert.deepEqual([first.result, read.result], [
      { ok: false, reason: "late" },
      { ok: false, reason: "late" },
    ]);
    assert.deepEqual(step("writes"), [time(1)]);
    assert.deepEqual(second.result, done);
    assert.equal(queue.isBusy("reads"), false);
    first.giveUp("again");
  });

  it("giving up a write in flight leaves it to its batch, which is not tried again", () => {
    const { queue, give } = usersQueue();
    const written = give(register("a"));
    queue.take("writes", limits);
    written.giveUp("late");
    assert.equal(written.result, undefined);
    queue.finish("writes", [busy]);
    assert.deepEqual(written.result, busy);
    assert.equal(queue.isBusy("writes"), false);
    const again = give(register("a"));
    queue.take("writes", limits);
    again.giveUp("late");
    queue.finish("writes", [done]);
    assert.deepEqual(again.result, done, "it was done after all");
  });

  it("giving up a read in flight answers it, and its result is passed over", () => {
    const { queue, give } = usersQueue();
    const read = give(lookUp());
    queue.take("reads", limits);
    read.giveUp("late");
    assert.deepEqual(read.result, { ok: false, reason: "late" });
    queue.finish("reads", [busy]);
    assert.equal(queue.isBusy("reads"), false);
  });

  it("giveUpWrites() answers old writes that are not in flight, and no others", () => {
    const { queue, give } = usersQueue();
    const writes = [1, 2, 3, 4, 5].map((seconds) => give(time(seconds)));
    queue.take("writes", limits);
    const lost = queue.giveUpWrites({ by: 4, reason: "old" });
    assert.deepEqual(lost, [time(4)]);
    assert.deepEqual(writes.map(({ result }) => result?.ok), [
      undefined,
      undefined,
      undefined,
      false,
      undefined,
    ]);
  });

  it("failAll() answers everything once: in flight, waiting and held", () => {
    const { queue, give, step } = usersQueue();
    const all = [give(register("a")), give(lookUp("a")), give(lookUp("b"))];
    step("reads", { ok: true, value: nobody });
    all.push(give(time(1)), give(lookUp("c")));
    queue.take("writes", { ...limits, batchOperationsMax: 1 });
    assert.deepEqual(queue.failAll("gone"), [register("a"), time(1)]);
    assert.ok(all.every(({ result }) => result !== undefined));
    assert.equal(all.filter(({ result }) => result?.ok === false).length, 4);
    assert.deepEqual(queue.take("writes", limits), []);
    assert.deepEqual(queue.take("reads", limits), []);
  });

  it("a load finds what waits to be saved, without the file", () => {
    const queue = new StoreQueue(savesRules);
    const results: unknown[] = [];
    let number = 0;
    const give = (operation: Parameters<typeof savesRules.isRead>[0]) =>
      queue.add({
        operation,
        number: ++number,
        bytes: 1,
        since: 0,
        answer: (result) => results.push(result),
      });
    const data = (text: string) => new TextEncoder().encode(text);
    give({ kind: "save_state", uid: 1, mode: "m", data: data("old") });
    give({ kind: "save_state", uid: 1, mode: "m", data: data("new") });
    give({ kind: "load_state", uid: 1, mode: "m" });
    assert.deepEqual(results, [{ ok: true, value: data("new") }]);
    give({ kind: "load_global", uid: 1, key: "m" });
    give({ kind: "load_state", uid: 2, mode: "m" });
    assert.equal(results.length, 1);
    assert.equal(queue.take("reads", limits).length, 2);
  });
});
