import assert from "node:assert/strict";
import { it } from "node:test";
import { WakeTimer } from "../../src/host/wake_timer.ts";
import { fakeClock } from "../fakes/clock.ts";

it("WakeTimer wakes each item at its time, in order, also those added while waking", () => {
  const clock = fakeClock();
  const woken: string[] = [];
  const start = clock.monotonic();
  const timer = new WakeTimer<string>(clock, (item, now) => {
    woken.push(`${item}@${now - start}`);
    if (item === "b") timer.add(now + 5, "again");
  });
  timer.add(start + 30, "c");
  timer.add(start + 10, "a");
  timer.add(start + 20, "b");
  clock.advance(9);
  assert.deepEqual(woken, []);
  clock.advance(1);
  assert.deepEqual(woken, ["a@10"]);
  clock.advance(100);
  assert.deepEqual(woken, ["a@10", "b@20", "again@25", "c@30"]);
});

it("WakeTimer.stop() wakes nobody any more", () => {
  const clock = fakeClock();
  const timer = new WakeTimer<string>(clock, () => assert.fail("woken after stop"));
  timer.add(clock.monotonic() + 10, "a");
  timer.stop();
  timer.add(clock.monotonic() + 10, "b");
  clock.advance(100);
});
