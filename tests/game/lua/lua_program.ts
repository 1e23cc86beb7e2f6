import { readFile } from "node:fs/promises";
import type {
  LuaEngine,
  LuaFunction,
  LuaHostFunction,
  LuaOutcome,
  LuaValue,
} from "../../../src/game/lua/lua_engine.ts";

/** wasmoon's WebAssembly as installed. */
export function readGlue(): Promise<Uint8Array> {
  return readFile(new URL("../../../node_modules/wasmoon/dist/glue.wasm", import.meta.url));
}

export const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Limits that a healthy call never meets, and those of a test's own. */
export const patient = { turnMs: 60_000, giveUpMs: 120_000, memoryBytesMax: 64 * 1_048_576 };

export const noHost: LuaHostFunction = () => [];

export function isLuaFunction(value: LuaValue): value is LuaFunction {
  return typeof value === "object" && "luaReference" in value;
}

/** Compiles and calls. */
export function runLua(engine: LuaEngine, text: string, ...parameters: LuaValue[]): LuaOutcome {
  const loaded = engine.load(bytesOf(text), "=test.lua");
  const chunk = loaded.kind === "ok" ? loaded.values[0] : undefined;
  if (!isLuaFunction(chunk)) return loaded;
  const outcome = engine.call(chunk, parameters);
  engine.release(chunk);
  return outcome;
}

/** The same for one that must go well. Strings come as text, one character a byte. */
export function valuesOf(outcome: LuaOutcome): unknown[] {
  if (outcome.kind !== "ok") throw new Error(describeOutcome(outcome));
  return outcome.values.map((value) =>
    value instanceof Uint8Array ? String.fromCharCode(...value) : value
  );
}

/** `error script: text` and the like. */
export function describeOutcome(outcome: LuaOutcome): string {
  if (outcome.kind === "ok") return "ok";
  if (outcome.kind === "dead") return `dead ${outcome.cause}`;
  return `error ${outcome.cause}: ${new TextDecoder().decode(outcome.message)}`;
}
