import assert from "node:assert/strict";
import { mkdtemp, readFile, rename, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { StoreClient } from "../../src/app/store_client.ts";
import { StateStore } from "../../src/host/state_store.ts";
import type { StoreOperation } from "../../src/host/store.ts";
import { SqliteError } from "../../src/ports/sqlite.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";
import { fakeLog } from "../fakes/log.ts";

const runtime = await runtimeUnderTest();

async function inDirectory(test: (directory: string) => Promise<void> | void): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "freekill-gw-test-"));
  try {
    await test(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const open = (path: string) =>
  new StateStore(runtime.sqlite.open({ path, busyTimeoutMs: 0 }), path);
const save = (value: string): StoreOperation => ({ kind: "save", value });
const load: StoreOperation = { kind: "load" };

describe("StateStore", () => {
  it("StateStore.perform() keeps state and routes over a close", () =>
    inDirectory((directory) => {
      const path = join(directory, "a.sqlite");
      const first = open(path);
      assert.deepEqual(first.perform([load]), [{ ok: true }]);
      first.perform([save("one"), save("ü€𝄞 '); DROP TABLE host_state; --")]);
      first.perform([{ kind: "route", key: "k", thread: 3 }]);
      assert.equal(first.counters.states, 1);
      first.close();
      const second = open(path);
      assert.deepEqual(second.perform([load]), [
        { ok: true, value: "ü€𝄞 '); DROP TABLE host_state; --" },
      ]);
      assert.deepEqual(second.routes(), [["k", 3]]);
      assert.deepEqual(second.perform([{ kind: "route", key: "k", thread: 1 }]), [
        { ok: true, thread: 3 },
      ]);
      second.perform([{ kind: "delete" }]);
      assert.deepEqual(second.perform([load]), [{ ok: true }]);
      assert.equal(second.counters.states, 0);
      second.close();
    }));

  it("StateStore.perform() keeps a NUL and the empty text", () =>
    inDirectory((directory) => {
      const store = open(join(directory, "a.sqlite"));
      for (const value of ["", "\u0000", "a\u0000b", "123", "1e5"]) {
        store.perform([save(value)]);
        assert.deepEqual(store.perform([load]), [{ ok: true, value }]);
      }
      store.close();
    }));

  it("StateStore.perform() does all of a batch or none, and counts it", () =>
    inDirectory((directory) => {
      const path = join(directory, "a.sqlite");
      const store = open(path);
      store.perform([save("kept")]);
      const other = runtime.sqlite.open({ path, busyTimeoutMs: 0 });
      other.exec("BEGIN IMMEDIATE");
      const results = store.perform([save("lost"), load]);
      assert.ok(results.every((result) => !result.ok && result.reason.includes("locked")));
      assert.deepEqual(store.perform([load]), [{ ok: true, value: "kept" }], "reading goes on");
      other.exec("ROLLBACK");
      other.close();
      store.perform([save("again")]);
      assert.deepEqual(store.counters, { begins: 4, commits: 3, rollbacks: 1, states: 1 });
      store.close();
    }));

  it("StateStore refuses a file that is no database and leaves it as it is", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "a.sqlite");
      const junk = "This is a letter, and no database at all. ".repeat(200);
      await writeFile(path, junk);
      assert.throws(
        () => open(path),
        (error) => error instanceof SqliteError && error.kind === "corrupt",
      );
      assert.equal(await readFile(path, "utf8"), junk);
    }));
});

describe("StateStore of a file that is not its own", () => {
  it("StateStore refuses tables of another program by name, and the path comes once", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "a.sqlite");
      for (const table of ["host_state (a)", "host_routes (a)", "host_state (key, value)"]) {
        await rm(path, { force: true });
        const other = runtime.sqlite.open({ path, busyTimeoutMs: 0 });
        other.exec(`CREATE TABLE ${table}`);
        other.close();
        const client = new StoreClient({ workers: runtime.workers, logger: fakeLog().logger });
        const opened = await client.open(path);
        assert.ok(!opened.ok, table);
        assert.match(opened.reason, /tables .* are not those of freekill-gw/);
        assert.equal(opened.reason.split(path).length, 2, opened.reason);
        await client.close();
      }
    }));

  it("StoreClient acknowledges nothing once its file is removed or replaced", () =>
    inDirectory(async (directory) => {
      for (
        const harm of [
          (path: string) => unlink(path),
          (path: string) => unlink(`${path}-wal`),
          async (path: string) => {
            await rename(path, `${path}.old`);
            await writeFile(path, "");
          },
        ]
      ) {
        const path = join(directory, `${crypto.randomUUID()}.sqlite`);
        const client = new StoreClient({ workers: runtime.workers, logger: fakeLog().logger });
        assert.deepEqual(await client.open(path), { ok: true });
        assert.deepEqual(await client.perform(save("kept")), { ok: true });
        await harm(path);
        for (const operation of [save("lost"), load]) {
          const result = await client.perform(operation);
          assert.ok(!result.ok && /removed or replaced/.test(result.reason));
        }
        assert.match(client.trouble ?? "", /removed or replaced/);
        await client.close();
      }
    }));
});

