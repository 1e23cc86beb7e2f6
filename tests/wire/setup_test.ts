import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type CborInput, encodeCbor } from "../../src/wire/cbor_encode.ts";
import type { Packet } from "../../src/wire/packet_types.ts";
import { decodeSetup } from "../../src/wire/setup.ts";
import { fromHex } from "./hex.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const cipher = Uint8Array.of(0xff, 0x00, 0x80);

const setup = (data: CborInput, fields: Partial<Packet> = {}): Packet => ({
  requestId: -2,
  type: 0x412,
  command: "Setup",
  data: encodeCbor(data),
  ...fields,
});

const expected = {
  name: "n",
  cipher,
  packagesMd5: "m",
  version: "0.5.19",
  deviceId: "u",
};

describe("decodeSetup()", () => {
  it("reads five strings, text or bytes, in any length of head", () => {
    assert.deepEqual(decodeSetup(setup(["n", cipher, "m", "0.5.19", "u"])), expected);
    const bytes = ["n", "m", "0.5.19", "u"].map(utf8);
    const all = [bytes[0]!, cipher, bytes[1]!, bytes[2]!, bytes[3]!];
    assert.deepEqual(decodeSetup(setup(all)), expected);
    const long = fromHex("9805 78016e 590003ff0080 7900016d 66302e352e3139 7a0000000175");
    assert.deepEqual(decodeSetup(setup(null, { data: long })), expected);
  });

  it("reads a cipher that was written as text, though it is not UTF-8", () => {
    const data = fromHex("85 616e 63ff0080 616d 66302e352e3139 6175");
    assert.deepEqual(decodeSetup(setup(null, { data })), expected);
  });

  it("refuses another id, type, command or number of items", () => {
    const good = ["n", cipher, "m", "0.5.19", "u"];
    for (
      const fields of [
        { requestId: 0 },
        { type: 0x421 },
        { type: 0x1412 },
        { type: 0x413 },
        { command: "Login" },
        { command: "" },
        { timeoutSeconds: 0, timestampMs: 0 },
      ]
    ) assert.equal(decodeSetup(setup(good, fields)), undefined, JSON.stringify(fields));
  });

  it("refuses other data", () => {
    const wrong: readonly CborInput[] = [
      ["n", cipher, "m", "0.5.19"],
      ["n", cipher, "m", "0.5.19", "u", "x"],
      [1, cipher, "m", "0.5.19", "u"],
      ["n", null, "m", "0.5.19", "u"],
      ["n", cipher, 1, "0.5.19", "u"],
      ["n", cipher, "m", ["0.5.19"], "u"],
      ["n", cipher, "m", "0.5.19", {}],
      [Uint8Array.of(0xff), cipher, "m", "0.5.19", "u"],
      { a: 1 },
      "Setup",
      [],
    ];
    for (const data of wrong) assert.equal(decodeSetup(setup(data)), undefined);
    for (const hex of ["", "85", "ff", "8560606060"]) {
      assert.equal(decodeSetup(setup(null, { data: fromHex(hex) })), undefined, hex);
    }
  });
});
