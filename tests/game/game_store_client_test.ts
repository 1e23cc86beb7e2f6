import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { saveBytesMax } from "../../src/game/accounts/game_store.ts";
import { GameStoreClient } from "../../src/game/game_store_client.ts";
import type { GameStoreRequest } from "../../src/game/game_store_work.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { heldStore, heldWorker, turns } from "./game_store_fixture.ts";

const busy = { ok: false, reason: "it is locked", passes: true } as const;
const done = { ok: true, value: null } as const;
const time = (seconds: number) => ({ kind: "add_game_time", uid: 7, seconds }) as const;
const lookUp = { kind: "look_up", name: "a", uuid: "" } as const;
const nobody = { ok: true, value: { account: undefined, deviceAccounts: 0 } } as const;
const save = (bytes: number) =>
  ({ kind: "save_global", uid: 1, key: "k", data: new Uint8Array(bytes) }) as const;

const sizes = (posted: readonly GameStoreRequest[]) =>
  posted.map((request) => "operations" in request ? request.operations.length : request.kind);

describe("GameStoreClient and its batches", () => {
  it("GameStoreClient puts into one batch what comes in a turn, and what comes during it", async () => {
    const { store, held } = await heldStore();
    const first = [store.users(time(1)), store.users(time(2))];
    await turns();
    const second = [store.users(time(3)), store.users(time(4)), store.users(time(5))];
    await turns();
    assert.deepEqual(sizes(held.posted), [2]);
    held.reply({ kind: "users_done", lane: "writes", results: [done, done] });
    assert.deepEqual(sizes(held.posted), [2, 3]);
    assert.deepEqual(await Promise.all(first), [done, done]);
    held.reply({ kind: "users_done", lane: "writes", results: [done, done, done] });
    await Promise.all(second);
    assert.equal(store.pending, 0);
    assert.deepEqual(store.counters, { batches: 2, operations: 5, failures: 0, retries: 0 });
  });

  it("GameStoreClient does not let one file or the reads wait for writes of the other", async () => {
    const { store, held } = await heldStore();
    void store.users(time(1));
    void store.users(lookUp);
    void store.saves(save(1));
    void store.saves({ kind: "load_global", uid: 2, key: "k" });
    await turns();
    assert.deepEqual(
      held.posted.map((request) => "lane" in request && `${request.kind} ${request.lane}`),
      ["users_batch reads", "saves_batch reads", "users_batch writes", "saves_batch writes"],
    );
  });

  it("GameStoreClient refuses what is too much, and takes more once there is room", async () => {
    const { store, held } = await heldStore({ waitingOperationsMax: 2, waitingBytesMax: 2_000 });
    const accepted = [store.users(time(1)), store.users(time(2))];
    const refused = await store.users(time(3));
    assert.match(refused.ok ? "" : refused.reason, /2 operations wait already/);
    await turns();
    held.reply({ kind: "users_done", lane: "writes", results: [done, done] });
    await Promise.all(accepted);
    const large = store.saves(save(1_500));
    const tooLarge = await store.saves(save(1_500));
    assert.match(tooLarge.ok ? "" : tooLarge.reason, /2000 bytes of operations wait already/);
    assert.equal(store.pending, 1);
    assert.equal(store.counters.failures, 2);
    await turns();
    held.reply({ kind: "saves_done", lane: "writes", results: [done] });
    await large;
    void store.saves(save(1_500));
    assert.equal(store.pending, 1, "there is room again");
  });

  it("GameStoreClient refuses a save that is too large, and stores nothing for robots", async () => {
    const { store, held } = await heldStore();
    const refused = await store.saves(save(saveBytesMax + 1));
    assert.match(refused.ok ? "" : refused.reason, /1048577 bytes of game data, 1048576 are/);
    assert.deepEqual(await store.saves({ ...save(1), uid: -2 }), done);
    assert.deepEqual(held.posted, []);
  });

  it("flush() waits for all that was given before it and for nothing else", async () => {
    const { store, held } = await heldStore();
    await store.flush();
    void store.users(time(1));
    void store.users(lookUp);
    await turns();
    let flushed = false;
    void store.flush().then(() => flushed = true);
    void store.users(time(2));
    held.reply({ kind: "users_done", lane: "reads", results: [nobody] });
    await turns();
    assert.equal(flushed, false);
    held.reply({ kind: "users_done", lane: "writes", results: [done] });
    await turns();
    assert.equal(flushed, true);
    assert.equal(store.pending, 1);
  });
});

