import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import type { LuaEngine, LuaEngineFactory } from "../../../src/game/lua/lua_engine.ts";
import { compileLua } from "../../../src/game/lua/lua_wasm.ts";
import { wasmoonEngines } from "../../../src/game/lua/wasmoon_engine.ts";
import {
  describeOutcome,
  isLuaFunction,
  noHost,
  patient,
  readGlue,
  runLua,
  valuesOf,
} from "./lua_program.ts";

/** The give-up is far behind: a busy machine may well stand still for a while. */
const limits = { ...patient, turnMs: 50, giveUpMs: 3_000, ends: "coroutine" } as const;
const endless = "coroutine.create(function() while true do pcall(error) end end)";

describe("WasmoonEngine that ends coroutines", () => {
  let engines: LuaEngineFactory;
  before(async () => {
    engines = wasmoonEngines(await compileLua(await readGlue()));
  });
  const open = (giveUpMs: number = limits.giveUpMs): LuaEngine =>
    engines.open({ limits: { ...limits, giveUpMs }, host: noHost, now: () => performance.now() });

  it("the main thread goes on at full speed behind a coroutine that was late", () => {
    const engine = open();
    const outcome = runLua(
      engine,
      `local ok, why = coroutine.resume(${endless})
       local sum = 0
       for i = 1, 100000 do sum = sum + i end
       return ok, why, sum`,
    );
    assert.deepEqual(valuesOf(outcome), [false, "the script ran too long", 5_000_050_000]);
    assert.equal(engine.wasLate, true);
    assert.deepEqual(valuesOf(runLua(engine, "return 1")), [1]);
    assert.equal(engine.wasLate, false);
  });

  it("a coroutine within a late one takes the outer one with it", () => {
    const inner = `local inner = ${endless} while true do coroutine.resume(inner) end`;
    const outcome = runLua(
      open(),
      `return coroutine.resume(coroutine.create(function() ${inner} end))`,
    );
    assert.deepEqual(valuesOf(outcome), [false, "the script ran too long"]);
  });

  it("the main thread itself gets one error, and another one half-way", () => {
    const engine = open();
    const main = "local caught = 0 for _ = 1, 2 do " +
      "local ok = pcall(function() while true do end end) caught = caught + (ok and 0 or 1) end " +
      "return caught";
    assert.deepEqual(valuesOf(runLua(engine, main)), [2]);
    assert.equal(engine.death, undefined);
    assert.equal(
      describeOutcome(runLua(engine, "while true do pcall(error) end")),
      "error time: the script ran too long",
    );
  });

  it("what goes on after that costs the state", () => {
    const engine = open(150);
    const text = "while true do pcall(function() while true do end end) end";
    assert.equal(describeOutcome(runLua(engine, text)), "dead time");
    assert.equal(engine.death, "time");
  });

  it("coroutines that wait are spared, and work in the next call", () => {
    const engine = open();
    runLua(engine, "other = coroutine.wrap(function() while true do coroutine.yield(7) end end)");
    runLua(engine, `other() coroutine.resume(${endless}) return other()`);
    assert.deepEqual(valuesOf(runLua(engine, "return other()")), [7]);
  });

  it("call() takes times of its own", () => {
    const engine = open();
    const loaded = engine.load(new TextEncoder().encode("for i = 1, 5e7 do end return 1"), "=t");
    assert.ok(loaded.kind === "ok");
    const [chunk] = loaded.values;
    assert.ok(isLuaFunction(chunk));
    const outcome = engine.call(chunk, [], { turnMs: 60_000, giveUpMs: 60_000 });
    assert.deepEqual(valuesOf(outcome), [1]);
    assert.equal(engine.wasLate, false);
  });
});
