import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  durationPattern,
  parseDuration,
  parseSize,
  showDuration,
  showSize,
  sizePattern,
} from "../../src/base/units.ts";

describe("parseDuration()", () => {
  for (
    const [text, ms] of [
      ["0ms", 0],
      ["500ms", 500],
      ["90s", 90_000],
      ["1.5s", 1_500],
      ["2m", 120_000],
      ["2 m", 120_000],
      ["1h", 3_600_000],
      ["1d", 86_400_000],
      ["1H", 3_600_000],
      ["0.001s", 1],
    ] as const
  ) {
    it(`reads ${text} as ${ms} ms`, () => assert.equal(parseDuration(text), ms));
  }

  for (
    const text of [
      "",
      "5",
      "s",
      "-1s",
      "+1s",
      "1s ",
      " 1s",
      "1  s",
      "1.s",
      ".5s",
      "1h30m",
      "1e3s",
      "0x1s",
      "1.5ms",
      "0.0001s",
      "1x",
      "NaNs",
      "9999999999999999d",
      "99999999999999999s",
      "1s\n",
    ]
  ) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseDuration(text), undefined));
  }
});

describe("parseSize()", () => {
  for (
    const [text, bytes] of [
      ["0B", 0],
      ["64KiB", 65_536],
      ["64kib", 65_536],
      ["1.5KiB", 1_536],
      ["10MB", 10_000_000],
      ["1.1MB", 1_100_000],
      ["10MiB", 10_485_760],
      ["1GiB", 1_073_741_824],
      ["2TB", 2_000_000_000_000],
    ] as const
  ) {
    it(`reads ${text} as ${bytes} bytes`, () => assert.equal(parseSize(text), bytes));
  }

  for (const text of ["", "10", "10M", "10Mi", "1.5B", "-1B", "9999999TiB", "10iB", "1 000B"]) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseSize(text), undefined));
  }
});

describe("units", () => {
  it("shows the largest unit that is exact", () => {
    assert.deepEqual(
      [0, 1, 1_000, 1_500, 90_000, 120_000, 3_600_000, 86_400_000].map(showDuration),
      ["0ms", "1ms", "1s", "1500ms", "90s", "2m", "1h", "1d"],
    );
    assert.deepEqual(
      [0, 1, 1_000, 1_024, 65_536, 10_000_000, 10_485_760, 1_500].map(showSize),
      ["0B", "1B", "1kB", "1KiB", "64KiB", "10MB", "10MiB", "1500B"],
    );
  });

  it("read back what they show, for every safe whole number", () => {
    fc.assert(fc.property(fc.maxSafeNat(), (value) => {
      assert.equal(parseDuration(showDuration(value)), value);
      assert.equal(parseSize(showSize(value)), value);
    }));
    fc.assert(fc.property(fc.nat(4_000), fc.constantFrom(1_000, 1_024, 60_000), (count, unit) => {
      assert.equal(parseDuration(showDuration(count * unit)), count * unit);
      assert.equal(parseSize(showSize(count * unit)), count * unit);
    }));
  });

  it("read a whole number of safe size or nothing from any text, and only what the patterns match", () => {
    const near = fc.string({ unit: fc.constantFrom(..."0159. smhdkKMGTiB-+e"), maxLength: 8 });
    fc.assert(
      fc.property(fc.oneof(near, fc.string()), (text) => {
        for (
          const [parse, pattern] of [
            [parseDuration, durationPattern],
            [parseSize, sizePattern],
          ] as const
        ) {
          const value = parse(text);
          if (value === undefined) continue;
          assert.ok(Number.isSafeInteger(value) && value >= 0);
          assert.match(text, pattern);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