describe("GameStoreClient and a file that is locked", () => {
  it("GameStoreClient tries writes again at growing pauses until they are done", async () => {
    const { store, held, clock, log } = await heldStore();
    const written = store.users(time(1));
    await turns();
    for (const pause of [50, 100, 200, 400, 500, 500]) {
      held.posted.length = 0;
      held.reply({ kind: "users_done", lane: "writes", results: [busy] });
      assert.equal(store.trouble, "it is locked");
      clock.advance(pause - 1);
      assert.deepEqual(held.posted, []);
      clock.advance(1);
      assert.deepEqual(sizes(held.posted), [1]);
    }
    held.reply({ kind: "users_done", lane: "writes", results: [done] });
    assert.deepEqual(await written, done);
    assert.equal(store.trouble, undefined);
    assert.equal(store.counters.retries, 6);
    assert.deepEqual(log.lines.map(({ message }) => message), [
      "game store tries again",
      "game store works again",
    ]);
    assert.equal(clock.waiting, 0);
  });

  it("GameStoreClient answers reads while writes are locked out", async () => {
    const { store, held } = await heldStore();
    void store.users(time(1));
    await turns();
    held.reply({ kind: "users_done", lane: "writes", results: [busy] });
    const read = store.users(lookUp);
    await turns();
    held.reply({ kind: "users_done", lane: "reads", results: [nobody] });
    assert.deepEqual(await read, nobody);
  });

  it("GameStoreClient answers who waits after 5 s, and does not do it later", async () => {
    const { store, held, clock } = await heldStore();
    const read = store.users(lookUp);
    const ban = store.users({ kind: "ban", name: "a" });
    await turns();
    held.reply({ kind: "users_done", lane: "reads", results: [busy] });
    held.reply({ kind: "users_done", lane: "writes", results: [busy] });
    clock.advance(10);
    const kept = store.users(time(1));
    await turns();
    clock.advance(4_940);
    held.posted.length = 0;
    held.reply({ kind: "users_done", lane: "writes", results: [busy, busy] });
    held.reply({ kind: "users_done", lane: "reads", results: [busy] });
    clock.advance(50);
    assert.deepEqual(await read, { ok: false, reason: "it is locked" });
    assert.deepEqual(await ban, { ok: false, reason: "it is locked" });
    clock.advance(500);
    assert.deepEqual(held.posted, [
      { kind: "users_batch", lane: "writes", operations: [time(1)] },
    ]);
    held.reply({ kind: "users_done", lane: "writes", results: [done] });
    await kept;
    assert.equal(store.trouble, undefined, "nothing is left that could tell of trouble");
  });

  it("GameStoreClient answers a read although the worker hangs", async () => {
    const { store, clock } = await heldStore();
    const read = store.users(lookUp);
    await turns();
    clock.advance(5_000);
    assert.deepEqual(await read, { ok: false, reason: "it took over 5000 ms" });
    assert.equal(store.pending, 0);
  });

  it("GameStoreClient gives writes up after 5 minutes, one line for each kind", async () => {
    const { store, held, clock, log } = await heldStore();
    const old = [store.users(time(1)), store.users(time(2)), store.saves(save(1))];
    await turns();
    held.reply({ kind: "saves_done", lane: "writes", results: [busy] });
    held.reply({ kind: "users_done", lane: "writes", results: [busy, busy] });
    for (let elapsed = 0; elapsed < 299_000; elapsed += 500) {
      clock.advance(500);
      held.reply({ kind: "saves_done", lane: "writes", results: [busy] });
      held.reply({ kind: "users_done", lane: "writes", results: [busy, busy] });
    }
    const young = store.users(time(3));
    assert.equal(store.pending, 4);
    clock.advance(500);
    held.reply({ kind: "saves_done", lane: "writes", results: [busy] });
    held.reply({ kind: "users_done", lane: "writes", results: [busy, busy, busy] });
    clock.advance(500);
    for (const result of await Promise.all(old)) {
      assert.match(result.ok ? "" : result.reason, /^given up after 300000 ms: it is locked$/);
    }
    assert.deepEqual(
      log.lines.filter(({ level }) => level === "error").map(({ fields }) => fields["kind"]),
      ["add_game_time", "save_global"],
    );
    assert.equal(store.pending, 1);
    held.reply({ kind: "users_done", lane: "writes", results: [done] });
    assert.deepEqual(await young, done);
  });

  it("open() waits for a file that another program holds, and not for other trouble", async () => {
    for (const { passes, tries } of [{ passes: true, tries: 2 }, { passes: false, tries: 1 }]) {
      const held = heldWorker();
      const clock = fakeClock();
      const { workers } = held;
      const store = new GameStoreClient({ workers, clock, logger: fakeLog().logger });
      const opening = store.open("d", 0);
      held.reply({ kind: "open_failed", reason: "no", passes });
      await clock.advanceAsync(10_000);
      if (passes) held.reply({ kind: "open_failed", reason: "no", passes });
      assert.deepEqual(await opening, { ok: false, reason: "no" });
      assert.equal(held.posted.length, tries);
      assert.equal(held.ended(), 1);
      assert.deepEqual(await store.users(time(1)), { ok: false, reason: "no" });
      assert.equal(clock.waiting, 0);
    }
  });
});

