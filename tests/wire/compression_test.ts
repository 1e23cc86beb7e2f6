import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { nodeZlib } from "../../src/adapters/node/zlib.ts";
import { compress, decompress } from "../../src/wire/compression.ts";
import { fromHex, joined } from "./hex.ts";

const { inflate, deflate } = nodeZlib();
const options = { plainBytesMax: 65_536, inflate };

describe("decompress()", () => {
  it("gives back what compress() took", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 2_000 }), (plain) => {
      assert.deepEqual(decompress(compress(plain, deflate), options), plain);
    }));
  });

  it("reads what Qt's qCompress makes of `hello`, and of nothing", () => {
    assert.deepEqual(
      decompress(fromHex("00000005 789ccb48cdc9c90700062c0215"), options),
      new TextEncoder().encode("hello"),
    );
    assert.deepEqual(decompress(fromHex("00000000"), options), new Uint8Array(0));
  });

  it("refuses an announced length over the limit without inflating", () => {
    const forbidden = () => assert.fail("inflated all the same");
    for (const hex of ["ffffffff789c", "00010001789c"]) {
      const result = decompress(fromHex(hex), { plainBytesMax: 65_536, inflate: forbidden });
      assert.equal(result, "compression_too_large");
    }
  });

  it("refuses a bomb whose announced length is small", () => {
    const bomb = joined(fromHex("00000010"), deflate(new Uint8Array(10_000_000)));
    assert.equal(decompress(bomb, options), "compression_broken");
  });

  it("refuses broken streams, other lengths than announced, and too few bytes", () => {
    const honest = compress(fromHex("01020304"), deflate);
    const lying = honest.slice();
    lying[3] = 5;
    const cases = [
      fromHex(""),
      fromHex("0000"),
      fromHex("00000001"),
      fromHex("00000010ffffffff"),
      honest.subarray(0, -6),
      lying,
    ];
    for (const data of cases) assert.equal(decompress(data, options), "compression_broken");
  });
});
