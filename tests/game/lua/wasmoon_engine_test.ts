import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import fc from "fast-check";
import type {
  LuaEngine,
  LuaEngineFactory,
  LuaHostFunction,
  LuaLimits,
} from "../../../src/game/lua/lua_engine.ts";
import { compileLua } from "../../../src/game/lua/lua_wasm.ts";
import { wasmoonEngines } from "../../../src/game/lua/wasmoon_engine.ts";
import { hostileGreetings } from "./hostile_scripts.ts";
import {
  bytesOf,
  describeOutcome,
  isLuaFunction,
  noHost,
  patient,
  readGlue,
  runLua,
  valuesOf,
} from "./lua_program.ts";

const hasty = { ...patient, turnMs: 50, giveUpMs: 100 };

describe("WasmoonEngine", () => {
  let engines: LuaEngineFactory;
  before(async () => {
    engines = wasmoonEngines(await compileLua(await readGlue()));
  });
  const open = (limits: LuaLimits = patient, host: LuaHostFunction = noHost): LuaEngine =>
    engines.open({ limits, host, now: () => performance.now() });

  it("call() carries strings byte by byte, both ways", () => {
    const engine = open();
    const all = Uint8Array.from({ length: 256 }, (_, index) => index);
    const outcome = runLua(engine, "local s = ... return s:reverse(), #s", all);
    assert.ok(outcome.kind === "ok");
    assert.deepEqual(outcome.values, [all.slice().reverse(), 256]);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 5_000 }), (bytes) => {
      const back = runLua(engine, "return ...", bytes);
      assert.ok(back.kind === "ok");
      assert.deepEqual(back.values, [bytes]);
    }));
  });

  it("call() carries strings that make the memory grow", () => {
    const engine = open();
    const big = new Uint8Array(8 * 1_048_576).fill(7);
    const outcome = runLua(engine, "local s = ... return s .. 'x'", big);
    assert.ok(outcome.kind === "ok" && outcome.values[0] instanceof Uint8Array);
    assert.equal(outcome.values[0].length, big.length + 1);
    assert.equal(outcome.values[0][big.length - 1], 7);
  });

  it("call() keeps whole numbers whole and integers exact", () => {
    const engine = open();
    const types = "local t = {} for i, v in ipairs({...}) do t[i] = math.type(v) end " +
      "return table.unpack(t)";
    assert.deepEqual(valuesOf(runLua(engine, types, 1, -0, 2 ** 53, 0.5, 1e300, 5n)), [
      "integer",
      "integer",
      "float",
      "float",
      "float",
      "integer",
    ]);
    assert.deepEqual(
      valuesOf(runLua(engine, "return 1, 1.0, 1.5, math.maxinteger, math.mininteger, -1")),
      [1, 1, 1.5, 2n ** 63n - 1n, -(2n ** 63n), -1],
    );
    fc.assert(fc.property(fc.maxSafeInteger(), (integer) => {
      assert.deepEqual(valuesOf(runLua(engine, "return ..., math.type((...))", integer)), [
        integer,
        "integer",
      ]);
    }));
  });

  it("call() carries nil, booleans and functions; tables come as undefined", () => {
    const engine = open();
    const [double, ...rest] = (() => {
      const made = runLua(engine, "return function(x) return x * 2 end, nil, true, {}, false");
      assert.ok(made.kind === "ok");
      return made.values;
    })();
    assert.deepEqual(rest, [undefined, true, undefined, false]);
    assert.ok(typeof double === "object" && "luaReference" in double);
    assert.deepEqual(valuesOf(engine.call(double, [21])), [42]);
    assert.deepEqual(valuesOf(runLua(engine, "local f = ... return f(4)", double)), [8]);
  });

  it("load() takes text alone and names the chunk in errors", () => {
    const engine = open();
    assert.equal(
      describeOutcome(runLua(engine, "x = = 1")).slice(0, 31),
      "error script: test.lua:1: unexp",
    );
    assert.match(describeOutcome(runLua(engine, "\x1bLua")), /binary chunk \(mode is 't'\)/);
    assert.match(
      describeOutcome(runLua(engine, "\nerror('boom')")),
      /^error script: test.lua:2: boom$/,
    );
    assert.match(describeOutcome(runLua(engine, "error({})")), /not a text/);
  });

  it("calls leave nothing on the stack and little in memory", () => {
    const engine = open();
    for (let i = 0; i < 20_000; i++) runLua(engine, "error('x')");
    runLua(engine, "collectgarbage()");
    assert.ok(engine.memoryBytes < 4 * 1_048_576, String(engine.memoryBytes));
  });

  it("host is called with plain values and may answer many or raise", () => {
    const seen: unknown[] = [];
    const engine = open(patient, (call) => {
      seen.push(call);
      if (call[0] === 0) throw new Error("no zero");
      return [1, true, undefined, bytesOf("b\0")];
    });
    assert.deepEqual(valuesOf(runLua(engine, "return host(1, 'a', {})")), [
      1,
      true,
      undefined,
      "b\0",
    ]);
    assert.deepEqual(seen, [[1, bytesOf("a"), undefined]]);
    assert.deepEqual(valuesOf(runLua(engine, "return pcall(host, 0)")), [false, "no zero"]);
    assert.match(describeOutcome(runLua(engine, "host(0)")), /no zero/);
    const inCoroutine = "return coroutine.wrap(function() return select('#', host(2)) end)()";
    assert.deepEqual(valuesOf(runLua(engine, inCoroutine)), [4]);
  });

  it("states share nothing", () => {
    const [one, two] = [open(), open()];
    runLua(one, "shared = 1 string.upper = nil");
    assert.deepEqual(valuesOf(runLua(two, "return shared, ('x'):upper()")), [undefined, "X"]);
    one.close();
    assert.equal(describeOutcome(runLua(one, "return 1")), "dead closed");
    assert.deepEqual(valuesOf(runLua(two, "return 1")), [1]);
  });

  it("turnMs raises an error in the coroutine that runs, and the state lives on", () => {
    // Far from giving up, so that a busy machine cannot make it one step instead of the other.
    const engine = open({ ...patient, turnMs: 50, giveUpMs: 10_000 });
    for (
      const loop of [
        "while true do end",
        "coroutine.wrap(function() while true do end end)()",
        "while true do pcall(function() while true do end end) end",
        "while true do pcall(coroutine.wrap(function() while true do end end)) end",
        "local f = coroutine.wrap(function() while true do coroutine.yield() end end)\n" +
        "while true do f() end",
        "while true do debug.sethook() end",
        "while true do ('x'):rep(100000) end",
      ]
    ) {
      assert.match(describeOutcome(runLua(engine, loop)), /^error time/, loop);
      assert.deepEqual(valuesOf(runLua(engine, "return 1 + 1")), [2], loop);
    }
  });

  it("a coroutine that was suspended when its turn ended works in the next", () => {
    const engine = open({ ...patient, turnMs: 50, giveUpMs: 10_000 });
    const late = "co = coroutine.create(function() while true do coroutine.yield(1) end end)\n" +
      "coroutine.resume(co)\nwhile true do end";
    assert.match(describeOutcome(runLua(engine, late)), /^error time/);
    assert.deepEqual(valuesOf(runLua(engine, "return coroutine.resume(co)")), [true, 1]);
  });

  it("giveUpMs ends the state where no error can be raised", () => {
    for (
      const loop of [
        "return (('a'):rep(40):find(('a*'):rep(40) .. 'b'))",
        "return (''):rep(1 << 62)",
        "xpcall(function() while true do end end, function() while true do end end)",
        "setmetatable({}, { __gc = function() while true do end end }) collectgarbage()",
      ]
    ) {
      const engine = open(hasty);
      assert.equal(describeOutcome(runLua(engine, loop)), "dead time", loop);
      assert.equal(engine.death, "time");
      assert.equal(describeOutcome(runLua(engine, "return 1")), "dead time");
    }
  });

  it("now() at infinity ends whatever runs at once", () => {
    let now = 0;
    const engine = engines.open({ limits: patient, host: noHost, now: () => now });
    const [first] = valuesOf(runLua(engine, "return 1"));
    assert.equal(first, 1);
    const stops = engines.open({
      limits: patient,
      host: () => {
        now = Infinity;
        return [];
      },
      now: () => now,
    });
    now = 0;
    assert.equal(describeOutcome(runLua(stops, "host() while true do end")), "dead time");
  });

  it("memoryBytesMax is seen by Lua as not enough memory, and freed memory is used again", () => {
    const memoryBytesMax = 8 * 1_048_576;
    const engine = open({ ...patient, memoryBytesMax });
    for (
      const bomb of [
        "local t = {} while true do t[#t + 1] = {} end",
        "local s = 'x' while true do s = s .. s end",
        "return ('x'):rep(1 << 30)",
        "local t = {} for i = 1, 1e9 do t[i] = i end",
        "local function f() return 1 + f() end return f()",
      ]
    ) {
      assert.match(describeOutcome(runLua(engine, bomb)), /not enough memory|stack overflow/, bomb);
      assert.ok(engine.memoryBytes <= memoryBytesMax);
      assert.deepEqual(valuesOf(runLua(engine, "return #('x'):rep(1048576)")), [1_048_576], bomb);
    }
    const caught = "local ok, fault = pcall(string.rep, 'x', 1 << 30) return ok, fault";
    assert.deepEqual(valuesOf(runLua(engine, caught)), [false, "not enough memory"]);
  });

  it("values that do not fit in any more are Lua's error, whichever way they go", () => {
    const memoryBytesMax = 8 * 1_048_576;
    const big = new Uint8Array(1_048_576).fill(7);
    const host = () => [big];
    const engine = open({ ...patient, memoryBytesMax }, host);
    const fill = "all = {} for n = 20, 1, -1 do pcall(function() " +
      "while true do all[#all + 1] = ('x'):rep(1 << n) .. #all end end) end ";
    for (const attempt of ["return host()", "return pcall(host)"]) {
      const made = runLua(engine, `return function() all = nil ${fill} ${attempt} end`);
      assert.ok(made.kind === "ok" && isLuaFunction(made.values[0]));
      const outcome = engine.call(made.values[0], []);
      assert.equal(engine.wasShort, true);
      if (outcome.kind === "ok") assert.deepEqual(valuesOf(outcome), [false, "not enough memory"]);
      else assert.equal(describeOutcome(outcome), "error memory: not enough memory");
      assert.equal(
        describeOutcome(engine.call(made.values[0], [big])),
        "error memory: not enough memory",
      );
      assert.equal(
        describeOutcome(engine.load(big, "=big")),
        "error memory: not enough memory",
      );
      assert.deepEqual(valuesOf(runLua(engine, "all = nil return 1")), [1]);
      assert.equal(engine.wasShort, false);
    }
  });

  it("collect() takes what the stack, coroutines and finalizers held; useReserve() gives more", () => {
    const limits = { ...patient, memoryBytesMax: 16 * 1_048_576, reserveBytes: 8 * 1_048_576 };
    const engine = open(limits);
    const before = engine.collect(patient) ?? NaN;
    const bomb = "local all = {} while true do all[#all + 1] = setmetatable(" +
      "{ #all .. '' }, { __gc = function() end }) end";
    assert.match(describeOutcome(runLua(engine, bomb)), /^error memory/);
    assert.ok(engine.memoryBytes <= 8 * 1_048_576);
    const after = engine.collect(patient) ?? NaN;
    assert.ok(after < before + 65_536, `${after} bytes in use, ${before} before`);
    const large = "return #('x'):rep(4000000)";
    assert.match(describeOutcome(runLua(engine, large)), /^error memory/);
    engine.useReserve();
    assert.deepEqual(valuesOf(runLua(engine, large)), [4_000_000]);
    runLua(engine, "setmetatable({}, { __gc = function() while true do end end })");
    assert.equal(engine.collect({ turnMs: 50, giveUpMs: 100 }), undefined);
    assert.equal(engine.death, "time");
  });

  it("open() refuses a memory limit that Lua cannot start with", () => {
    assert.throws(
      () => open({ ...patient, memoryBytesMax: 1_200_000 }),
      /at least 1310720 bytes of memory, got 1200000/,
    );
  });

  it("release() lets a function go", () => {
    const engine = open();
    for (let i = 0; i < 200; i++) {
      const made = runLua(
        engine,
        "local held = ('x'):rep(1024):rep(1024) return function() return held end",
      );
      assert.ok(made.kind === "ok" && isLuaFunction(made.values[0]));
      engine.release(made.values[0]);
    }
    assert.ok(engine.memoryBytes < 32 * 1_048_576, String(engine.memoryBytes));
  });

  it("no library reaches out of the state, even before any sandbox", () => {
    const engine = open();
    assert.deepEqual(
      valuesOf(runLua(
        engine,
        "return io.open('/etc/passwd'), os.getenv('PATH'), os.remove('/tmp/x'), pcall(io.popen, 'ls')",
      )).slice(0, 3),
      [undefined, undefined, undefined],
    );
    assert.deepEqual(valuesOf(runLua(engine, "return io.stdout:write('x') ~= nil")), [true]);
    assert.match(describeOutcome(runLua(engine, "os.exit(1)")), /^dead crash$/);
  });

  it("every hostile script ends, with all libraries at hand", { timeout: 120_000 }, () => {
    for (const [what, body] of Object.entries(hostileGreetings)) {
      const start = performance.now();
      runLua(open(hasty), body);
      const took = performance.now() - start;
      assert.ok(took < 20_000, `${what} took ${took} ms`);
    }
  });
});
