import assert from "node:assert/strict";
import { it } from "node:test";
import { connectionsFor } from "../../src/app/connection_limits.ts";

it("connectionsFor() leaves room for other files, and never takes all of a small limit for them", () => {
  assert.equal(connectionsFor(20_000), 19_488);
  assert.equal(connectionsFor(1_048_576), 100_000);
  assert.equal(connectionsFor(1_024), 768);
  assert.equal(connectionsFor(256), 192);
  assert.equal(connectionsFor(1), 1);
});
