import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SilenceTimer } from "../../src/host/silence_timer.ts";
import type { Clock } from "../../src/ports/clock.ts";
import { fakeClock } from "../fakes/clock.ts";

function timerOf(clock: Clock, delayMs = 20) {
  const silent: string[] = [];
  const timer: SilenceTimer<string> = new SilenceTimer({
    clock,
    delayMs,
    silent: (item) => void silent.push(item),
  });
  return { timer, silent };
}

describe("SilenceTimer", () => {
  it("SilenceTimer tells each item once, its time after it was added", () => {
    const clock = fakeClock();
    const { timer, silent } = timerOf(clock);
    timer.add("a");
    clock.advance(5);
    timer.add("b");
    clock.advance(14);
    assert.deepEqual(silent, []);
    clock.advance(1);
    assert.deepEqual(silent, ["a"]);
    clock.advance(4);
    assert.deepEqual(silent, ["a"]);
    clock.advance(1);
    assert.deepEqual(silent, ["a", "b"]);
    timer.add("a");
    clock.advance(100);
    assert.deepEqual(silent, ["a", "b", "a"]);
    assert.equal(clock.waiting, 0);
  });

  it("SilenceTimer.delete() leaves nothing of an item, and does not disturb the others", () => {
    const clock = fakeClock();
    const { timer, silent } = timerOf(clock);
    for (const item of ["a", "b", "c"]) timer.add(item);
    timer.delete("a");
    timer.delete("c");
    timer.delete("never added");
    assert.equal(timer.size, 1);
    clock.advance(20);
    assert.deepEqual(silent, ["b"]);
    assert.equal(timer.size, 0);
  });

  it("SilenceTimer serves any number of items with one timer of the clock, some at a turn", () => {
    const clock = fakeClock();
    let inTurn = 0;
    let mostInTurn = 0;
    let told = 0;
    const turns: Clock = {
      ...clock,
      monotonic: () => clock.monotonic(),
      after: (ms, call) =>
        clock.after(ms, () => {
          inTurn = 0;
          call();
        }),
    };
    const timer: SilenceTimer<number> = new SilenceTimer({
      clock: turns,
      delayMs: 150,
      silent: () => {
        told++;
        mostInTurn = Math.max(mostInTurn, ++inTurn);
      },
    });
    for (let item = 0; item < 10_000; item++) {
      timer.add(item);
      assert.equal(clock.waiting, 1);
    }
    clock.advance(150);
    assert.equal(told, 10_000);
    assert.ok(mostInTurn <= 256, `${mostInTurn} in one turn`);
    assert.equal(timer.size, 0);
  });

  it("SilenceTimer lets a busy thread read first what came in time", () => {
    let now = 0;
    const calls: (() => void)[] = [];
    const clock: Clock = {
      now: () => now,
      monotonic: () => now,
      after: (_, call) => {
        calls.push(call);
        return () => {};
      },
      every: () => () => {},
      soon: () => {},
    };
    const { timer, silent } = timerOf(clock);
    timer.add("spoke in time");
    timer.add("said nothing");
    now = 500;
    calls.shift()?.();
    assert.deepEqual(silent, [], "nobody is judged before the sockets were read");
    timer.delete("spoke in time");
    timer.add("new");
    now = 501;
    calls.shift()?.();
    assert.deepEqual(silent, ["said nothing"]);
    now = 521;
    calls.shift()?.();
    assert.deepEqual(silent, ["said nothing", "new"]);
    assert.equal(calls.length, 0);
  });

  it("SilenceTimer.stop() tells nobody any more, also within a call", () => {
    const clock = fakeClock();
    const told: string[] = [];
    const timer: SilenceTimer<string> = new SilenceTimer({
      clock,
      delayMs: 0,
      silent: (item) => {
        told.push(item);
        timer.stop();
      },
    });
    timer.add("a");
    timer.add("b");
    clock.advance(10);
    timer.add("c");
    clock.advance(10);
    assert.deepEqual(told, ["a"]);
    assert.equal(timer.size, 0);
    assert.equal(clock.waiting, 0);
  });
});
