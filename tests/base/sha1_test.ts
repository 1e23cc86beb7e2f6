import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { sha1 } from "../../src/base/sha1.ts";

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

describe("sha1", () => {
  it("sha1() gives the digests of RFC 3174", () => {
    const digest = (text: string) => hex(sha1(new TextEncoder().encode(text)));
    assert.equal(digest("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert.equal(
      digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
      "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
    );
    assert.equal(digest("01234567".repeat(80)), "dea356a2cddd90c7a7ecedc5ebb563934f460452");
    assert.equal(digest(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  });

  it("sha1() agrees with the platform's for any bytes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      assert.equal(hex(sha1(bytes)), createHash("sha1").update(bytes).digest("hex"));
    }));
  });
});
