import { type ByteReader, ByteWriter, readerOf } from "./wasm_bytes.ts";

/** What is known of a metered program; see `meterLoops`. */
export interface MeteredWasm {
  readonly bytes: Uint8Array;
  /** The slot of the function table, one past its present end, that must hold `tick`. */
  readonly tickSlot: number;
}

/** The name under which the fuel counter (a mutable i32 global) is exported. */
export const fuelExport = "metered_fuel";

/**
 * Rewrites Lua's WebAssembly so that no loop in it can run for ever. At the head of every loop a
 * counter falls by one; below zero the function in table slot `tickSlot` is called with the running
 * `lua_State*` when the loop is the interpreter's, else with 0. It may refill the counter, or throw.
 *
 * Why not a count hook: hooks are per coroutine, are off inside `__gc` and in the handler of an
 * error that a hook raised, and never run inside C functions, so one string.find with a hostile
 * pattern would hold the thread for ever; and `Worker.terminate()` does not stop such a loop on every
 * runtime. A hook also makes each instruction slower than this does.
 *
 * luaV_execute is the one function (i32, i32) → nothing whose largest `br_table` has
 * `interpreterCases` targets, one for each opcode. `pagesMin` replaces the initial size of the memory (64 KiB a page).
 */
export function meterLoops(
  wasm: Uint8Array,
  options: { interpreterCases: number; pagesMin: number },
): MeteredWasm {
  const reader = readerOf(wasm);
  if (reader.u32le() !== wasmMagic || reader.u32le() !== 1) throw unexpected("header");
  const out = new ByteWriter(wasm.length + (wasm.length >> 1));
  out.bytes(wasm.subarray(0, 8));
  let signatures: Signature[] = [];
  let functionTypes: number[] = [];
  let tickSlot = -1;
  let globals = 0;
  while (!reader.done) {
    const id = reader.u8();
    const body = reader.take(reader.leb());
    const section = readerOf(body);
    const changed = new ByteWriter(body.length + 64);
    switch (id) {
      case sections.type:
        signatures = readSignatures(section);
        break;
      case sections.function:
        functionTypes = section.vector(() => section.leb());
        break;
      case sections.table:
        tickSlot = readTableSize(section);
        break;
      case sections.memory:
        rewriteMemory(section, changed, options.pagesMin);
        break;
      case sections.global:
        globals = section.leb();
        changed.leb(globals + 1);
        changed.bytes(section.rest());
        changed.bytes(fuelGlobal);
        break;
      case sections.export:
        changed.leb(section.leb() + 1);
        changed.bytes(section.rest());
        changed.name(fuelExport);
        changed.u8(exportKindGlobal);
        changed.leb(globals);
        break;
      case sections.code: {
        const tickType = signatures.findIndex((one) =>
          one.parameters === "i32" && one.results === ""
        );
        if (tickType < 0 || tickSlot < 0) throw unexpected("types or table");
        const check = { fuel: globals, tickType, tickSlot };
        let interpreters = 0;
        rewriteCode(section, changed, (index, code) => {
          const signature = signatures[functionTypes[index] ?? -1];
          const isInterpreter = signature?.parameters === "i32,i32" && signature.results === "" &&
            code.largestTable === options.interpreterCases;
          if (isInterpreter) interpreters++;
          return loopCheck(check, isInterpreter);
        });
        if (interpreters !== 1) throw unexpected(`number of interpreters: ${interpreters}`);
        break;
      }
    }
    out.u8(id);
    const result = changed.length === 0 ? body : changed.result();
    out.leb(result.length);
    out.bytes(result);
  }
  return { bytes: out.result(), tickSlot };
}

const wasmMagic = 0x6d736100;
const sections = { type: 1, function: 3, table: 4, memory: 5, global: 6, export: 7, code: 10 };
const exportKindGlobal = 3;
/** Mutable i32, starting at 2^31 − 1: nothing is asked for before the first refill. */
const fuelGlobal = Uint8Array.of(0x7f, 0x01, 0x41, 0xff, 0xff, 0xff, 0xff, 0x07, 0x0b);

interface Signature {
  readonly parameters: string;
  readonly results: string;
}

function readSignatures(section: ByteReader): Signature[] {
  return section.vector(() => {
    if (section.u8() !== 0x60) throw unexpected("type");
    const types = () => section.vector(() => valueTypes[section.u8()] ?? "other").join(",");
    return { parameters: types(), results: types() };
  });
}

const valueTypes: Record<number, string> = { 0x7f: "i32", 0x7e: "i64", 0x7d: "f32", 0x7c: "f64" };

function readTableSize(section: ByteReader): number {
  if (section.leb() !== 1) throw unexpected("number of tables");
  section.u8();
  const bounded = section.u8() & 1;
  const size = section.leb();
  if (bounded) throw unexpected("table that cannot grow");
  return size;
}

