import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import type { SqliteDatabase, SqlitePort, SqliteValue } from "../../src/ports/sqlite.ts";
import { sqliteErrorsSuite, sqliteProcessesSuite } from "./sqlite_errors_conformance.ts";

/** What each SQLite adapter must do. */
export function sqliteConformance(name: string, port: SqlitePort): void {
  describe(`SqlitePort of ${name}`, () => {
    let directory = "";
    before(async () => {
      directory = await mkdtemp(join(tmpdir(), "sqlite-"));
    });
    after(() => rm(directory, { recursive: true }));

    const memory = () => port.open({ path: ":memory:", busyTimeoutMs: 0 });
    const open = (file: string, busyTimeoutMs = 0) =>
      port.open({ path: join(directory, file), busyTimeoutMs });

    valuesSuite(memory);
    statementsSuite(memory);
    sqliteErrorsSuite(port, open, () => directory);
    sqliteProcessesSuite(open, () => directory);
  });
}

function valuesSuite(memory: () => SqliteDatabase): void {
  const stored = (value: SqliteValue) =>
    memory().prepare("SELECT ? AS value, typeof(value) AS type FROM (SELECT ? AS value)")
      .get(value, value);

  it("run() and get() keep values and their types", () => {
    const cases: [SqliteValue, string, SqliteValue?][] = [
      [null, "null"],
      [0, "integer"],
      [-0, "integer", 0],
      [1.0, "integer"],
      [2 ** 31, "integer"],
      [-(2 ** 31) - 1, "integer"],
      [Number.MAX_SAFE_INTEGER, "integer"],
      [Number.MIN_SAFE_INTEGER, "integer"],
      [5n, "integer", 5],
      [2n ** 53n, "integer"],
      [-(2n ** 53n) - 1n, "integer"],
      [2n ** 63n - 1n, "integer"],
      [-(2n ** 63n), "integer"],
      [1.5, "real"],
      [-1e-300, "real"],
      ["", "text"],
      ["äöü 武将 🀄", "text"],
      ['it\'s ? "quoted"', "text"],
      [new Uint8Array(), "blob"],
      [Uint8Array.of(0, 255, 0), "blob"],
    ];
    for (const [value, type, read] of cases) {
      assert.deepEqual(stored(value), { value: read ?? value, type }, `${typeof value} ${value}`);
    }
  });

  it("get() gives back any 64-bit integer, double, text and bytes", () => {
    const database = memory();
    const echo = database.prepare("SELECT ? AS value");
    fc.assert(fc.property(
      fc.oneof(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.maxSafeInteger(),
        fc.double({ noNaN: true, noDefaultInfinity: true, noInteger: true }),
        fc.string({ unit: "binary" }).filter((text) => !text.includes("\0") && text.isWellFormed()),
        fc.uint8Array(),
      ),
      (value) => {
        const safe = typeof value === "bigint" && Number.isSafeInteger(Number(value));
        assert.deepEqual(echo.get(value), { value: safe ? Number(value) : value });
      },
    ));
    database.close();
  });

  it("run() refuses what SQLite would store as something else, and runs nothing", () => {
    const database = memory();
    database.exec("CREATE TABLE t (a)");
    const insert = database.prepare("INSERT INTO t VALUES (?)");
    const refused: unknown[] = [
      undefined,
      true,
      NaN,
      Infinity,
      -Infinity,
      2 ** 53,
      1e300,
      2n ** 63n,
      -(2n ** 63n) - 1n,
      "a\0b",
      "\ud800",
      "x\udc00y",
      {},
      [],
      new Date(),
      new ArrayBuffer(1),
      new Uint16Array(1),
      Symbol.iterator,
      () => 1,
    ];
    for (const value of refused) {
      for (const method of ["run", "get", "all"] as const) {
        assert.throws(() => insert[method](value as SqliteValue), TypeError, String(value));
      }
    }
    assert.deepEqual(database.prepare("SELECT count(*) AS n FROM t").get(), { n: 0 });
    database.close();
  });

  it("all() gives plain objects, the caller's own, whatever the columns are called", () => {
    const database = memory();
    const [row] = database.prepare('SELECT 1 AS "__proto__", 2 AS constructor, 3 AS a').all();
    assert.ok(row);
    assert.equal(Object.getPrototypeOf(row), Object.prototype);
    assert.deepEqual(Object.entries(row), [["__proto__", 1], ["constructor", 2], ["a", 3]]);
    database.close();
  });
}

