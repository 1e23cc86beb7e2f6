import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AckQueue } from "../../src/gateway/ack_queue.ts";
import type { ClientSession } from "../../src/gateway/gateway_types.ts";
import { Clients } from "../../src/gateway/clients.ts";
import { LatencyBuckets } from "../../src/gateway/latency_buckets.ts";
import { StampClock } from "../../src/gateway/stamp_clock.ts";
import { fakeClock } from "../fakes/clock.ts";

describe("AckQueue", () => {
  it("takeThrough() gives what is safe, in order, and keeps the rest", () => {
    const asker = { name: "a" } as unknown as ClientSession;
    const queue = new AckQueue();
    // Enough for the arrays to be moved to the front several times.
    const count = 10_000;
    for (let n = 1; n <= count; n++) queue.push(n, asker, { id: `m${n}`, takenAtMs: n });
    const taken: string[] = [];
    for (let through = 700; taken.length < count; through += 700) {
      queue.takeThrough(through, (_asker, id) => taken.push(id));
      assert.equal(taken.length, Math.min(through, count));
      assert.equal(queue.size, count - taken.length);
    }
    assert.deepEqual(taken, Array.from({ length: count }, (_, i) => `m${i + 1}`));
  });

  it("takeThrough() lets a repetition wait for those before it, never less", () => {
    const asker = { name: "a" } as unknown as ClientSession;
    const queue = new AckQueue();
    queue.push(5, asker, { id: "five", takenAtMs: 0 });
    queue.push(3, asker, { id: "three again", takenAtMs: 0 });
    const taken: string[] = [];
    queue.takeThrough(4, (_asker, id) => taken.push(id));
    assert.equal(taken.length, 0);
    queue.takeThrough(5, (_asker, id) => taken.push(id));
    assert.deepEqual(taken, ["five", "three again"]);
  });
});

describe("Clients", () => {
  it("tidy() forgets a client that nothing is left of, and gives its number away again", () => {
    const clients = new Clients(1);
    const a = clients.named("a");
    a.pendingUp = 1;
    clients.tidy(a);
    assert.equal(clients.at(a.index), a);
    a.pendingUp = 0;
    clients.tidy(a);
    assert.equal(clients.get("a"), undefined);
    const b = clients.named("b");
    assert.equal(b.index, a.index);
    clients.tidy(a);
    assert.equal(clients.get("b"), b, "a client that is gone must not take another with it");
  });
});

describe("StampClock", () => {
  it("take() gives a later time each time, to the nanosecond", () => {
    const clock = fakeClock();
    const stamp = new StampClock(clock);
    let before = BigInt(stamp.ms) * 1_000_000n + BigInt(stamp.ns);
    for (let i = 0; i < 10; i++) {
      if (i === 5) clock.advance(1);
      stamp.take();
      const now = BigInt(stamp.ms) * 1_000_000n + BigInt(stamp.ns);
      assert.ok(now > before, `${now} after ${before}`);
      before = now;
    }
  });

  it("take() follows the wall clock when that is set, by a day in either direction", () => {
    const day = 86_400_000;
    for (const jump of [day, -day]) {
      const clock = fakeClock();
      const stamp = new StampClock(clock);
      const before = stamp.ms;
      clock.jumpWallClock(jump);
      stamp.take();
      assert.equal(Math.round((stamp.ms - before) / day), Math.sign(jump));
    }
  });
});

describe("LatencyBuckets", () => {
  it("text() counts each duration in its bucket and all larger ones", () => {
    const buckets = new LatencyBuckets();
    for (const ms of [0.1, 1, 3, 20_000]) buckets.add(ms);
    const lines = buckets.text("x_seconds", "what it is").split("\n");
    assert.deepEqual(lines.slice(0, 2), [
      "# HELP x_seconds what it is",
      "# TYPE x_seconds histogram",
    ]);
    assert.ok(lines.includes('x_seconds_bucket{le="0.00025"} 1'));
    assert.ok(lines.includes('x_seconds_bucket{le="0.001"} 2'));
    assert.ok(lines.includes('x_seconds_bucket{le="10"} 3'));
    assert.ok(lines.includes('x_seconds_bucket{le="+Inf"} 4'));
    assert.ok(lines.includes("x_seconds_count 4"));
  });
});
