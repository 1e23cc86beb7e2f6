import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Clock } from "../../src/ports/clock.ts";

/** What each clock must do. `pass` lets at least so much of its time go by. */
export function clockConformance(
  name: string,
  clock: Clock,
  pass: (ms: number) => Promise<void>,
): void {
  describe(`Clock of ${name}`, () => {
    it("after() calls once, in order of time, and not before its time", async () => {
      const calls: string[] = [];
      const start = clock.monotonic();
      const note = (what: string, ms: number) => () => {
        assert.ok(clock.monotonic() - start >= ms - 1);
        calls.push(what);
      };
      clock.after(40, note("late", 40));
      clock.after(10, note("early", 10));
      clock.after(10, note("early too", 10));
      clock.after(0, note("at once", 0));
      assert.deepEqual(calls, []);
      await pass(60);
      assert.deepEqual(calls, ["at once", "early", "early too", "late"]);
      await pass(60);
      assert.equal(calls.length, 4);
    });

    it("after() can be cancelled, also by another call, also too late", async () => {
      const calls: string[] = [];
      const cancelFirst = clock.after(5, () => calls.push("first"));
      cancelFirst();
      cancelFirst();
      const cancelOwn = clock.after(5, () => {
        cancelOwn();
        cancelLater();
        calls.push("own");
      });
      const cancelLater = clock.after(30, () => calls.push("later"));
      await pass(60);
      assert.deepEqual(calls, ["own"]);
    });

    it("every() calls again and again until it is cancelled, from within too", async () => {
      let count = 0;
      const cancel = clock.every(2, () => {
        if (++count === 3) cancel();
      });
      while (count < 3) await pass(5);
      await pass(20);
      assert.equal(count, 3);
    });

    it("soon() calls once, in order of asking, after the caller's turn and its microtasks", async () => {
      const calls: string[] = [];
      clock.soon(() => {
        calls.push("first");
        clock.soon(() => calls.push("asked within"));
      });
      clock.soon(() => calls.push("second"));
      assert.deepEqual(calls, []);
      await Promise.resolve();
      assert.deepEqual(calls, []);
      await pass(5);
      assert.deepEqual(calls, ["first", "second", "asked within"]);
      await pass(5);
      assert.equal(calls.length, 3);
    });

    it("monotonic() never goes back, and now() is in milliseconds", async () => {
      let last = clock.monotonic();
      const wall = clock.now();
      for (let round = 0; round < 20; round++) {
        await pass(1);
        const next = clock.monotonic();
        assert.ok(next >= last);
        last = next;
      }
      assert.ok(Number.isInteger(wall) && wall > 1_600_000_000_000);
      assert.ok(clock.now() > wall);
    });

    it("after() and every() refuse delays that platforms take for 1 ms", () => {
      for (const ms of [-1, NaN, Infinity, 2 ** 31]) {
        assert.throws(() => clock.after(ms, () => {}), RangeError);
        assert.throws(() => clock.every(ms, () => {}), RangeError);
      }
      clock.after(2 ** 31 - 1, () => {})();
    });
  });
}
