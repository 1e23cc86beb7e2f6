import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { formatTime, readLocalTime, writeTime } from "../../../src/game/lua/wasm_c_time.ts";

function utc(text: string): Int32Array {
  const tm = new Int32Array(11);
  writeTime(tm, BigInt(Date.parse(`${text}Z`) / 1_000), "utc");
  return tm;
}

describe("writeTime()", () => {
  it("fills each field of a struct tm in UTC", () => {
    assert.deepEqual([...utc("2024-12-31T23:59:58")], [58, 59, 23, 31, 11, 124, 2, 365, 0, 0, 0]);
    assert.deepEqual([...utc("1970-01-01T00:00:00")], [0, 0, 0, 1, 0, 70, 4, 0, 0, 0, 0]);
    assert.deepEqual([...utc("0050-03-01T00:00:00")].slice(3, 8), [1, 2, -1850, 2, 59]);
  });
});

describe("readLocalTime()", () => {
  it("takes back what writeTime() made, save in the hour that the clocks repeat", () => {
    fc.assert(fc.property(fc.integer({ min: -(2 ** 33), max: 2 ** 34 }), (seconds) => {
      const tm = new Int32Array(11);
      writeTime(tm, BigInt(seconds), "local");
      const difference = Math.abs(Number(readLocalTime(tm)) - seconds);
      assert.ok(difference === 0 || difference === 3_600 || difference === 1_800);
    }));
  });

  it("normalises fields that are out of range", () => {
    const tm = new Int32Array(11);
    tm.set([0, 0, 12, 32, 12, 123]);
    readLocalTime(tm);
    assert.deepEqual([...tm.subarray(2, 6)], [12, 1, 1, 124]);
  });

  it("is −1 for a time no Date can hold", () => {
    assert.equal(readLocalTime(Int32Array.of(0, 0, 0, 1, 0, 2 ** 30, 0, 0, 0, 0, 0)), -1n);
  });
});

describe("formatTime()", () => {
  it("does every conversion of C99 in the C locale", () => {
    const tm = utc("2024-02-09T15:04:05");
    const expected: Record<string, string> = {
      a: "Fri",
      A: "Friday",
      b: "Feb",
      B: "February",
      c: "Fri Feb  9 15:04:05 2024",
      C: "20",
      d: "09",
      D: "02/09/24",
      e: " 9",
      F: "2024-02-09",
      g: "24",
      G: "2024",
      h: "Feb",
      H: "15",
      I: "03",
      j: "040",
      m: "02",
      M: "04",
      n: "\n",
      p: "PM",
      r: "03:04:05 PM",
      R: "15:04",
      S: "05",
      t: "\t",
      T: "15:04:05",
      u: "5",
      U: "05",
      V: "06",
      w: "5",
      W: "06",
      x: "02/09/24",
      X: "15:04:05",
      y: "24",
      Y: "2024",
      z: "+0000",
      Z: "UTC",
      "%": "%",
    };
    for (const [conversion, text] of Object.entries(expected)) {
      assert.equal(formatTime(`%${conversion}`, tm), text, `%${conversion}`);
    }
    assert.equal(formatTime("<%Ey-%Od>", tm), "<24-09>");
  });

  it("counts ISO weeks across the turn of the year", () => {
    const week = (text: string) => formatTime("%G-%V", utc(`${text}T12:00:00`));
    assert.equal(week("2021-01-03"), "2020-53");
    assert.equal(week("2021-01-04"), "2021-01");
    assert.equal(week("2024-12-30"), "2025-01");
    assert.equal(week("2016-01-01"), "2015-53");
  });
});
