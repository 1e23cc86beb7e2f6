import assert from "node:assert/strict";
import { it } from "node:test";
import { hasStatement, scanStatement } from "../../src/adapters/node/sqlite_parameters.ts";

it("scanStatement() counts ? outside strings, names and comments", () => {
  const cases: [string, number][] = [
    ["SELECT 1", 0],
    ["SELECT ?,?,?", 3],
    ["SELECT ??", 2],
    ["SELECT '?', ?", 1],
    ["SELECT '''?', ?", 1],
    ["SELECT '?'''''", 0],
    ['SELECT "?""?", `?``?`, [?], ?', 1],
    ["SELECT ? -- ?\n+ ?", 2],
    ["SELECT /* ? */ ? /* ? ", 1],
    ["SELECT 1-?, 1/?, 1*?", 3],
    ["SELECT x'00' || ?", 1],
    ["SELECT a$b?, ü?", 2],
    ["SELECT json ->> '$.a' = ?", 1],
    ["VALUES (?),(?) ;  -- end ?", 2],
  ];
  for (const [sql, count] of cases) assert.equal(scanStatement(sql).parameterCount, count, sql);
});

it("scanStatement() tells which statements change rows", () => {
  const changing = [
    "INSERT INTO t VALUES (1)",
    " -- why\n update t set a = 1",
    "/**/DELETE FROM t",
    "REPLACE INTO t VALUES (1)",
    "WITH a AS (SELECT 1), b(c) AS (VALUES (2)) INSERT INTO t SELECT * FROM a",
    "WITH RECURSIVE a AS (SELECT 1) UPDATE t SET a = 1",
  ];
  const others = [
    "SELECT 1",
    "WITH a AS (DELETE) SELECT 1",
    "EXPLAIN INSERT INTO t VALUES (1)",
    "CREATE TABLE t (a)",
    "PRAGMA x",
  ];
  for (const sql of changing) assert.equal(scanStatement(sql).changesRows, true, sql);
  for (const sql of others) assert.equal(scanStatement(sql).changesRows, false, sql);
});

it("scanStatement() names in its message what it refuses, and cuts long SQL", () => {
  assert.throws(() => scanStatement("SELECT :name"), {
    name: "TypeError",
    message: 'Cannot prepare "SELECT :name": only anonymous ? parameters are allowed, found :name',
  });
  assert.throws(
    () => scanStatement(`SELECT ${"x".repeat(1_000)}; SELECT 2`),
    (error: unknown) => error instanceof TypeError && error.message.length < 250,
  );
});

it("hasStatement() is false for blanks, comments and semicolons alone", () => {
  for (const sql of ["", " \n\t", ";;", "-- a", "/* a */ ; -- b\n", "/* open"]) {
    assert.equal(hasStatement(sql), false, sql);
  }
  for (const sql of ["x", "-- a\nx", "/* */x"]) assert.equal(hasStatement(sql), true, sql);
});
