import assert from "node:assert/strict";
import { it } from "node:test";
import { RestartPause } from "../../../src/game/lua/restart_pause.ts";

it("RestartPause lets two losses pass, then doubles the wait up to a limit", () => {
  const pause = new RestartPause();
  const waits = Array.from({ length: 10 }, () => {
    pause.lost(1_000);
    return pause.remaining(1_000);
  });
  assert.deepEqual(waits, [0, 0, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
  assert.equal(pause.remaining(6_000), 5_000);
  assert.equal(pause.remaining(11_000), 0);
});

it("RestartPause.worked() forgets all losses", () => {
  const pause = new RestartPause();
  for (let i = 0; i < 5; i++) pause.lost(0);
  pause.worked();
  assert.equal(pause.remaining(0), 0);
  pause.lost(0);
  assert.equal(pause.remaining(0), 0);
});
