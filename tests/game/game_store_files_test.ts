/** The game's store with its real worker and real files. */
import assert from "node:assert/strict";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { GameStoreClient } from "../../src/game/game_store_client.ts";
import { GameStoreWork } from "../../src/game/game_store_work.ts";
import { fakeLog } from "../fakes/log.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";
import { originalGameSql, originalUsersSql } from "./accounts/original_database.ts";
import { inDirectory } from "./accounts/temporary_directory.ts";
import { registration, valueOf, withRealStore } from "./game_store_fixture.ts";

const runtime = await runtimeUnderTest();
const bytes = (text: string) => new TextEncoder().encode(text);
const lookUp = (name: string) => ({ kind: "look_up", name, uuid: "device" }) as const;

/** A data directory as the original server leaves it. */
function originalFiles(directory: string): void {
  for (const [name, sql] of [["users.db", originalUsersSql], ["game.db", originalGameSql]]) {
    const path = join(directory, name!);
    const database = runtime.sqlite.open({ path, busyTimeoutMs: 0 });
    database.exec(sql!);
    database.close();
  }
}

describe("GameStoreClient with real files", () => {
  it("GameStoreClient keeps the order of thousands of operations in few transactions", () =>
    withRealStore(async ({ store, other }) => {
      const names = Array.from({ length: 2_000 }, (_, i) => `player${i}`);
      const registered = names.map((name) => valueOf(store.users(registration(name))));
      const uids = (await Promise.all(registered))
        .map((answer) => answer.outcome === "created" ? answer.uid : 0);
      assert.deepEqual(uids, names.map((_, i) => i + 1));
      assert.ok(store.counters.batches <= 8, `${store.counters.batches} batches`);
      const saves = Array.from(
        { length: 50 },
        (_, i) => store.saves({ kind: "save_global", uid: 1, key: "k", data: bytes(`[${i}]`) }),
      );
      await Promise.all(saves);
      assert.deepEqual(
        await valueOf(store.saves({ kind: "load_global", uid: 1, key: "k" })),
        bytes("[49]"),
      );
      const count = other("users.db").prepare("SELECT count(*) AS n FROM userinfo").get();
      assert.deepEqual(count, { n: 2_000 });
    }));

  it("GameStoreClient works on a directory of the original server", () =>
    withRealStore(async ({ store, other }) => {
      const { account, deviceAccounts } = await valueOf(
        store.users({ kind: "look_up", name: "caocao", uuid: "device-1" }),
      );
      assert.equal(deviceAccounts, 2);
      assert.equal(account?.uid, 1, "the lowest id of a name that is there twice");
      assert.deepEqual(account.statistics, [{ mode: "aaa_role_mode", total: 7, win: 4, run: 2 }]);
      const nulls = await valueOf(store.users(lookUp("sunquan")));
      assert.deepEqual(nulls.account?.statistics, []);
      assert.equal(nulls.account?.totalGameTime, 0);
      await valueOf(store.users({ kind: "add_game_time", uid: 3, seconds: 5 }));
      await valueOf(store.users({ kind: "record_run", uid: 3, mode: "m" }));
      const again = await valueOf(store.users(lookUp("sunquan")));
      assert.equal(again.account?.totalGameTime, 5);
      assert.deepEqual(again.account?.statistics, [{ mode: "m", total: 0, win: 0, run: 1 }]);
      assert.deepEqual(
        await valueOf(store.saves({ kind: "load_state", uid: 7, mode: "m" })),
        bytes('{"a":1}'),
      );
      // The original inserts without naming columns.
      other("users.db").exec("INSERT INTO userinfo VALUES (NULL, 'x', 'p', 's', 'a', 'i', 0)");
    }, { prepare: originalFiles }));

  it("GameStoreClient loses no write of a file that is locked, and reads it meanwhile", () =>
    withRealStore(async ({ store, other, log }) => {
      await valueOf(store.users(registration("a")));
      const locker = other("users.db");
      locker.exec("BEGIN IMMEDIATE");
      const writes = [1, 2, 3].map((seconds) =>
        store.users({ kind: "add_game_time", uid: 1, seconds })
      );
      const waiting: Promise<unknown>[] = [];
      // Well into the tries, so that the lock has been met.
      while (store.counters.retries < 5) {
        const { account } = await valueOf(store.users(lookUp("a")));
        assert.equal(account?.totalGameTime, 6, "what waits is told already");
        waiting.push(store.users({ kind: "add_game_time", uid: 2, seconds: 0 }));
        await valueOf(store.saves({ kind: "save_global", uid: 1, key: "k", data: bytes("{}") }));
      }
      assert.match(store.trouble ?? "", /another program holds it locked/);
      locker.exec("COMMIT");
      for (const result of await Promise.all(writes)) assert.equal(result.ok, true);
      await Promise.all(waiting);
      const { account } = await valueOf(store.users(lookUp("a")));
      assert.equal(account?.totalGameTime, 6);
      assert.equal(store.trouble, undefined);
      assert.ok(log.lines.some(({ message }) => message === "game store works again"));
    }));

  it("GameStoreClient answers an operator in time, and does nothing later that it refused", () =>
    withRealStore(async ({ store, other }) => {
      await valueOf(store.users(registration("a")));
      const locker = other("users.db");
      const { retries } = store.counters;
      locker.exec("BEGIN EXCLUSIVE");
      const ban = await store.users({ kind: "ban", name: "a" });
      assert.match(ban.ok ? "" : ban.reason, /locked/);
      assert.ok(store.counters.retries > retries);
      locker.exec("ROLLBACK");
      const { account } = await valueOf(store.users(lookUp("a")));
      assert.equal(account?.banned, false, "given up means not done later");
    }, { limits: { answerPatienceMs: 100 } }));

  it("close() writes everything that was accepted, with the lock given up just in time", () =>
    inDirectory(async (directory) => {
      const { workers, clock, sqlite } = runtime;
      const path = join(directory, "users.db");
      const limits = { retryPauseMs: { first: 5, max: 10 }, busyTimeoutMs: 1 };
      const { logger } = fakeLog();
      const store = new GameStoreClient({ workers, clock, logger, limits });
      assert.equal((await store.open(directory, 0)).ok, true);
      await valueOf(store.users(registration("a")));
      const locker = sqlite.open({ path, busyTimeoutMs: 0 });
      locker.exec("BEGIN IMMEDIATE");
      const writes = Array.from(
        { length: 600 },
        () => store.users({ kind: "add_game_time", uid: 1, seconds: 1 }),
      );
      const closing = store.close();
      while (store.counters.retries < 2) await new Promise<void>((r) => clock.after(1, r));
      locker.exec("COMMIT");
      await closing;
      for (const result of await Promise.all(writes)) assert.equal(result.ok, true);
      const sum = locker.prepare("SELECT totalGameTime AS sum FROM usergameinfo").get();
      assert.deepEqual(sum, { sum: 600 });
      locker.close();
      const next = new GameStoreClient({ workers, clock, logger, limits });
      assert.equal((await next.open(directory, 0)).ok, true);
      await valueOf(next.users({ kind: "add_game_time", uid: 1, seconds: 1 }));
      const { account } = await valueOf(next.users(lookUp("a")));
      assert.equal(account?.totalGameTime, 601);
      await next.close();
    }));

  it("GameStoreClient acknowledges nothing into a file that was taken away, and waits for it", () =>
    inDirectory(async (directory) => {
      const { workers, clock } = runtime;
      const limits = { retryPauseMs: { first: 5, max: 10 } };
      const { logger } = fakeLog();
      const store = new GameStoreClient({ workers, clock, logger, limits });
      assert.equal((await store.open(directory, 0)).ok, true);
      await valueOf(store.users(registration("a")));
      renameSync(join(directory, "users.db"), join(directory, "elsewhere.db"));
      const written = store.users({ kind: "add_game_time", uid: 1, seconds: 1 });
      while (store.counters.retries < 2) await new Promise<void>((r) => clock.after(1, r));
      assert.match(store.trouble ?? "", /users.db": it was removed or replaced/);
      renameSync(join(directory, "elsewhere.db"), join(directory, "users.db"));
      assert.equal((await written).ok, true);
      await store.close();
    }));

  it("open() names the file that cannot be used, and makes nothing of it", () =>
    inDirectory(async (directory) => {
      const { workers, clock } = runtime;
      const open = async (place: string) => {
        const store = new GameStoreClient({ workers, clock, logger: fakeLog().logger });
        const opened = await store.open(place, 0);
        await store.close();
        return opened.ok ? "opened" : opened.reason;
      };
      assert.match(await open(join(directory, "none")), /Cannot use database ".*none\/users\.db"/);
      originalFiles(directory);
      const path = join(directory, "game.db");
      writeFileSync(path, "no database ".repeat(100));
      assert.match(await open(directory), /game\.db": it is damaged or not an SQLite database/);
    }));
});

describe("GameStoreWork", () => {
  it("GameStoreWork answers batches without open files with what may be tried again", () => {
    const work = new GameStoreWork({ sqlite: runtime.sqlite, fileIdentity: () => "" });
    const operations = [lookUp("a")];
    assert.deepEqual(work.perform({ kind: "users_batch", lane: "reads", operations }), {
      kind: "users_done",
      lane: "reads",
      results: [{ ok: false, reason: "no database is open", passes: true }],
    });
    assert.deepEqual(work.perform({ kind: "close" }), { kind: "closed" });
  });

  it("GameStoreWork does nothing after an operation that may be tried again", () =>
    inDirectory((directory) => {
      const { sqlite } = runtime;
      const work = new GameStoreWork({ sqlite, fileIdentity: () => "" });
      const request = { kind: "open", directory, now: 0, busyTimeoutMs: 0 } as const;
      assert.deepEqual(work.perform(request), { kind: "opened", bans: [] });
      const locker = sqlite.open({ path: join(directory, "game.db"), busyTimeoutMs: 0 });
      locker.exec("BEGIN IMMEDIATE");
      const save = { kind: "save_global", uid: 1, key: "k", data: bytes("{}") } as const;
      const batch = { kind: "saves_batch", lane: "writes", operations: [save, save] } as const;
      const locked = work.perform(batch);
      assert.ok(locked.kind === "saves_done");
      assert.ok(locked.results.every((result) => !result.ok && result.passes === true));
      assert.equal(work.perform({ ...request, directory: "/dev/null" }).kind, "open_failed");
      locker.exec("COMMIT");
      locker.close();
      work.perform(request);
      const key = "k".repeat(300);
      const mixed = work.perform({ ...batch, operations: [save, { ...save, key }, save] });
      assert.ok(mixed.kind === "saves_done");
      assert.deepEqual(mixed.results.map(({ ok }) => ok), [true, false, true]);
      work.perform({ kind: "close" });
    }));
});