describe("StoreClient", () => {
  it("StoreClient.perform() commits what comes together in one transaction, in order", () =>
    inDirectory(async (directory) => {
      const client = new StoreClient({
        workers: runtime.workers,
        logger: fakeLog().logger,
      });
      const path = join(directory, "a.sqlite");
      assert.deepEqual(await client.open(path), { ok: true });
      const results = await Promise.all([
        ...Array.from({ length: 100 }, (_, i) => client.perform(save(String(i)))),
        client.perform(load),
      ]);
      assert.deepEqual(results.at(-1), { ok: true, value: "99" });
      assert.equal(client.counters.commits, 1);
      await client.close();
      assert.deepEqual(await client.perform(load), { ok: false, reason: "the store is closed" });
      const reopened = open(path);
      assert.deepEqual(reopened.perform([load]), [{ ok: true, value: "99" }]);
      reopened.close();
    }));

  it("StoreClient.open() says in one line why a database cannot be used", () =>
    inDirectory(async (directory) => {
      const client = new StoreClient({
        workers: runtime.workers,
        logger: fakeLog().logger,
      });
      const path = join(directory, "no", "such", "folder", "a.sqlite");
      const opened = await client.open(path);
      assert.ok(!opened.ok);
      assert.match(opened.reason, /^Cannot use database ".*": .+$/);
      await client.close();
    }));

  it("StoreClient.close() commits what waits first", () =>
    inDirectory(async (directory) => {
      const client = new StoreClient({
        workers: runtime.workers,
        logger: fakeLog().logger,
      });
      const path = join(directory, "a.sqlite");
      await client.open(path);
      const saved = client.perform(save("last"));
      await client.close();
      assert.deepEqual(await saved, { ok: true });
    }));

  it("StoreClient tells trouble, and that it is over", () =>
    inDirectory(async (directory) => {
      const { logger, lines } = fakeLog();
      const client = new StoreClient({ workers: runtime.workers, logger });
      const path = join(directory, "a.sqlite");
      await client.open(path);
      const other = runtime.sqlite.open({ path, busyTimeoutMs: 0 });
      other.exec("BEGIN IMMEDIATE");
      const refused = await client.perform(save("x"));
      assert.equal(refused.ok, false);
      assert.match(client.trouble ?? "", /locked/);
      other.exec("ROLLBACK");
      other.close();
      assert.deepEqual(await client.perform(save("y")), { ok: true });
      assert.equal(client.trouble, undefined);
      assert.deepEqual(lines.map(({ message }) => message), ["store failed", "store works again"]);
      await client.close();
    }));

  it("StoreClient.trouble of writing is not ended by reading, and is logged once", () =>
    inDirectory(async (directory) => {
      const { logger, lines } = fakeLog();
      const client = new StoreClient({ workers: runtime.workers, logger });
      const path = join(directory, "a.sqlite");
      await client.open(path);
      const other = runtime.sqlite.open({ path, busyTimeoutMs: 0 });
      other.exec("BEGIN IMMEDIATE");
      assert.equal((await client.perform(save("x"))).ok, false);
      assert.equal((await client.perform(load)).ok, true);
      assert.match(client.trouble ?? "", /locked/);
      assert.deepEqual(lines.map(({ message }) => message), ["store failed"]);
      other.exec("ROLLBACK");
      other.close();
      await client.perform({ kind: "delete" });
      assert.equal(client.trouble, undefined);
      assert.deepEqual(lines.map(({ message }) => message), ["store failed", "store works again"]);
      await client.close();
    }));
});
