import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { performBatch } from "../../../src/game/accounts/store_batch.ts";
import { SqliteError } from "../../../src/ports/sqlite.ts";
import { openFile } from "./users_fixture.ts";

/** Performs numbers; `fault` says what happens at the n-th try. */
function perform(numbers: readonly number[], fault: (tries: number) => Error | undefined) {
  const database = openFile(":memory:");
  database.exec("CREATE TABLE done (number INTEGER)");
  let tries = 0;
  const results = performBatch({
    database,
    path: "p",
    isReading: () => false,
    perform(number: number) {
      const error = fault(++tries);
      if (error !== undefined) throw error;
      database.prepare("INSERT INTO done VALUES (?)").run(number);
      return number;
    },
  }, numbers);
  const done = database.prepare("SELECT number FROM done").all().map((row) => row["number"]);
  database.close();
  return { results, done };
}

const trouble = (kind: SqliteError["kind"]) => new SqliteError(kind, "no");

describe("performBatch()", () => {
  it("performBatch() does the others when one operation fails by itself", () => {
    const { results, done } = perform(
      [1, 2, 3],
      (tries) => tries === 2 || tries === 4 ? trouble("constraint") : undefined,
    );
    assert.deepEqual(done, [1, 3]);
    assert.deepEqual(results.map(({ ok }) => ok), [true, false, true]);
    assert.equal("passes" in results[1]!, false);
  });

  it("performBatch() does nothing after an operation that may be tried again", () => {
    // The whole batch fails at its second; then singly: the first is done, the second meets a lock.
    const { results, done } = perform(
      [1, 2, 3],
      (tries) => tries === 2 ? trouble("constraint") : tries === 4 ? trouble("busy") : undefined,
    );
    assert.deepEqual(done, [1]);
    const locked = {
      ok: false,
      reason: 'Cannot use database "p": another program holds it locked',
      passes: true,
    };
    assert.deepEqual(results, [{ ok: true, value: 1 }, locked, locked]);
  });

  it("performBatch() changes nothing when the file is the trouble, and says whether it may pass", () => {
    for (const kind of ["busy", "full", "readonly", "cannot_open", "corrupt"] as const) {
      const { results, done } = perform(
        [1, 2, 3],
        (tries) => tries === 3 ? trouble(kind) : undefined,
      );
      assert.deepEqual(done, []);
      assert.deepEqual(
        results.map((result) => !result.ok && result.passes === true),
        [1, 2, 3].map(() => kind !== "corrupt"),
      );
    }
  });
});
