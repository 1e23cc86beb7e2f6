import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  bytesOf,
  CborMap,
  CborSimple,
  CborTag,
  type CborValue,
  decodeCbor,
  decodeCborAt,
  integerOf,
  textOf,
} from "../../src/wire/cbor.ts";
import { type CborInput, CborWriter, encodeCbor } from "../../src/wire/cbor_encode.ts";
import { showCbor } from "./cbor_diagnostic.ts";
import { fromHex, toHex } from "./hex.ts";

/** RFC 8949 appendix A; those that `encodeCbor` also writes so come first. */
const sameBothWays: readonly (readonly [hex: string, value: CborInput])[] = [
  ["00", 0],
  ["17", 23],
  ["1818", 24],
  ["1903e8", 1000],
  ["1a000f4240", 1_000_000],
  ["1b000000e8d4a51000", 1_000_000_000_000],
  ["1bffffffffffffffff", 18_446_744_073_709_551_615n],
  ["3bffffffffffffffff", -18_446_744_073_709_551_616n],
  ["20", -1],
  ["3863", -100],
  ["3903e7", -1000],
  ["1b001fffffffffffff", Number.MAX_SAFE_INTEGER],
  ["3b001ffffffffffffe", Number.MIN_SAFE_INTEGER],
  ["1b0020000000000000", 9_007_199_254_740_992n],
  ["3b001fffffffffffff", -9_007_199_254_740_992n],
  ["f98000", -0],
  ["fb3ff199999999999a", 1.1],
  ["f93e00", 1.5],
  ["f90001", 5.960464477539063e-8],
  ["fa7f7fffff", 3.4028234663852886e38],
  ["fb7e37e43c8800759c", 1.0e300],
  ["23", -4],
  ["f97c00", Infinity],
  ["f97e00", NaN],
  ["f9fc00", -Infinity],
  ["f4", false],
  ["f5", true],
  ["f6", null],
  ["40", new Uint8Array(0)],
  ["4401020304", Uint8Array.of(1, 2, 3, 4)],
  ["60", ""],
  ["6161", "a"],
  ["62225c", '"\\'],
  ["62c3bc", "ü"],
  ["64f0908591", "\u{10151}"],
  ["80", []],
  ["8301820203820405", [1, [2, 3], [4, 5]]],
];

describe("decodeCbor() and encodeCbor()", () => {
  for (const [hex, value] of sameBothWays) {
    it(`read and write ${hex}`, () => {
      assert.deepEqual(decodeCbor(fromHex(hex)), { ok: true, value });
      assert.equal(toHex(encodeCbor(value)), hex);
    });
  }

  it("agree on any value", () => {
    const { value } = fc.letrec<{ value: CborInput }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.integer(),
        fc.maxSafeInteger(),
        fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
        fc.bigInt({ min: -(2n ** 64n), max: -(2n ** 53n) }),
        fc.double({ noNaN: true }).filter((float) => !Number.isInteger(float) || float > 1e300),
        fc.string({ unit: "grapheme" }),
        fc.uint8Array(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie("value")),
      ),
    }));
    fc.assert(fc.property(value, (value) => {
      const decoded = decodeCbor(encodeCbor(value));
      assert.ok(decoded.ok);
      assert.deepEqual(decoded.value, value);
    }));
  });

  it("keep maps with keys of any kind", () => {
    const bytes = encodeCbor(new Map<CborInput, CborInput>([[100, "2.0"], ["a", 1]]));
    assert.equal(toHex(bytes), "a2186463322e30616101");
    const decoded = decodeCbor(bytes);
    assert.ok(decoded.ok && decoded.value instanceof CborMap);
    assert.equal(decoded.value.get(100), "2.0");
    assert.equal(decoded.value.get("a"), 1);
    assert.equal(decoded.value.get("b"), undefined);
    assert.equal(toHex(encodeCbor({ a: [true] })), "a1616181f5");
  });

  it("write floats in the shortest width that keeps them", () => {
    fc.assert(fc.property(fc.double(), (float) => {
      const bytes = new CborWriter().float(float).take();
      const decoded = decodeCbor(bytes);
      assert.ok(decoded.ok && Object.is(decoded.value, float), `${float} as ${toHex(bytes)}`);
    }));
    fc.assert(fc.property(fc.integer({ min: 0, max: 0xffff }), (half) => {
      const bytes = Uint8Array.of(0xf9, half >> 8, half & 0xff);
      const decoded = decodeCbor(bytes);
      assert.ok(decoded.ok && typeof decoded.value === "number");
      if (Number.isNaN(decoded.value)) return;
      assert.equal(toHex(new CborWriter().float(decoded.value).take()), toHex(bytes));
    }));
  });
});

