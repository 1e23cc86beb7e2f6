import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { waitUntil } from "../../src/base/wait_until.ts";
import { fakeClock } from "../fakes/clock.ts";

describe("waitUntil()", () => {
  it("resolves at once when it is so already, without a timer", async () => {
    const clock = fakeClock();
    await waitUntil(clock, () => true, 1_000);
    assert.equal(clock.monotonic(), fakeClock().monotonic());
  });

  it("resolves soon after it has become so", async () => {
    const clock = fakeClock();
    const start = clock.monotonic();
    let looks = 0;
    let tookMs = -1;
    const waiting = waitUntil(clock, () => ++looks > 3, 1_000).then(() => {
      tookMs = clock.monotonic() - start;
    });
    for (let ms = 0; ms < 100; ms++) await clock.advanceAsync(1);
    await waiting;
    assert.ok(tookMs > 0 && tookMs <= 20, `${tookMs} ms`);
  });

  it("gives up after its time", async () => {
    const clock = fakeClock();
    let isOver = false;
    const waiting = waitUntil(clock, () => false, 50).then(() => isOver = true);
    await clock.advanceAsync(49);
    assert.equal(isOver, false);
    await clock.advanceAsync(10);
    await waiting;
    assert.equal(isOver, true);
  });
});
