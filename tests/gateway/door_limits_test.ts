import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AddressLimit } from "../../src/gateway/address_limit.ts";
import { ConnectionRing, type RingMember } from "../../src/gateway/connection_ring.ts";
import { doorLimits } from "../../src/gateway/door_limits.ts";
import { MemoryAccount } from "../../src/gateway/memory_account.ts";
import { TakeOverLimit } from "../../src/gateway/take_over_limit.ts";
import { fakeRandom } from "../fakes/random.ts";
import { roomyGateway } from "./door_fixture.ts";

describe("AddressLimit", () => {
  it("lets a burst pass, then the rate, each address for itself", () => {
    const limit = new AddressLimit({ perSecond: 2, burst: 3 });
    const waits = (key: string, now: number) => limit.take(key, now);
    assert.deepEqual([0, 0, 0, 1], [1, 2, 3, 4].map(() => waits("a", 1_000)));
    assert.equal(waits("b", 1_000), 0);
    assert.equal(waits("a", 1_499), 1);
    assert.equal(waits("a", 1_500), 0);
    assert.equal(waits("a", 1_501), 1);
    // A clock that goes back gives nothing.
    assert.equal(waits("a", 0), 1);
  });

  it("says after how many seconds the next may come", () => {
    const limit = new AddressLimit({ perSecond: 0.1, burst: 1 });
    assert.deepEqual([limit.take("a", 0), limit.take("a", 0), limit.take("a", 5_000)], [0, 10, 5]);
  });

  it("stays within its size, forgets who is full again, and keeps who is not", () => {
    const limit = new AddressLimit({ perSecond: 1, burst: 5 }, 100);
    for (let i = 0; i < 5; i++) assert.equal(limit.take("attacked", 0), 0);
    let passed = 0;
    for (let i = 0; i < 10_000; i++) if (limit.take(`net ${i}`, 1) === 0) passed++;
    assert.equal(limit.size, 100);
    assert.equal(passed, 99 + 5);
    assert.ok(limit.take("attacked", 1) > 0);
    assert.equal(limit.take("late", 10_000), 0);
    for (let i = 0; i < 100; i++) limit.take("late", 10_000);
    assert.ok(limit.size < 50);
  });
});

describe("TakeOverLimit", () => {
  it("lets five pass in any minute", () => {
    const limit = new TakeOverLimit();
    for (let i = 0; i < 5; i++) {
      assert.equal(limit.wait("a", i * 10_000), 0);
      limit.count("a", i * 10_000);
    }
    assert.deepEqual([limit.wait("a", 50_000), limit.wait("a", 59_999)], [10, 1]);
    assert.deepEqual([limit.wait("a", 60_000), limit.wait("b", 50_000)], [0, 0]);
    limit.count("a", 60_000);
    assert.equal(limit.wait("a", 60_001), 10);
  });

  it("forgets ids with time, and the oldest when there are too many", () => {
    const limit = new TakeOverLimit();
    for (let i = 0; i < 12_000; i++) limit.count(`id ${i}`, i / 1_000);
    assert.equal(limit.size, 10_000);
    limit.count("late", 100_000);
    assert.equal(limit.size, 1);
  });
});

describe("MemoryAccount", () => {
  const mebibyte = 1 << 20;

  it("refuses large messages over the watermark, all at the limit, none again below 60 %", () => {
    const memory = new MemoryAccount({ maxMemoryMB: 10, highWatermark: 0.8 });
    memory.add("queues", 8 * mebibyte);
    assert.deepEqual([memory.refuses, memory.admits(65_537)], ["nothing", true]);
    memory.set("outbound", 1);
    assert.deepEqual([memory.admits(65_536), memory.admits(65_537)], [true, false]);
    memory.set("outbound", 2 * mebibyte);
    assert.deepEqual([memory.refuses, memory.admits(0)], ["all", false]);
    memory.add("queues", -3 * mebibyte);
    assert.equal(memory.admits(0), false);
    memory.add("queues", -1 * mebibyte);
    assert.deepEqual([memory.admits(0), memory.totalBytes], [false, 6 * mebibyte]);
    memory.set("outbound", 2 * mebibyte - 1);
    assert.deepEqual([memory.refuses, memory.bytes("outbound")], ["nothing", 2 * mebibyte - 1]);
  });

  it("relaxes below the watermark when that is lower", () => {
    const memory = new MemoryAccount({ maxMemoryMB: 10, highWatermark: 0.3 });
    memory.add("waiting", 4 * mebibyte);
    assert.equal(memory.refuses, "large");
    memory.add("waiting", -1.5 * mebibyte);
    assert.equal(memory.refuses, "nothing");
  });
});

describe("ConnectionRing", () => {
  it("visits everybody once a round, whoever enters and leaves meanwhile", () => {
    const random = fakeRandom(7);
    const ring = new ConnectionRing<RingMember & { seen: number; name: number }>();
    const here = new Set<RingMember & { seen: number; name: number }>();
    const enter = (name: number, round: number) => {
      const member = { ringPlace: -1, seen: round, name };
      ring.add(member);
      here.add(member);
    };
    for (let i = 0; i < 50; i++) enter(i, 0);
    for (let round = 1; round <= 50; round++) {
      const before = [...here];
      for (let turn = 0; turn < 30; turn++) {
        const member = ring.next();
        assert.ok(member !== undefined && here.has(member));
        assert.ok(member.seen <= round);
        member.seen = round;
        if (random.fraction() < 0.3) {
          const gone = [...here][Math.floor(random.fraction() * here.size)];
          if (gone !== undefined && here.size > 40) {
            ring.remove(gone);
            ring.remove(gone);
            here.delete(gone);
          }
          enter(1_000 + round, round);
        }
      }
      while (before.some((member) => here.has(member) && member.seen < round)) {
        const member = ring.next();
        assert.ok(member !== undefined);
        assert.ok(member.seen < round || member.name >= 1_000, "nobody twice before all were once");
        member.seen = round;
      }
      for (const member of ring.all()) member.seen = round;
      while (ring.next() !== [...ring.all()].at(-1));
      assert.equal(ring.size, here.size);
    }
  });

  it("is empty when all have left", () => {
    const ring = new ConnectionRing<RingMember>();
    const member = { ringPlace: -1 };
    ring.add(member);
    assert.equal(ring.next(), member);
    ring.remove(member);
    assert.deepEqual([ring.next(), ring.size, member.ringPlace], [undefined, 0, -1]);
  });
});

describe("doorLimits()", () => {
  it("leaves the known SDK's 900 heartbeats a second alone, and steps in at 50 times the rate", () => {
    const { inbound } = doorLimits({ ...roomyGateway, messagesPerSecond: 1, messageBurst: 1 });
    assert.ok(inbound.messagesPerSecond > 900 * 2);
    assert.equal(
      doorLimits({ ...roomyGateway, messagesPerSecond: 1_000 }).inbound.messagesPerSecond,
      50_000,
    );
  });
});
