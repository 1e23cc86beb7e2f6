import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fuelExport, meterLoops } from "../../../src/game/lua/wasm_meter.ts";
import { readGlue } from "./lua_program.ts";

/** (type (i32,i32)→()) and (i32)→(); f: an endless loop behind a br_table of two targets; a table,
 * a memory, and exports f and table. */
const endless = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, 10, 2, 0x60, 2, 0x7f, 0x7f, 0, 0x60, 1, 0x7f, 0],
  ...[3, 2, 1, 0],
  ...[4, 4, 1, 0x70, 0, 5],
  ...[5, 3, 1, 0, 1],
  ...[6, 6, 1, 0x7f, 1, 0x41, 0, 0x0b],
  ...[7, 9, 2, 1, 0x66, 0, 0, 1, 0x74, 1, 0],
  ...[10, 22, 1, 20, 0, 0x03, 0x40, 0x02, 0x40, 0x41, 0, 0x0e, 1, 0, 0, 0x0b, 0x42, 0x80, 0x7f],
  ...[0x1a, 0x0c, 0, 0x0b, 0x0b],
]);

/** (i32) → () as a function that a table takes: hands its argument to `receive`. */
function tableFunction(receive: (value: number) => void): unknown {
  const module = Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...[1, 5, 1, 0x60, 1, 0x7f, 0],
    ...[2, 7, 1, 1, 0x6d, 1, 0x66, 0, 0],
    ...[7, 5, 1, 1, 0x66, 0, 0],
  ]);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module), { m: { f: receive } });
  return instance.exports["f"];
}

describe("meterLoops()", () => {
  it("makes an endless loop ask when its fuel is used up", () => {
    const metered = meterLoops(endless, { interpreterCases: 2, pagesMin: 3 });
    assert.equal(metered.tickSlot, 5);
    const bytes = metered.bytes as Uint8Array<ArrayBuffer>;
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    const table = exports["t"] as WebAssembly.Table;
    const fuel = exports[fuelExport] as WebAssembly.Global;
    const asked: number[] = [];
    assert.equal(table.grow(1), metered.tickSlot);
    table.set(
      metered.tickSlot,
      tableFunction((state) => {
        asked.push(state);
        if (asked.length === 3) throw new Error("enough");
        fuel.value = 10;
      }) as never,
    );
    fuel.value = 100;
    assert.throws(() => (exports["f"] as (a: number, b: number) => void)(42, 0), /enough/);
    assert.deepEqual(asked, [42, 42, 42]);
  });

  it("finds the interpreter and every loop of the Lua it is made for", async () => {
    const glue = await readGlue();
    const metered = meterLoops(glue, { interpreterCases: 83, pagesMin: 20 });
    assert.ok(WebAssembly.validate(metered.bytes as Uint8Array<ArrayBuffer>));
    assert.ok(metered.bytes.length < glue.length * 1.1);
  });

  it("refuses what it does not understand", async () => {
    const options = { interpreterCases: 83, pagesMin: 20 };
    assert.throws(() => meterLoops(endless, options), /number of interpreters: 0/);
    assert.throws(() => meterLoops(Uint8Array.from([0, 0x61]), options), RangeError);
    assert.throws(() => meterLoops(new Uint8Array(8), options), /unexpected header/);
    const simd = endless.map((byte, at) => at === endless.length - 4 ? 0xfd : byte);
    assert.throws(() => meterLoops(simd, options), /instruction 0xfd/);
    const glue = await readGlue();
    assert.throws(() => meterLoops(glue.subarray(0, glue.length >> 1), options), RangeError);
  });
});