function rewriteMemory(section: ByteReader, out: ByteWriter, pagesMin: number): void {
  if (section.leb() !== 1) throw unexpected("number of memories");
  const flags = section.u8();
  section.leb();
  out.leb(1);
  out.u8(flags);
  out.leb(pagesMin);
  out.bytes(section.rest());
}

interface ScannedCode {
  readonly largestTable: number;
  /** Offsets in the body right behind each `loop` instruction. */
  readonly loops: readonly number[];
}

function rewriteCode(
  section: ByteReader,
  out: ByteWriter,
  checkFor: (index: number, code: ScannedCode) => Uint8Array,
): void {
  const count = section.leb();
  out.leb(count);
  for (let index = 0; index < count; index++) {
    const body = section.take(section.leb());
    const scanned = scan(body);
    if (scanned.loops.length === 0) {
      out.leb(body.length);
      out.bytes(body);
      continue;
    }
    const check = checkFor(index, scanned);
    out.leb(body.length + check.length * scanned.loops.length);
    let from = 0;
    for (const loop of scanned.loops) {
      out.bytes(body.subarray(from, loop));
      out.bytes(check);
      from = loop;
    }
    out.bytes(body.subarray(from));
  }
}

function loopCheck(
  at: { fuel: number; tickType: number; tickSlot: number },
  isInterpreter: boolean,
): Uint8Array {
  const out = new ByteWriter(40);
  const opcodes = (...bytes: number[]) => out.bytes(Uint8Array.from(bytes));
  opcodes(0x23); // global.get fuel
  out.leb(at.fuel);
  opcodes(0x41, 1, 0x6b, 0x24); // i32.const 1, i32.sub, global.set fuel
  out.leb(at.fuel);
  opcodes(0x23); // global.get fuel
  out.leb(at.fuel);
  opcodes(0x41, 0, 0x48, 0x04, 0x40); // i32.const 0, i32.lt_s, if
  if (isInterpreter) opcodes(0x20, 0); // local.get 0: its lua_State*, which it never sets
  else opcodes(0x41, 0); // i32.const 0
  opcodes(0x41); // i32.const tickSlot
  out.signedLeb(at.tickSlot);
  opcodes(0x11); // call_indirect
  out.leb(at.tickType);
  opcodes(0, 0x0b); // table 0, end
  return out.result();
}

/** Walks over the instructions of one body (WebAssembly 1.0 with sign extension, saturating
 * conversions and bulk memory, which is what the program uses). */
function scan(body: Uint8Array): ScannedCode {
  const code = readerOf(body);
  const loops: number[] = [];
  let largestTable = 0;
  code.vector(() => {
    code.leb();
    code.u8();
  });
  while (!code.done) {
    const opcode = code.u8();
    if (opcode === 0x03) {
      if (code.u8() !== 0x40) throw unexpected("loop with a result");
      loops.push(code.at);
    } else if (opcode === 0x0e) {
      const targets = code.vector(() => code.leb()).length;
      code.leb();
      largestTable = Math.max(largestTable, targets + 1);
    } else if (opcode === 0xfc) {
      code.skip(bulkImmediates[code.leb()] ?? 0);
    } else {
      skipImmediates(code, opcode);
    }
  }
  return { largestTable, loops };
}

/** Bytes behind memory.copy and memory.fill; conversions have none. */
const bulkImmediates: Record<number, number> = { 10: 2, 11: 1 };

function skipImmediates(code: ByteReader, opcode: number): void {
  if (opcode === 0x02 || opcode === 0x04) code.skipLeb();
  else if (opcode === 0x0c || opcode === 0x0d || opcode === 0x10) code.skipLeb();
  else if (opcode === 0x11) code.skipLeb(), code.skipLeb();
  else if (opcode >= 0x20 && opcode <= 0x24) code.skipLeb();
  else if (opcode >= 0x28 && opcode <= 0x3e) code.skipLeb(), code.skipLeb();
  else if (opcode >= 0x3f && opcode <= 0x42) code.skipLeb();
  else if (opcode === 0x43) code.skip(4);
  else if (opcode === 0x44) code.skip(8);
  else if (!withoutImmediates(opcode)) throw unexpected(`instruction 0x${opcode.toString(16)}`);
}

function withoutImmediates(opcode: number): boolean {
  return opcode === 0x00 || opcode === 0x01 || opcode === 0x05 || opcode === 0x0b ||
    opcode === 0x0f || opcode === 0x1a || opcode === 0x1b || (opcode >= 0x45 && opcode <= 0xc4);
}

function unexpected(what: string): Error {
  return new Error(`Cannot meter this WebAssembly: unexpected ${what}`);
}
