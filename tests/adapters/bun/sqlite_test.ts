import { Database } from "bun:sqlite";
import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { bunSqlite } from "../../../src/adapters/bun/sqlite.ts";
import { scanStatement } from "../../../src/adapters/node/sqlite_parameters.ts";
import { sqliteConformance } from "../sqlite_conformance.ts";

sqliteConformance("Bun", bunSqlite());

it("scanStatement() counts parameters as SQLite itself does", () => {
  const database = new Database(":memory:");
  const piece = fc.constantFrom(
    ..."?,'\"`[]()-*/+ \n1aé$;".split(""),
    "--",
    "/*",
    "*/",
    "''",
    "??",
    "'?'",
    "SELECT ",
    "x'41'",
    ", ?",
    "AS a",
    "1.5e3",
  );
  let compared = 0;
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const sql = `SELECT ?${pieces.join("")}`;
      let expected: number;
      try {
        expected = database.prepare(sql).paramsCount;
      } catch {
        return;
      }
      let found: number;
      try {
        found = scanStatement(sql).parameterCount;
      } catch (error) {
        // A second statement, or one more kind of parameter: SQLite takes both, the port neither.
        assert.ok(error instanceof TypeError);
        return;
      }
      compared++;
      assert.equal(found, expected, sql);
    }),
    { numRuns: 20_000 },
  );
  assert.ok(compared > 500, `only ${compared} were SQL`);
  database.close();
});
