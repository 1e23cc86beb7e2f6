import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type DedupKey, DedupWindow, hashMessageId } from "../../src/gateway/dedup_window.ts";
import { fakeRandom } from "../fakes/random.ts";

const limits = { windowMs: 1_000, perClient: 10, total: 100 };

function key(id: string, nowMs = 0, bodyCrc = 1, bodyBytes = 1): DedupKey {
  return { ...hashMessageId(id), bodyCrc, bodyBytes, nowMs };
}

describe("DedupWindow", () => {
  it("look() tells new, same and different, each client for itself", () => {
    const window = new DedupWindow(limits);
    assert.deepEqual(window.look(1, key("a")), { kind: "new" });
    assert.equal(window.add(1, key("a"), 77), true);
    assert.equal(window.add(1, key("a"), 78), false);
    assert.deepEqual(window.look(1, key("a")), { kind: "same", sequence: 77 });
    assert.deepEqual(window.look(1, key("a", 0, 2)), { kind: "different" });
    assert.deepEqual(window.look(1, key("a", 0, 1, 2)), { kind: "different" });
    assert.deepEqual(window.look(2, key("a")), { kind: "new" });
    assert.deepEqual(window.look(1, key("b")), { kind: "new" });
    assert.deepEqual([window.size, window.known(1), window.known(2)], [1, 1, 0]);
  });

  it("look() gives the sequence number beyond 32 bits", () => {
    const window = new DedupWindow(limits);
    const base = 5 * 2 ** 32;
    window.add(1, key("before"), base - 3);
    window.add(1, key("after"), base + 3);
    assert.deepEqual(window.look(1, key("before")), { kind: "same", sequence: base - 3 });
    assert.deepEqual(window.look(1, key("after")), { kind: "same", sequence: base + 3 });
  });

  it("forgets after the window, also for ids that were read back", () => {
    const gone: number[] = [];
    const window = new DedupWindow(limits, (client) => void gone.push(client));
    window.add(1, key("old", 5_000), 1, 900);
    window.add(2, key("new", 5_000), 2);
    assert.equal(window.add(2, key("too old", 5_000), 2, 1_000), false);
    assert.equal(window.look(1, key("old", 5_099)).kind, "same");
    assert.equal(window.look(1, key("old", 5_100)).kind, "new");
    assert.deepEqual(gone, [1]);
    assert.equal(window.look(2, key("new", 5_999)).kind, "same");
    window.expire(6_000);
    assert.deepEqual([gone, window.size], [[1, 2], 0]);
  });

  it("keeps the newest of each client and of all", () => {
    const window = new DedupWindow(limits);
    for (let n = 0; n < 12; n++) window.add(7, key(`m${n}`), n + 1);
    assert.equal(window.known(7), 10);
    assert.equal(window.look(7, key("m1")).kind, "new");
    assert.equal(window.look(7, key("m2")).kind, "same");
    for (let client = 100; client < 195; client++) window.add(client, key("x"), client);
    assert.equal(window.size, 100);
    assert.equal(window.known(7), 5);
    assert.equal(window.look(7, key("m7")).kind, "same");
    assert.equal(window.look(7, key("m6")).kind, "new");
  });

  it("forget() takes an id out of the middle", () => {
    const window = new DedupWindow(limits);
    for (const id of ["a", "b", "c"]) window.add(1, key(id), 1);
    window.forget(1, hashMessageId("b"));
    window.forget(1, hashMessageId("never there"));
    assert.deepEqual(["a", "b", "c"].map((id) => window.look(1, key(id)).kind), [
      "same",
      "new",
      "same",
    ]);
    assert.equal(window.known(1), 2);
  });

  it("does as a plain map does, for any calls", () => {
    const random = fakeRandom(5);
    const below = (count: number) => Math.floor(random.fraction() * count);
    const window = new DedupWindow({ windowMs: 300, perClient: 8, total: 40 });
    let model: { client: number; id: string; crc: number; sequence: number; at: number }[] = [];
    for (let step = 0; step < 20_000; step++) {
      const nowMs = step;
      model = model.filter(({ at }) => nowMs - at < 300);
      const client = below(8);
      const id = `m${below(30)}`;
      const crc = below(2);
      const known = model.find((one) => one.client === client && one.id === id);
      const found = window.look(client, key(id, nowMs, crc));
      const expected = known === undefined
        ? { kind: "new" }
        : known.crc === crc
        ? { kind: "same", sequence: known.sequence }
        : { kind: "different" };
      assert.deepEqual(found, expected, `step ${step}`);
      if (random.fraction() < 0.1) {
        window.forget(client, hashMessageId(id));
        model = model.filter((one) => one !== known);
      } else if (known === undefined) {
        window.add(client, key(id, nowMs, crc), step);
        const own = model.filter((one) => one.client === client);
        if (own.length >= 8) model = model.filter((one) => one !== own[0]);
        if (model.length >= 40) model = model.slice(1);
        model.push({ client, id, crc, sequence: step, at: nowMs });
      }
      assert.equal(window.size, model.length);
    }
  });
});

describe("hashMessageId()", () => {
  it("is the same in each run, and differs for ids that are alike", () => {
    assert.deepEqual(hashMessageId("m1"), hashMessageId(["m", "1"].join("")));
    const seen = new Set<string>();
    for (let n = 0; n < 20_000; n++) {
      for (const id of [`${n}`, `m-${n}`]) {
        const { low, high } = hashMessageId(id);
        assert.ok(low >= 0 && low < 2 ** 32 && high >= 0 && high < 2 ** 32);
        seen.add(`${low} ${high}`);
      }
    }
    assert.equal(seen.size, 40_000);
    assert.equal(new Set([...seen].map((pair) => pair.split(" ")[0])).size > 39_990, true);
    assert.equal(new Set([...seen].map((pair) => pair.split(" ")[1])).size > 39_990, true);
  });
});
