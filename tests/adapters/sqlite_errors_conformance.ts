import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { type SqliteDatabase, SqliteError, type SqlitePort } from "../../src/ports/sqlite.ts";
import { type HelperProgram, startHelper } from "./helper_program.ts";

/** The part of the SQLite conformance about failures: each has its `kind`. */
export function sqliteErrorsSuite(
  port: SqlitePort,
  open: (file: string, busyTimeoutMs?: number) => SqliteDatabase,
  directory: () => string,
): void {
  it("SqliteError.kind tells constraint, by exec and by statement; foreign keys hold", () => {
    const database = open("constraint.sqlite");
    database.exec(
      "CREATE TABLE t (a INTEGER PRIMARY KEY, b NOT NULL CHECK (b > 0));" +
        "CREATE TABLE u (a REFERENCES t); INSERT INTO t VALUES (1, 1)",
    );
    const failing = [
      "INSERT INTO t VALUES (1, 1)",
      "INSERT INTO t VALUES (2, NULL)",
      "INSERT INTO t VALUES (2, 0)",
      "INSERT INTO u VALUES (99)",
    ];
    for (const sql of failing) {
      assert.throws(() => database.exec(sql), { name: "SqliteError", kind: "constraint" }, sql);
      assert.throws(() => database.prepare(sql).run(), { name: "SqliteError", kind: "constraint" });
    }
    database.close();
  });

  it("SqliteError.kind tells busy at once or after busyTimeoutMs", () => {
    const holder = open("busy.sqlite");
    holder.exec("CREATE TABLE t (a); BEGIN EXCLUSIVE");
    const hasty = open("busy.sqlite");
    const patient = open("busy.sqlite", 150);
    assert.throws(() => hasty.exec("BEGIN IMMEDIATE"), { name: "SqliteError", kind: "busy" });
    assert.throws(() => hasty.prepare("SELECT * FROM t").get(), { kind: "busy" });
    const start = performance.now();
    assert.throws(() => patient.exec("BEGIN IMMEDIATE"), { name: "SqliteError", kind: "busy" });
    assert.ok(performance.now() - start >= 140);
    holder.exec("ROLLBACK");
    patient.exec("BEGIN IMMEDIATE; ROLLBACK");
    for (const database of [holder, hasty, patient]) database.close();
  });

  it("open() never overwrites a file that is not a database", async () => {
    for (const bytes of [1, 16, 99, 100, 511, 512, 4_096, 100_000]) {
      const path = join(directory(), `garbage-${bytes}.sqlite`);
      const garbage = Buffer.from("this is somebody's letter, not a database. ".repeat(3_000));
      await writeFile(path, garbage.subarray(0, bytes));
      assert.throws(
        () => {
          const database = port.open({ path, busyTimeoutMs: 0 });
          try {
            database.exec("PRAGMA journal_mode=WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)");
          } finally {
            database.close();
          }
        },
        { name: "SqliteError", kind: "corrupt" },
        `${bytes} bytes`,
      );
      assert.deepEqual(await readFile(path), garbage.subarray(0, bytes));
    }
  });

  it("SqliteError.kind tells corrupt when pages are damaged", async () => {
    const whole = open("damaged.sqlite");
    whole.exec("CREATE TABLE t (a); CREATE INDEX i ON t (a)");
    const insert = whole.prepare("INSERT INTO t VALUES (?)");
    whole.exec("BEGIN");
    for (let row = 0; row < 2_000; row++) insert.run(`row ${row}`);
    whole.exec("COMMIT");
    whole.close();
    const path = join(directory(), "damaged.sqlite");
    const bytes = await readFile(path);
    bytes.fill(0xaa, 4_096);
    await writeFile(path, bytes);
    const damaged = open("damaged.sqlite");
    assert.throws(() => damaged.prepare("SELECT count(a) FROM t").all(), {
      name: "SqliteError",
      kind: "corrupt",
    });
    assert.throws(() => damaged.exec("INSERT INTO t VALUES (1)"), { kind: "corrupt" });
    damaged.close();
  });

  it("SqliteError.kind tells full, by exec and by statement", () => {
    const database = open("full.sqlite");
    database.exec("CREATE TABLE t (a); PRAGMA max_page_count=4");
    const insert = database.prepare("INSERT INTO t VALUES (?)");
    assert.throws(() => insert.run(new Uint8Array(100_000)), { name: "SqliteError", kind: "full" });
    assert.throws(() => database.exec("INSERT INTO t VALUES (zeroblob(100000))"), { kind: "full" });
    database.close();
  });

  it("open() tells cannot_open for a missing directory, a directory, no path", () => {
    const paths = [join(directory(), "none", "x.sqlite"), directory(), "", "a\0b"];
    for (const path of paths) {
      assert.throws(() => port.open({ path, busyTimeoutMs: 0 }), {
        name: "SqliteError",
        kind: "cannot_open",
      }, path);
    }
    const missing = { path: join(directory(), "missing.sqlite"), readonly: true, busyTimeoutMs: 0 };
    assert.throws(() => port.open(missing), { name: "SqliteError", kind: "cannot_open" });
    assert.throws(() => port.open({ path: ":memory:", busyTimeoutMs: 0.5 }), RangeError);
  });

  it("open() takes a path literally, even one that looks like a URI", () => {
    const path = join(directory(), "file:odd?mode=memory&x=%20.sqlite");
    const database = port.open({ path, busyTimeoutMs: 0 });
    database.exec("CREATE TABLE t (a)");
    database.close();
    const again = port.open({ path, readonly: true, busyTimeoutMs: 0 });
    assert.deepEqual(again.prepare("SELECT * FROM t").all(), []);
    again.close();
  });

  it("open({ readonly: true }) reads, and refuses writes as readonly", () => {
    const path = join(directory(), "readonly.sqlite");
    const writer = port.open({ path, busyTimeoutMs: 0 });
    writer.exec("CREATE TABLE t (a); INSERT INTO t VALUES (7)");
    writer.close();
    const reader = port.open({ path, readonly: true, busyTimeoutMs: 0 });
    assert.deepEqual(reader.prepare("SELECT a FROM t").all(), [{ a: 7 }]);
    assert.throws(() => reader.exec("DELETE FROM t"), { name: "SqliteError", kind: "readonly" });
    assert.throws(() => reader.prepare("DELETE FROM t").run(), { kind: "readonly" });
    reader.close();
  });

  it("SqliteError names the file and keeps the cause", () => {
    const database = open("named.sqlite");
    assert.throws(() => database.exec("SELECT * FROM absent"), (error: unknown) => {
      assert.ok(error instanceof SqliteError && error.cause instanceof Error);
      assert.match(error.message, /named\.sqlite": no such table: absent/);
      return true;
    });
    database.close();
  });
}

/** The part about other processes: locks, and what is left after kill -9. */
export function sqliteProcessesSuite(
  open: (file: string, busyTimeoutMs?: number) => SqliteDatabase,
  directory: () => string,
): void {
  it("an exclusive lock keeps another process out until its holder is killed", async () => {
    const path = join(directory(), "lock.sqlite");
    const holder: HelperProgram = await startHelper("sqlite-lock", path);
    try {
      await holder.line((line) => line === "locked");
      const second = open("lock.sqlite", 50);
      assert.throws(() => second.exec("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE"), {
        name: "SqliteError",
        kind: "busy",
      });
      second.close();
    } finally {
      await holder.kill();
    }
    const third = open("lock.sqlite", 50);
    third.exec("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE");
    third.close();
  });

  it("what was committed in WAL mode is there after kill -9", async () => {
    const path = join(directory(), "wal.sqlite");
    const writer = await startHelper("sqlite-wal", path);
    try {
      await writer.line((line) => line === "committed 100");
    } finally {
      await writer.kill();
    }
    const database = open("wal.sqlite");
    assert.deepEqual(database.prepare("PRAGMA integrity_check").all(), [{ integrity_check: "ok" }]);
    const row = database.prepare("SELECT max(a) AS last FROM t").get();
    assert.ok(Number(row?.["last"]) >= 100);
    database.close();
  });
}
