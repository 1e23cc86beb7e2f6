import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { encodeUtf8, utf8Length } from "../../src/wire/utf8.ts";

describe("utf8Length()", () => {
  it("is what encodeUtf8() makes of any text, lone surrogates included", () => {
    fc.assert(fc.property(
      fc.array(
        fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.constantFrom("\ud83d", "\ude00")),
      ),
      (parts) => assert.equal(utf8Length(parts.join("")), encodeUtf8(parts.join("")).length),
    ));
  });

  it("counts a pair of surrogates once wherever a long text is cut", () => {
    for (const before of ["", "a", "ab", "é", "€"]) {
      const text = before + "😀".repeat(40_000);
      assert.equal(utf8Length(text), encodeUtf8(text).length, `after '${before}'`);
    }
    assert.equal(utf8Length("x".repeat(100_000)), 100_000);
    assert.equal(utf8Length(""), 0);
  });
});
