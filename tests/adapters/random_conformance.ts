import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Random } from "../../src/ports/random.ts";

/** What each source of randomness must do. */
export function randomConformance(name: string, random: Random): void {
  describe(`Random of ${name}`, () => {
    it("bytes() gives as many as asked for, of all values", () => {
      for (const count of [0, 1, 16, 65_536, 65_537, 200_000]) {
        assert.equal(random.bytes(count).length, count);
      }
      assert.equal(new Set(random.bytes(100_000)).size, 256);
      const tail = random.bytes(200_000).subarray(-1_000);
      assert.ok(tail.some((byte) => byte !== 0));
    });

    it("fraction() stays in [0, 1) and fills it", () => {
      const tenths = new Set<number>();
      for (let round = 0; round < 2_000; round++) {
        const fraction = random.fraction();
        assert.ok(fraction >= 0 && fraction < 1);
        tenths.add(Math.floor(fraction * 10));
      }
      assert.equal(tenths.size, 10);
    });

    it("uuid() gives different ones of version 4", () => {
      const seen = new Set<string>();
      for (let round = 0; round < 1_000; round++) {
        const uuid = random.uuid();
        assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        seen.add(uuid);
      }
      assert.equal(seen.size, 1_000);
    });
  });
}
