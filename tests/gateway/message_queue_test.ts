import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { noSlot, type Slot } from "../../src/gateway/log/message_log_types.ts";
import { MessageQueue } from "../../src/gateway/message_queue.ts";
import { memoryLog } from "./memory_log.ts";

test("MessageQueue.take() gives higher priorities first, and equal ones in order", async () => {
  const { log, add } = await memoryLog();
  const queue = new MessageQueue(log);
  const [a, b, c, d] = [0, 9, 0, 9].map((priority) => add({ priority })) as [
    Slot,
    Slot,
    Slot,
    Slot,
  ];
  for (const slot of [a, b, c, d]) queue.push(slot);
  const taken = [1, 2, 3, 4, 5].map(() => queue.take());
  assert.deepEqual(taken, [b, d, a, c, noSlot]);
});

test("MessageQueue.pushFront() puts what comes back before what waits", async () => {
  const { log, add } = await memoryLog();
  const queue = new MessageQueue(log);
  const [a, b, c] = [add(), add(), add()];
  queue.push(c);
  queue.pushFront(b);
  queue.pushFront(a);
  assert.deepEqual([queue.take(), queue.take(), queue.take()], [a, b, c]);
});

test("MessageQueue behaves as a list sorted by priority, whatever is pushed, taken and removed", async () => {
  const { log, add } = await memoryLog({ size: 100_000, maxBytes: 1 << 26 });
  const step = fc.record({
    kind: fc.constantFrom("push", "front", "take", "remove"),
    priority: fc.nat({ max: 9 }),
    which: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new MessageQueue(log);
      const expected: Slot[][] = Array.from({ length: 10 }, () => []);
      const all = () => expected.toReversed().flat();
      for (const { kind, priority, which } of steps) {
        const list = expected[priority] as Slot[];
        const present = all();
        if (kind === "push") {
          const slot = add({ priority });
          queue.push(slot);
          list.push(slot);
        } else if (kind === "front") {
          const slot = add({ priority });
          queue.pushFront(slot);
          list.unshift(slot);
        } else if (kind === "take") {
          const slot = queue.take();
          assert.equal(slot, present[0] ?? noSlot);
          for (const one of expected) if (one[0] === slot) one.shift();
        } else if (present.length > 0) {
          const slot = present[which % present.length] as Slot;
          queue.remove(slot);
          for (const [i, one] of expected.entries()) expected[i] = one.filter((s) => s !== slot);
        }
        assert.equal(queue.size, all().length);
      }
      for (const slot of all()) assert.equal(queue.take(), slot);
      assert.equal(queue.take(), noSlot);
    }),
  );
});