describe("GameStoreClient and the life of its worker", () => {
  it("GameStoreClient fails what a dead worker had, and opens the files again later", async () => {
    const { store, held, clock, log } = await heldStore();
    const lost = [store.users(time(1)), store.users(lookUp)];
    await turns();
    lost.push(store.users(time(2)));
    held.crash();
    const reason = "Worker game_store failed: gone";
    for (const result of await Promise.all(lost)) assert.deepEqual(result, { ok: false, reason });
    assert.equal(store.trouble, reason);
    held.posted.length = 0;
    const later = store.users(time(3));
    await turns();
    clock.advance(999);
    assert.equal(held.started(), 1);
    clock.advance(1);
    assert.equal(held.started(), 2);
    held.reply({ kind: "open_failed", reason: "still no", passes: true });
    await turns();
    assert.equal(store.trouble, "still no");
    clock.advance(1_000);
    assert.deepEqual(sizes(held.posted), ["open", "open"]);
    held.reply({ kind: "opened", bans: [] });
    await turns();
    assert.deepEqual(sizes(held.posted), ["open", "open", 1]);
    held.reply({ kind: "users_done", lane: "writes", results: [done] });
    assert.deepEqual(await later, done);
    assert.equal(store.trouble, undefined);
    const errors = log.lines.filter(({ level }) => level === "error");
    assert.deepEqual(errors.map(({ message, fields }) => [message, fields["operations"]]), [
      ["game store worker failed", undefined],
      ["game store lost writes", 2],
      ["game store cannot open its files", undefined],
    ]);
  });

  it("close() writes what waits, closes the files and refuses what comes", async () => {
    const { store, held, clock } = await heldStore();
    const first = store.users(time(1));
    await turns();
    const second = store.users(time(2));
    const closing = store.close();
    assert.equal((await store.users(time(3))).ok, false);
    held.reply({ kind: "users_done", lane: "writes", results: [done] });
    assert.deepEqual(await first, done);
    held.reply({ kind: "users_done", lane: "writes", results: [done] });
    assert.deepEqual(await second, done);
    await turns();
    assert.equal(held.posted.at(-1)?.kind, "close");
    assert.equal(held.ended(), 0);
    held.reply({ kind: "closed" });
    await closing;
    assert.equal(held.ended(), 1);
    assert.equal(clock.waiting, 0);
    assert.match((await store.users(time(3)) as { reason: string }).reason, /closed/);
  });

  it("close() ends in time although the file stays locked, and says what was lost", async () => {
    const { store, held, clock, log } = await heldStore();
    const written = store.users(time(1));
    await turns();
    held.reply({ kind: "users_done", lane: "writes", results: [busy] });
    const closing = store.close();
    await clock.advanceAsync(5_000);
    await closing;
    assert.deepEqual(await written, { ok: false, reason: "the game store is closed" });
    assert.equal(held.ended(), 1);
    assert.equal(log.lines.some(({ message }) => message === "game store lost writes"), true);
    assert.equal(clock.waiting, 0);
  });

  it("close() ends an opening that waits", async () => {
    const held = heldWorker();
    const clock = fakeClock();
    const store = new GameStoreClient({ ...held, clock, logger: fakeLog().logger });
    const opening = store.open("d", 0);
    held.reply({ kind: "open_failed", reason: "no", passes: true });
    await turns();
    await store.close();
    await clock.advanceAsync(1_000);
    assert.equal((await opening).ok, false);
    assert.equal(held.posted.length, 1);
  });
});