function statementsSuite(memory: () => SqliteDatabase): void {
  it("run(), get() and all() refuse a wrong count of parameters and run nothing", () => {
    const database = memory();
    database.exec("CREATE TABLE t (a, b)");
    const insert = database.prepare("INSERT INTO t VALUES (?, ?)");
    for (const given of [[], [1], [1, 2, 3]]) {
      for (const method of ["run", "get", "all"] as const) {
        assert.throws(() => insert[method](...given), {
          name: "TypeError",
          message: `Cannot run the statement: it has 2 parameters, ${given.length} were given`,
        });
      }
    }
    assert.throws(() => database.prepare("SELECT 1").get(1), TypeError);
    assert.deepEqual(database.prepare("SELECT * FROM t").all(), []);
    database.close();
  });

  it("prepare() counts only those ? that are parameters", () => {
    const database = memory();
    const row = database.prepare(
      "SELECT '?''?' AS a, \"a?\" AS b, [c?] AS c, `d?` AS d, /* ? */ ? AS e -- ?\n, ?f " +
        'FROM (SELECT 1 AS "a?", 2 AS "c?", 3 AS "d?")',
    ).get(4, 5);
    assert.deepEqual(row, { a: "?'?", b: 1, c: 2, d: 3, e: 4, f: 5 });
    database.close();
  });

  it("prepare() refuses named and numbered parameters, more statements, none, and NUL", () => {
    const database = memory();
    database.exec("CREATE TABLE t (a)");
    const refused = [
      "SELECT ?1",
      "SELECT :a",
      "SELECT @a",
      "SELECT $a",
      "SELECT :ä",
      "SELECT ?, ?2",
      "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)",
      "SELECT 1;;SELECT 2",
      "",
      " \n",
      ";",
      "-- only a comment",
      "/* open",
      "SELECT 1 \0, 2",
    ];
    for (const sql of refused) assert.throws(() => database.prepare(sql), TypeError, sql);
    assert.throws(() => database.exec("INSERT INTO t VALUES (1); \0"), TypeError);
    assert.deepEqual(database.prepare("SELECT a FROM t; -- the end").all(), []);
    database.close();
  });

  it("run() counts the rows that it changed itself", () => {
    const database = memory();
    database.exec(
      "CREATE TABLE t (a); CREATE TABLE log (a);" +
        "CREATE TRIGGER x AFTER INSERT ON t BEGIN INSERT INTO log VALUES (1), (2); END",
    );
    const changes = (sql: string) => database.prepare(sql).run().changes;
    assert.equal(changes("INSERT INTO t VALUES (1), (2), (3)"), 3);
    assert.equal(changes("SELECT * FROM t"), 0);
    assert.equal(changes("CREATE TABLE u (a)"), 0);
    assert.equal(changes("PRAGMA foreign_keys"), 0);
    assert.equal(changes("UPDATE t SET a = 4 WHERE a > 1"), 2);
    assert.equal(changes("WITH q AS (SELECT 4 AS a) SELECT * FROM q"), 0);
    assert.equal(
      changes("WITH q AS (SELECT 4 AS a) DELETE FROM t WHERE a IN (SELECT a FROM q)"),
      2,
    );
    assert.equal(changes("INSERT INTO t VALUES (9) RETURNING a"), 1);
    assert.equal(changes("DELETE FROM t WHERE a = 77"), 0);
    assert.equal(changes("REPLACE INTO t VALUES (10)"), 1);
    database.close();
  });

  it("get() gives undefined without a row, and a statement may be used again", () => {
    const database = memory();
    const select = database.prepare("SELECT ? AS a WHERE ? > 0");
    assert.equal(select.get(1, 0), undefined);
    assert.deepEqual(select.get(1, 1), { a: 1 });
    assert.deepEqual(select.all(2, 1), [{ a: 2 }]);
    assert.deepEqual(select.all(2, 0), []);
    assert.deepEqual(database.prepare("SELECT ? AS a WHERE ? > 0").get(3, 1), { a: 3 });
    database.close();
  });

  it("exec() runs many statements, none too, and leaves no transaction of its own", () => {
    const database = memory();
    database.exec("");
    database.exec("-- nothing");
    database.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1); SELECT * FROM t;");
    assert.throws(() => database.exec("BEGIN; INSERT INTO t VALUES (2); SELEC 1; COMMIT"), {
      name: "SqliteError",
      kind: "other",
    });
    database.exec("ROLLBACK");
    assert.deepEqual(database.prepare("SELECT a FROM t").all(), [{ a: 1 }]);
    database.close();
  });

  it("close() may be called again; then everything throws SqliteError", () => {
    const database = memory();
    const select = database.prepare("SELECT 1");
    select.get();
    database.close();
    database.close();
    const closed = { name: "SqliteError", kind: "other", message: /it is closed/ };
    assert.throws(() => select.get(), closed);
    assert.throws(() => select.run(), closed);
    assert.throws(() => database.exec("SELECT 1"), closed);
    assert.throws(() => database.prepare("SELECT 1"), closed);
  });

  it("prepare() refuses to collect statements without end", () => {
    const database = memory();
    assert.throws(() => {
      for (let number = 0; number <= 1_000; number++) database.prepare(`SELECT ${number}`);
    }, /bind values with \?/);
    database.close();
  });

  it("a failed statement leaves the transaction to its owner", () => {
    const database = memory();
    database.exec("CREATE TABLE t (a UNIQUE)");
    database.exec("BEGIN");
    const insert = database.prepare("INSERT INTO t VALUES (?)");
    insert.run(1);
    assert.throws(() => insert.run(1), { name: "SqliteError", kind: "constraint" });
    insert.run(2);
    database.exec("COMMIT");
    assert.deepEqual(database.prepare("SELECT a FROM t ORDER BY a").all(), [{ a: 1 }, { a: 2 }]);
    database.close();
  });
}
