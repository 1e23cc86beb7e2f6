import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { FloodGuard, type FloodLimits } from "../../src/game/flood_guard.ts";

const limits: FloodLimits = {
  packetsPerSecond: 60,
  packetsBurst: 300,
  bytesPerSecond: 262_144,
  bytesBurst: 1_048_576,
  overMsMax: 10_000,
};

const anyLimits = fc.record({
  packetsPerSecond: fc.integer({ min: 1, max: 100 }),
  packetsBurst: fc.integer({ min: 1, max: 50 }),
  bytesPerSecond: fc.integer({ min: 1, max: 10_000 }),
  bytesBurst: fc.integer({ min: 1, max: 10_000 }),
  overMsMax: fc.integer({ min: 1, max: 20_000 }),
});

describe("FloodGuard", () => {
  it("over any window lets no more through than burst + rate · time", () => {
    const step = fc.record({
      waitMs: fc.integer({ min: 0, max: 2_000 }),
      asks: fc.integer({ min: 0, max: 30 }),
      bytes: fc.integer({ min: 0, max: 5_000 }),
    });
    fc.assert(
      fc.property(anyLimits, fc.array(step, { maxLength: 60 }), (some, steps) => {
        const guard = new FloodGuard(some, 0);
        const taken: number[] = [];
        let now = 0;
        for (const { waitMs, asks, bytes } of steps) {
          now += waitMs;
          guard.countBytes(bytes, now);
          for (let ask = 0; ask < asks; ask++) if (guard.takePacket(now)) taken.push(now);
        }
        for (let first = 0; first < taken.length; first++) {
          for (let last = first; last < taken.length; last++) {
            const seconds = (taken[last]! - taken[first]!) / 1_000;
            const allowed = some.packetsBurst + seconds * some.packetsPerSecond;
            if (last - first + 1 > allowed + 1e-6) return false;
          }
        }
        return true;
      }),
    );
  });

  it("takes no packet while its bytes are in debt, however few packets came", () => {
    const guard = new FloodGuard(limits, 0);
    guard.countBytes(limits.bytesBurst, 0);
    assert.equal(guard.takePacket(0), true);
    guard.countBytes(1, 0);
    assert.equal(guard.takePacket(0), false);
    assert.equal(guard.takePacket(1), true);
    guard.countBytes(2 * limits.bytesPerSecond, 1);
    assert.equal(guard.takePacket(1_900), false);
    assert.equal(guard.takePacket(2_001), true);
  });

  it("gives back what was no packet, and never more than the burst", () => {
    const guard = new FloodGuard({ ...limits, packetsBurst: 2, packetsPerSecond: 1 }, 0);
    for (let round = 0; round < 10; round++) {
      assert.equal(guard.takePacket(0), true);
      guard.giveBackPacket();
    }
    guard.giveBackPacket();
    assert.deepEqual([1, 2, 3].map(() => guard.takePacket(0)), [true, true, false]);
  });

  it("takes a burst now and then for no flood", () => {
    const guard = new FloodGuard(limits, 0);
    for (let now = 0; now <= 60_000; now += 12_000) {
      let taken = 0;
      while (guard.takePacket(now)) taken++;
      assert.equal(taken, 300);
      assert.equal(guard.isFlood(now), false, `${now}`);
    }
  });

  it("takes a player at a third of the rate for no flood, even right after a burst", () => {
    const guard = new FloodGuard(limits, 0);
    while (guard.takePacket(0));
    for (let now = 1_000; now < 120_000; now += 50) {
      assert.equal(guard.takePacket(now), true, `${now}`);
      assert.equal(guard.isFlood(now), false, `${now}`);
    }
  });

  it("calls it a flood when it was over for overMsMax, and a single packet in between clears nothing", () => {
    const guard = new FloodGuard(limits, 0);
    let first: number | undefined;
    for (let now = 0; now < 30_000; now += 5) {
      if (guard.takePacket(now)) continue;
      first ??= now;
      if (!guard.isFlood(now)) continue;
      assert.ok(now - first >= 10_000 && now - first < 10_100, `after ${now - first} ms`);
      return;
    }
    assert.fail("never a flood");
  });

  it("calls it a flood too where the burst is soon full again", () => {
    const guard = new FloodGuard({ ...limits, packetsBurst: 4 }, 0);
    for (let now = 0; now <= 10_000; now += 250) {
      while (guard.takePacket(now));
      assert.equal(guard.isFlood(now), now === 10_000, `${now}`);
    }
  });

  it("calls it a flood too when bytes stay just over their rate, though each packet gets its turn", () => {
    const guard = new FloodGuard({ ...limits, bytesPerSecond: 1_000, bytesBurst: 4_000 }, 0);
    for (let now = 0; now < 200_000; now += 1_500) {
      assert.equal(guard.takePacket(now), true, `${now}`);
      guard.countBytes(1_600, now);
      if (!guard.takePacket(now) && guard.isFlood(now)) return;
    }
    assert.fail("never a flood");
  });

  it("forgets what was over once there was a rest", () => {
    const guard = new FloodGuard(limits, 0);
    while (guard.takePacket(0));
    assert.equal(guard.isFlood(9_999), false);
    assert.equal(guard.takePacket(9_999), true);
    while (guard.takePacket(10_001));
    assert.equal(guard.isFlood(10_001), false);
  });

  it("gives nothing for a clock that goes back", () => {
    const guard = new FloodGuard({ ...limits, packetsBurst: 1 }, 1_000);
    assert.equal(guard.takePacket(1_000), true);
    assert.equal(guard.takePacket(0), false);
    assert.equal(guard.takePacket(1_001), false);
  });
});
