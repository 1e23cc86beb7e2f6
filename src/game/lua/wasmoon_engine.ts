import type {
  LuaDeath,
  LuaEngine,
  LuaEngineFactory,
  LuaFunction,
  LuaHostFunction,
  LuaLimits,
  LuaOutcome,
  LuaValue,
} from "./lua_engine.ts";
import { instantiateLua, type LuaInstance, type LuaProgram, type Pointer } from "./lua_wasm.ts";
import { fuelExport } from "./wasm_meter.ts";

/**
 * The Lua of npm's wasmoon, driven through the raw exports of its glue.wasm.
 *
 * How a call is bounded: every loop of the program burns fuel (see `meterLoops`); when it is used up,
 * `tick` looks at the clock. Past `turnMs` it sets a hook on the coroutine that runs, which raises an
 * error at its next instruction and at each further one until the call ends, so that neither pcall nor
 * an outer coroutine can hold on; with `ends: "coroutine"` the main thread is spared once a coroutine
 * was ended, and gets one error if it was late itself, the next ones each half-way to `giveUpMs`.
 * Where hooks do not run (C functions, `__gc`, the handler of a hook's error) the loop goes on until
 * `giveUpMs`; then a JavaScript exception unwinds everything and the state is dead.
 */
export function wasmoonEngines(program: LuaProgram): LuaEngineFactory {
  return {
    open: (options) =>
      new WasmoonEngine(
        (callbacks) =>
          instantiateLua(program, { memoryBytesMax: options.limits.memoryBytesMax, callbacks }),
        options,
      ),
  };
}

/** Loop heads between two looks at the clock: about 1 ms of work. */
const fuel = 200_000;
/** Ticks between two looks at the clock once a turn is late: about 10 µs. */
const lateTicksPerLook = 256;
const registry = -1_001_000;
const allResults = -1;
const hookOnCount = 8;
const luaTypes = { boolean: 1, number: 3, string: 4, function: 6 };
const status = { ok: 0, memory: 4 };
const textEncoder = new TextEncoder();
const empty = new Uint8Array(0);
const textMode = textEncoder.encode("t\0");
const timeMessage = textEncoder.encode("the script ran too long");

class WasmoonEngine implements LuaEngine {
  readonly #lua: LuaInstance;
  readonly #L: Pointer;
  readonly #limits: LuaLimits;
  readonly #host: LuaHostFunction;
  readonly #now: () => number;
  /** Four bytes for results by reference. */
  readonly #scratch: Pointer;
  #heap: Uint8Array = empty;
  #death: LuaDeath | undefined;
  #turnEnd = Infinity;
  #giveUpAt = Infinity;
  /** Errors are raised now. */
  #late = false;
  #lateTicks = 0;
  #wasLate = false;
  /** Of a late call that only ends coroutines: what the main thread is due. */
  #mainThread: "unknown" | "spared" | "raise" = "unknown";

