import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decodeCborAt } from "../../src/wire/cbor.ts";
import { encodeCbor } from "../../src/wire/cbor_encode.ts";
import { CborScanner, itemEnd, readMap, splitArray } from "../../src/wire/cbor_scan.ts";
import { fromHex, joined, toHex } from "./hex.ts";

/** Bytes that are often nearly CBOR: heads and what could follow them. */
const nearlyCbor = fc.array(
  fc.oneof(
    fc.constantFrom(0x00, 0x18, 0x41, 0x5f, 0x61, 0x7f, 0x81, 0x9f, 0xa1, 0xbf, 0xc1, 0xf6, 0xff),
    fc.integer({ min: 0, max: 255 }),
  ),
  { maxLength: 24 },
).map((bytes) => Uint8Array.from(bytes));

describe("itemEnd()", () => {
  it("agrees with the decoder on where an item ends, and whether there is one", () => {
    fc.assert(
      fc.property(nearlyCbor, (bytes) => {
        const end = itemEnd(bytes, 0);
        const decoded = decodeCborAt(bytes, 0);
        if (decoded.ok) assert.equal(end, decoded.value.end, toHex(bytes));
        // The decoder also judges UTF-8, and lengths against the bytes that are there.
        else if (decoded.fault !== "bad_utf8" && decoded.fault !== "cut_short") {
          assert.equal(end, decoded.fault, toHex(bytes));
        } else if (decoded.fault === "cut_short") {
          assert.equal(typeof end, "string", toHex(bytes));
        }
      }),
      { numRuns: 20_000 },
    );
  });
});

describe("CborScanner.scan()", () => {
  const items = [
    encodeCbor({ a: [1, 2, "three", new Uint8Array(300)], b: { c: null } }),
    fromHex("5f42010243030405ff"),
    fromHex("bf61610161629f0203ffff"),
    fromHex("d818456449455446"),
    fromHex("fb3ff199999999999a"),
    fromHex("80"),
    fromHex("40"),
  ];

  it("finds each item of a stream cut anywhere", () => {
    const stream = joined(...items);
    for (let cut = 1; cut < stream.length; cut++) {
      const scanner = new CborScanner();
      const ends: number[] = [];
      for (const [from, to] of [[0, cut], [cut, stream.length]] as const) {
        const piece = stream.subarray(from, to);
        for (let at = 0; at < piece.length;) {
          const end = scanner.scan(piece, at);
          if (end === undefined) break;
          assert.ok(typeof end === "number", `${end}`);
          ends.push(from + end);
          at = end;
        }
      }
      let expected = 0;
      assert.deepEqual(ends, items.map((item) => expected += item.length));
    }
  });

  it("refuses a declared size over the limit at its head", () => {
    for (const hex of ["5a40000000", "7b00000001 00000000", "9a00100000", "ba00080000"]) {
      const scanner = new CborScanner({ itemBytesMax: 65_536 });
      assert.equal(scanner.scan(fromHex(hex), 0), "too_large", hex);
    }
    const small = new CborScanner({ itemBytesMax: 10 });
    assert.equal(small.scan(fromHex("49" + "00".repeat(9)), 0), 10);
    assert.equal(small.scan(fromHex("4a" + "00".repeat(10)), 0), "too_large");
    const endless = new CborScanner({ itemBytesMax: 10 });
    assert.equal(endless.scan(fromHex("9f" + "00".repeat(20)), 0), "too_large");
  });

  it("refuses nesting over the limit", () => {
    assert.equal(itemEnd(fromHex("81".repeat(33) + "00"), 0), "nested_too_deep");
    assert.equal(itemEnd(fromHex("81".repeat(32) + "00"), 0), 33);
    assert.equal(itemEnd(fromHex("81".repeat(32) + "80"), 0), "nested_too_deep");
    assert.equal(itemEnd(fromHex("9f".repeat(33)), 0), "nested_too_deep");
  });
});

describe("splitArray()", () => {
  it("gives the raw bytes of each item", () => {
    const cut = (hex: string) => splitArray(fromHex(hex), 4)?.map(toHex);
    assert.deepEqual(cut("84 6161 1805 a0 5f4100ff"), ["6161", "1805", "a0", "5f4100ff"]);
    assert.deepEqual(cut("9f 01 f6 ff"), ["01", "f6"]);
    assert.deepEqual(cut("80"), []);
  });

  it("refuses other kinds, too many items, missing and trailing bytes", () => {
    for (const hex of ["", "a0", "6161", "850102030405", "8201", "820102 03", "9f01", "1c", "98"]) {
      assert.equal(splitArray(fromHex(hex), 4), undefined, hex);
    }
  });
});

describe("readMap()", () => {
  const read = (hex: string) => {
    const found = readMap(fromHex(hex), ["type", "msg"]);
    if (found === undefined) return undefined;
    return Object.fromEntries(Object.entries(found).map(([key, item]) => [key, toHex(item)]));
  };

  it("finds keys in text and bytes, in any form of length, the last of equal ones", () => {
    assert.deepEqual(read("a2 6474797065 01 636d7367 6161"), { type: "01", msg: "6161" });
    assert.deepEqual(read("b90002 4474797065 01 7803 6d7367 6161"), { type: "01", msg: "6161" });
    assert.deepEqual(read("bf 636d7367 60 636d7367 6161 ff"), { msg: "6161" });
    assert.deepEqual(read("a1 a0 6161"), {});
    assert.deepEqual(read("a0"), {});
  });

  it("looks at the top level and at keys only", () => {
    assert.deepEqual(read("a1 6161 a1 636d7367 01"), {});
    assert.deepEqual(read("a1 6161 636d7367"), {});
  });

  it("refuses what is no whole map", () => {
    for (const hex of ["", "80", "a1", "a101", "a0 00", "bf01ff", "bf", "a1 01 1c"]) {
      assert.equal(read(hex), undefined, hex);
    }
  });
});