describe("decodeCbor()", () => {
  const oneWay: readonly (readonly [hex: string, shown: string])[] = [
    ["f7", "simple(23)"],
    ["f0", "simple(16)"],
    ["f8ff", "simple(255)"],
    ["c11a514b67b0", "1(1363896240)"],
    ["d818456449455446", "24('dIETF')"],
    ["a201020304", "{1: 2, 3: 4}"],
    ["5f42010243030405ff", "h'0102030405'"],
    ["7f657374726561646d696e67ff", '"streaming"'],
    ["9fff", "[]"],
    ["9f018202039f0405ffff", "[1, [2, 3], [4, 5]]"],
    ["bf61610161629f0203ffff", '{"a": 1, "b": [2, 3]}'],
    ["b9000161610c", '{"a": 12}'],
    ["1b0000000000000001", "1"],
    ["3900ff", "-256"],
    ["7a0000000161", '"a"'],
    ["fa47c35000", "100000"],
  ];
  for (const [hex, shown] of oneWay) {
    it(`reads ${hex}`, () => {
      const decoded = decodeCbor(fromHex(hex));
      assert.ok(decoded.ok);
      assert.equal(showCbor(decoded.value), shown);
    });
  }

  it("refuses what is not one well-formed item (RFC 8949 appendix F)", () => {
    const cases: Record<string, readonly string[]> = {
      cut_short: [
        "",
        "18",
        "19ff",
        "1a00",
        "1b00000000",
        "41",
        "61",
        "5bffffffffffffffff00",
        "9affffffff00",
        "bbffffffffffffffff",
        "81",
        "8281",
        "a100",
        "c0",
        "5f4100",
        "9f",
        "9f01",
        "bf",
        "bf0102",
        "d8",
        "f8",
        "f900",
        "fb0000",
      ],
      ill_formed: [
        "1c",
        "1d",
        "1e",
        "3c",
        "5c",
        "7d",
        "9e",
        "bc",
        "dd",
        "fc",
        "f800",
        "f81f",
        "ff",
        "81ff",
        "8200ff",
        "a1ff00",
        "a100ff",
        "bf00ff",
        "1f",
        "3f",
        "df",
        "5f00ff",
        "5f6100ff",
        "5f5f4100ffff",
        "7f4100ff",
        "7f7f6100ffff",
      ],
      trailing_bytes: ["0000", "f6f6", "8000"],
      bad_utf8: ["61ff", "62c328", "63eda080", "7f61c3ff"],
    };
    for (const [fault, hexes] of Object.entries(cases)) {
      for (const hex of hexes) {
        assert.deepEqual(decodeCbor(fromHex(hex)), { ok: false, fault }, hex);
      }
    }
  });

  it("refuses nesting over 32, and takes 32", () => {
    const nested = (depth: number) => fromHex("81".repeat(depth) + "00");
    assert.ok(decodeCbor(nested(32)).ok);
    assert.deepEqual(decodeCbor(nested(33)), { ok: false, fault: "nested_too_deep" });
    assert.deepEqual(decodeCbor(nested(1_000_000)), { ok: false, fault: "nested_too_deep" });
    assert.ok(decodeCbor(nested(40), { nestingMax: 40 }).ok);
    assert.deepEqual(decodeCbor(fromHex("c1".repeat(33) + "00")), {
      ok: false,
      fault: "nested_too_deep",
    });
  });

  it("refuses more items than allowed", () => {
    const many = encodeCbor(Array.from({ length: 100 }, () => 0));
    assert.ok(decodeCbor(many, { itemsMax: 101 }).ok);
    assert.deepEqual(decodeCbor(many, { itemsMax: 100 }), { ok: false, fault: "too_many_items" });
  });

  it("never throws on random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const decoded = decodeCbor(bytes);
        assert.equal(typeof decoded.ok, "boolean");
      }),
      { numRuns: 5_000 },
    );
  });
});

describe("decodeCborAt()", () => {
  it("tells where the item ends", () => {
    const bytes = fromHex("00 8201 6161 f6");
    const found = decodeCborAt(bytes, 1);
    assert.deepEqual(found, { ok: true, value: { item: [1, "a"], end: 5 } });
  });
});

describe("textOf(), bytesOf() and integerOf()", () => {
  it("take a string in either form", () => {
    assert.equal(textOf("a"), "a");
    assert.equal(textOf(fromHex("c3bc")), "ü");
    assert.equal(textOf(fromHex("ff")), undefined);
    assert.equal(textOf(1), undefined);
    assert.deepEqual(bytesOf("ü"), fromHex("c3bc"));
    assert.equal(bytesOf(null), undefined);
  });

  it("take whole numbers and saturate", () => {
    const cases: readonly (readonly [CborValue | undefined, number | undefined])[] = [
      [3, 3],
      [-0, 0],
      [2.5, undefined],
      [NaN, undefined],
      [Infinity, undefined],
      [1e300, Number.MAX_SAFE_INTEGER],
      [2n ** 60n, Number.MAX_SAFE_INTEGER],
      [-(2n ** 60n), Number.MIN_SAFE_INTEGER],
      ["3", undefined],
      [new CborTag(1, 3), undefined],
      [new CborSimple(23), undefined],
      [undefined, undefined],
    ];
    for (const [value, integer] of cases) {
      assert.ok(Object.is(integerOf(value), integer), `${value}`);
    }
  });
});

describe("CborMap.get()", () => {
  it("finds text and byte keys, the last of equal ones", () => {
    const decoded = decodeCbor(fromHex("a3 6161 01 4161 02 4162 03"));
    assert.ok(decoded.ok && decoded.value instanceof CborMap);
    assert.equal(decoded.value.get("a"), 2);
    assert.equal(decoded.value.get("b"), 3);
  });
});

describe("CborWriter", () => {
  it("integer() refuses what is not an integer of 64 bits", () => {
    assert.throws(() => new CborWriter().integer(2n ** 64n), RangeError);
    assert.throws(() => new CborWriter().integer(-(2n ** 64n) - 1n), RangeError);
    assert.throws(() => new CborWriter().integer(1.5), RangeError);
    assert.throws(() => new CborWriter().integer(NaN), RangeError);
    assert.equal(toHex(new CborWriter().integer(5n).take()), "05");
  });

  it("grows as needed and is empty after take()", () => {
    const writer = new CborWriter();
    const long = "ä".repeat(1_000);
    writer.array(2).text(long).textAsBytes(long);
    const decoded = decodeCbor(writer.take());
    assert.ok(decoded.ok && Array.isArray(decoded.value));
    assert.equal(decoded.value[0], long);
    assert.equal(textOf(decoded.value[1]), long);
    assert.equal(writer.take().length, 0);
  });
});
