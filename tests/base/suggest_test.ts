import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { editDistance, nearestWord } from "../../src/base/suggest.ts";

const known = ["tcp-port", "udp-port", "host", "http-host", "http-port", "config"];

describe("nearestWord()", () => {
  for (
    const [word, meant] of [
      ["tcp-prot", "tcp-port"],
      ["tcp_port", "tcp-port"],
      ["TCP-PORT", "tcp-port"],
      ["udpport", "udp-port"],
      ["hots", "host"],
      ["htp-port", "http-port"],
      ["conf", "config"],
      ["config", "config"],
    ] as const
  ) {
    it(`takes ${word} for ${meant}`, () => assert.equal(nearestWord(word, known), meant));
  }

  for (const word of ["", "x", "verbose", "zzzzzz", "p".repeat(65)]) {
    it(`has no suggestion for ${JSON.stringify(word)}`, () => {
      assert.equal(nearestWord(word, known), undefined);
    });
  }
});

describe("editDistance()", () => {
  it("counts insertions, deletions, substitutions and swaps of neighbours", () => {
    assert.equal(editDistance("", "abc"), 3);
    assert.equal(editDistance("abc", ""), 3);
    assert.equal(editDistance("abc", "abd"), 1);
    assert.equal(editDistance("abc", "acb"), 1);
    assert.equal(editDistance("abcd", "badc"), 2);
    assert.equal(editDistance("kitten", "sitting"), 3);
  });

  it("is symmetric, zero only for equal words, and at most the longer length", () => {
    const word = fc.string({ unit: fc.constantFrom(..."abc"), maxLength: 8 });
    fc.assert(fc.property(word, word, (one, two) => {
      const slips = editDistance(one, two);
      assert.equal(slips, editDistance(two, one));
      assert.equal(slips === 0, one === two);
      assert.ok(slips <= Math.max(one.length, two.length));
      assert.ok(slips >= Math.abs(one.length - two.length));
    }));
  });
});
