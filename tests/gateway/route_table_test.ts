import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { RouteTable } from "../../src/gateway/route_table.ts";

function tableOf(prefixes: readonly string[]): RouteTable {
  return RouteTable.of(prefixes.map((clientIdPrefix) => ({ clientIdPrefix })));
}

/** The same by looking at each rule. */
function findSlowly(prefixes: readonly string[], id: string): number | undefined {
  let found: number | undefined;
  for (const [index, prefix] of prefixes.entries()) {
    if (!id.startsWith(prefix)) continue;
    if (found === undefined || prefix.length > prefixes[found]!.length) found = index;
  }
  return found;
}

function agrees(prefixes: readonly string[], ids: readonly string[]): void {
  const table = tableOf(prefixes);
  for (const id of [...ids, ...prefixes, ...prefixes.map((prefix) => `${prefix}x`)]) {
    const expected = findSlowly(prefixes, id);
    assert.equal(table.find(id), expected, JSON.stringify({ prefixes, id }));
  }
}

describe("RouteTable.find()", () => {
  it("knows no route without rules", () => {
    assert.equal(tableOf([]).find("client"), undefined);
    assert.equal(tableOf([]).find(""), undefined);
    assert.equal(tableOf([]).size, 0);
  });

  it("takes the longest prefix, wherever in the list it is", () => {
    const prefixes = ["client-1", "client-1-1000", "c", "client-1-", "client-1-10000"];
    agrees(prefixes, ["client-1-1000", "client-1-1001", "client-2", "d", "", "client-1-100000"]);
    assert.equal(tableOf(prefixes).find("client-1-10009"), 1);
  });

  it("takes the first of equal prefixes", () => {
    const table = tableOf(["b", "a", "b", "a", "", ""]);
    assert.deepEqual([table.find("a1"), table.find("b1"), table.find("c")], [1, 0, 4]);
    assert.equal(table.size, 3);
  });

  it("takes the empty prefix for everybody else", () => {
    const table = tableOf(["a", ""]);
    assert.deepEqual([table.find("a"), table.find("b"), table.find("")], [0, 1, 1]);
  });

  it("compares capitals, accents and characters beyond the BMP exactly", () => {
    // Sorted by code points, U+FFFD would come before U+1F600; by units it comes behind.
    agrees(["A", "a", "é", "e\u0301", "😀", "\ufffd", "\ud83d", "😀a", "\ufffda", "z"], [
      "😀b",
      "😁",
      "\ufffdb",
      "É",
      "\ud83d\ude01",
      "zz",
    ]);
  });

  it("finds the way back through any number of prefixes within each other", () => {
    const prefixes = Array.from({ length: 256 }, (_, length) => "a".repeat(length + 1));
    agrees(prefixes, ["", "b", "a".repeat(300), ...prefixes.map((prefix) => `${prefix}b`)]);
  });

  it("tells apart prefixes that have the same hash", () => {
    agrees(["c-033zx"], ["c-0epad"]);
    agrees(["c-033zx", "c-0epad", "c-"], ["c-033zy", "c-0epadd"]);
  });

  it("agrees with a look at each rule, for any prefixes and ids", () => {
    const few = fc.string({ unit: fc.constantFrom("a", "b", "\ud83d", "é"), maxLength: 6 });
    const any = fc.string({ unit: "binary", maxLength: 4 });
    const text = fc.oneof({ weight: 4, arbitrary: few }, { weight: 1, arbitrary: any });
    fc.assert(
      fc.property(fc.array(text, { maxLength: 20 }), fc.array(text, { maxLength: 8 }), agrees),
      { numRuns: 500 },
    );
  });

  it("finds each of a hundred thousand", () => {
    const prefixes = Array.from({ length: 100_000 }, (_, index) => `client-${index}`);
    const table = tableOf(prefixes);
    for (let index = 0; index < prefixes.length; index += 37) {
      assert.equal(table.find(`client-${index}`), index);
      assert.equal(table.find(`client-${index}-x`), index);
    }
    assert.equal(table.find("client-"), undefined);
    assert.equal(table.find("client-x"), undefined);
  });
});
