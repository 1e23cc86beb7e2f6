import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  decodePing,
  decodePong,
  encodePing,
  encodePong,
  pingBytesMax,
  readPing,
  scanPing,
} from "../../src/wire/host_protobuf.ts";

const fromHex = (hex: string) =>
  Uint8Array.from(hex.match(/../g) ?? [], (two) => parseInt(two, 16));
const toHex = (bytes: Uint8Array) =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

describe("host protobuf", () => {
  it("encodePong() gives the bytes of the contract", () => {
    assert.deepEqual(decodePing(fromHex("0a03666f6f10071801")), { payload: "foo", seq: 7 });
    assert.equal(toHex(encodePong({ payload: "FOO", seq: 7 })), "0a03464f4f10071801");
    assert.equal(toHex(encodePong({ payload: "", seq: 0 })), "1801");
  });

  it("decodePing() and decodePong() read back what was encoded", () => {
    const seq = fc.integer({ min: 0, max: 0xffffffff });
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), seq, fc.boolean(), (payload, seq, keep) => {
        const ping = encodePing({ payload, seq, keep });
        fc.pre(ping.length <= pingBytesMax && ping.length > 0);
        assert.deepEqual(decodePing(ping), { payload, seq });
        assert.deepEqual({ ...decodePong(encodePong({ payload, seq })) }, {
          ...(payload === "" ? {} : { payload }),
          ...(seq === 0 ? {} : { seq }),
          ok: true,
        });
      }),
    );
  });

  it("scanPing() is never sure before field 3, wherever the bytes are split", () => {
    const ping = encodePing({ payload: "p".repeat(1_024), seq: 4_000_000_000, keep: true });
    for (let at = 0; at < ping.length; at++) {
      const { kind } = scanPing(ping.subarray(0, at));
      assert.ok(kind === "inside_field" || kind === "between_fields", `at ${at}: ${kind}`);
    }
    assert.deepEqual(scanPing(ping), { kind: "complete", bytes: ping.length });
    const more = Uint8Array.of(...ping, 0xff, 0xff);
    assert.deepEqual(scanPing(more), { kind: "complete", bytes: ping.length });
  });

  it("scanPing() refuses wrong types, groups, field 0, endless numbers and over-long payloads", () => {
    const wrong = [
      "0801",
      "1201",
      "1d00000000",
      "0b",
      "0c",
      "00",
      "0a8110",
      "ffffffffffffffffffffff",
    ];
    for (const hex of wrong) assert.equal(scanPing(fromHex(hex)).kind, "malformed", hex);
    assert.equal(scanPing(fromHex("0affffffffff")).kind, "inside_field");
    const endless = new Uint8Array(pingBytesMax + 1).fill(0x22, 0, 1);
    assert.equal(scanPing(endless).kind === "complete", false);
  });

  it("scanPing() and readPing() skip fields of later versions", () => {
    // Fields 4 (bytes), 5 (number), 6 (32 bits), 7 (64 bits) before keep.
    const later = fromHex("0a01612202ffff2805350000000039000000000000000010021801");
    assert.deepEqual(scanPing(later), { kind: "complete", bytes: later.length });
    assert.deepEqual(readPing(later), { payload: "a", seq: 2 });
  });

  it("readPing() refuses a payload that is not UTF-8, and takes a real U+FFFD", () => {
    assert.equal(readPing(fromHex("0a02c3281801")), undefined);
    assert.deepEqual(readPing(encodePing({ payload: "\ufffd", seq: 1, keep: true })), {
      payload: "\ufffd",
      seq: 1,
    });
  });

  it("decodePing() never throws, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        decodePing(bytes);
        decodePing(Uint8Array.of(0x0a, ...bytes));
      }),
      { numRuns: 2_000 },
    );
  });
});
