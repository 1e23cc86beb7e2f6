import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type HasId, IdTable } from "../../src/base/id_table.ts";
import { fakeRandom } from "../fakes/random.ts";

describe("IdTable", () => {
  for (const seed of [0, 1, -1, 0x7fffffff]) {
    it(`finds what a Map finds, whatever is set and deleted (seed ${seed})`, () => {
      const random = fakeRandom(seed);
      const table = new IdTable<HasId>(seed);
      const map = new Map<string, HasId>();
      for (let step = 0; step < 20_000; step++) {
        const grows = step % 8_000 < 4_000;
        const id = `客-${Math.floor(random.fraction() * 2_000)}`;
        if (random.fraction() < (grows ? 0.7 : 0.3)) {
          const item = { id };
          table.set(item);
          map.set(id, item);
        } else {
          assert.equal(table.delete(id), map.delete(id));
        }
        assert.equal(table.get(id), map.get(id));
        assert.equal(table.size, map.size);
        if (step % 1_000 !== 0) continue;
        for (const item of map.values()) assert.equal(table.get(item.id), item);
        assert.deepEqual(new Set(table.values()), new Set(map.values()));
      }
    });
  }

  it("knows nothing that was never set", () => {
    const table = new IdTable(5);
    assert.deepEqual([table.get(""), table.delete("x"), table.size], [undefined, false, 0]);
  });
});