  constructor(
    instantiate: (callbacks: Parameters<typeof instantiateLua>[1]["callbacks"]) => LuaInstance,
    options: { limits: LuaLimits; host: LuaHostFunction; now: () => number },
  ) {
    this.#limits = options.limits;
    this.#host = options.host;
    this.#now = options.now;
    this.#lua = instantiate({
      tick: (L) => this.#tick(L),
      hook: (L) => this.#hook(L),
      host: (L) => this.#hostCall(L),
    });
    const lua = this.#lua.exports;
    this.#scratch = lua.malloc(4);
    this.#L = lua.luaL_newstate();
    if (this.#L === 0) throw new RangeError("A Lua state does not fit into its memory");
    lua.luaL_openlibs(this.#L);
    lua.lua_pushcclosure(this.#L, this.#lua.slots.host, 0);
    this.#withBytes(textEncoder.encode("host\0"), (name) => lua.lua_setglobal(this.#L, name));
  }

  get death(): LuaDeath | undefined {
    return this.#death;
  }

  get memoryBytes(): number {
    return this.#death === "closed" ? 0 : this.#lua.exports.memory.buffer.byteLength;
  }

  get wasLate(): boolean {
    return this.#wasLate;
  }

  load(text: Uint8Array, chunkName: string): LuaOutcome {
    const name = textEncoder.encode(`${chunkName}\0`);
    return this.#turn((lua) =>
      this.#withBytes(
        text,
        (source) =>
          this.#withBytes(name, (named) =>
            this.#withBytes(
              textMode,
              (mode) => lua.luaL_loadbufferx(this.#L, source, text.length, named, mode),
            )),
      )
    );
  }

  call(
    fn: LuaFunction,
    parameters: readonly LuaValue[],
    within: Pick<LuaLimits, "turnMs" | "giveUpMs"> = this.#limits,
  ): LuaOutcome {
    return this.#turn((lua) => {
      lua.lua_checkstack(this.#L, parameters.length + 2);
      lua.lua_rawgeti(this.#L, registry, BigInt(fn.luaReference));
      for (const value of parameters) this.#push(this.#L, value);
      return lua.lua_pcallk(this.#L, parameters.length, allResults, 0, 0, 0);
    }, within);
  }

  release(fn: LuaFunction): void {
    if (this.#death !== undefined) return;
    this.#lua.exports.luaL_unref(this.#L, registry, fn.luaReference);
  }

  close(): void {
    this.#death = "closed";
    this.#heap = empty;
  }

  /** Runs one piece of Lua under the limits and reads what it left on the stack. */
  #turn(
    run: (lua: LuaInstance["exports"]) => number,
    within: Pick<LuaLimits, "turnMs" | "giveUpMs"> = this.#limits,
  ): LuaOutcome {
    if (this.#death !== undefined) return { kind: "dead", cause: this.#death };
    const lua = this.#lua.exports;
    const start = this.#now();
    this.#turnEnd = start + within.turnMs;
    this.#giveUpAt = start + within.giveUpMs;
    this.#late = false;
    this.#lateTicks = 0;
    this.#wasLate = false;
    this.#mainThread = "unknown";
    lua[fuelExport].value = fuel;
    try {
      const result = run(lua);
      // The stack of the main thread is empty between turns, so all of it is this turn's.
      if (result === status.ok && (!this.#wasLate || this.#endsCoroutines)) {
        return { kind: "ok", values: this.#readAll(this.#L, "functions too") };
      }
      return { kind: "error", cause: this.#causeOf(result), message: this.#readMessage() };
    } catch (thrown) {
      this.#death = this.#deathBy(thrown);
      return { kind: "dead", cause: this.#death };
    } finally {
      this.#turnEnd = Infinity;
      this.#giveUpAt = Infinity;
      if (this.#death === undefined) lua.lua_settop(this.#L, 0);
      else this.#heap = empty;
    }
  }

  #causeOf(result: number): "script" | "time" | "memory" {
    if (this.#wasLate) return "time";
    return result === status.memory ? "memory" : "script";
  }

  #deathBy(thrown: unknown): LuaDeath {
    if (thrown === givenUp) return "time";
    return this.memoryBytes > this.#limits.memoryBytesMax * 0.9 ? "memory" : "crash";
  }

  get #endsCoroutines(): boolean {
    return this.#limits.ends === "coroutine";
  }

  #tick(L: Pointer): void {
    const lua = this.#lua.exports;
    if (!this.#late) {
      lua[fuelExport].value = fuel;
      const now = this.#now();
      if (now >= this.#giveUpAt) throw givenUp;
      if (now < this.#turnEnd) return;
      this.#late = true;
      this.#wasLate = true;
    }
    // From here on every loop head comes by: else the rare one that can be hooked, in the
    // interpreter, is missed when most of the work is in C.
    lua[fuelExport].value = 0;
    if (this.#lateTicks++ % lateTicksPerLook === 0 && this.#now() >= this.#giveUpAt) throw givenUp;
    if (L === 0) return;
    if (this.#endsCoroutines && !this.#mayRaiseIn(L)) return;
    lua.lua_sethook(L, this.#lua.slots.hook, hookOnCount, 1);
  }

  /** Only coroutines are ended: the main thread goes on in peace once one of them was. */
  #mayRaiseIn(L: Pointer): boolean {
    if (L !== this.#L) {
      this.#mainThread = "spared";
      return true;
    }
    if (this.#mainThread === "unknown") this.#mainThread = "raise";
    else if (this.#mainThread === "spared") this.#goOn();
    return this.#mainThread === "raise";
  }

  /** Until half-way to `giveUpMs`. */
  #goOn(): void {
    this.#late = false;
    this.#mainThread = "unknown";
    this.#lua.exports[fuelExport].value = fuel;
    this.#turnEnd = (this.#turnEnd + this.#giveUpAt) / 2;
  }

  #hook(L: Pointer): void {
    const lua = this.#lua.exports;
    if (!this.#late) {
      // Left over in a coroutine that was suspended before the hook could end it.
      lua.lua_sethook(L, 0, 0, 0);
      return;
    }
    if (this.#endsCoroutines && L === this.#L) {
      const isDue = this.#mainThread === "raise";
      lua.lua_sethook(L, 0, 0, 0);
      this.#goOn();
      if (!isDue) return;
    }
    this.#push(L, timeMessage);
    lua.lua_error(L);
  }

  #hostCall(L: Pointer): number {
    const lua = this.#lua.exports;
    const parameters = this.#readAll(L, "plain values");
    lua.lua_settop(L, 0);
    let results: readonly LuaValue[];
    try {
      results = this.#host(parameters);
    } catch (fault) {
      const message = fault instanceof Error ? fault.message : "the host failed";
      this.#push(L, textEncoder.encode(message));
      return lua.lua_error(L);
    }
    lua.lua_checkstack(L, results.length);
    for (const value of results) this.#push(L, value);
    return results.length;
  }

  #readAll(L: Pointer, what: "functions too" | "plain values"): LuaValue[] {
    const count = this.#lua.exports.lua_gettop(L);
    const values: LuaValue[] = [];
    for (let index = 1; index <= count; index++) values.push(this.#read(L, index, what));
    return values;
  }

  #read(L: Pointer, index: number, what: "functions too" | "plain values"): LuaValue {
    const lua = this.#lua.exports;
    switch (lua.lua_type(L, index)) {
      case luaTypes.boolean:
        return lua.lua_toboolean(L, index) !== 0;
      case luaTypes.number: {
        if (!lua.lua_isinteger(L, index)) return lua.lua_tonumberx(L, index, 0);
        const integer = lua.lua_tointegerx(L, index, 0);
        const number = Number(integer);
        return Number.isSafeInteger(number) ? number : integer;
      }
      case luaTypes.string: {
        const at = lua.lua_tolstring(L, index, this.#scratch);
        const heap = this.#memory();
        const length = new DataView(heap.buffer).getUint32(this.#scratch, true);
        return heap.slice(at, at + length);
      }
      case luaTypes.function:
        if (what === "plain values") return undefined;
        lua.lua_pushvalue(L, index);
        return { luaReference: lua.luaL_ref(L, registry) };
      default:
        return undefined;
    }
  }

  #readMessage(): Uint8Array {
    // A call that was late yet came back by itself may have left nothing.
    if (this.#lua.exports.lua_gettop(this.#L) === 0) return timeMessage;
    const message = this.#read(this.#L, -1, "plain values");
    if (message instanceof Uint8Array) return message;
    return textEncoder.encode("the error is not a text");
  }

  #push(L: Pointer, value: LuaValue): void {
    const lua = this.#lua.exports;
    if (value === undefined) lua.lua_pushnil(L);
    else if (typeof value === "boolean") lua.lua_pushboolean(L, value ? 1 : 0);
    else if (typeof value === "bigint") lua.lua_pushinteger(L, value);
    else if (typeof value === "number") {
      if (Number.isSafeInteger(value)) lua.lua_pushinteger(L, BigInt(value));
      else lua.lua_pushnumber(L, value);
    } else if (value instanceof Uint8Array) {
      this.#withBytes(value, (at) => lua.lua_pushlstring(L, at, value.length));
    } else lua.lua_rawgeti(L, registry, BigInt(value.luaReference));
  }

  /** Lends the bytes to C for the length of a call. */
  #withBytes<T>(bytes: Uint8Array, use: (at: Pointer) => T): T {
    const lua = this.#lua.exports;
    const at = lua.malloc(Math.max(1, bytes.length));
    if (at === 0) throw new Error("no memory for a value that goes into Lua");
    this.#memory().set(bytes, at);
    try {
      return use(at);
    } finally {
      lua.free(at);
    }
  }

  /** Growth detaches the old view, so it is looked up anew behind every call. */
  #memory(): Uint8Array {
    const buffer = this.#lua.exports.memory.buffer;
    if (this.#heap.buffer !== buffer) this.#heap = new Uint8Array(buffer);
    return this.#heap;
  }
}

/** Thrown by `tick`; the same object each time. */
const givenUp = new Error("The Lua state was given up: it ran past its time");
