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
import {
  instantiateLua,
  type LuaInstance,
  type LuaMemory,
  type LuaProgram,
  type Pointer,
} from "./lua_wasm.ts";
import { givenUp, TurnGuard, type TurnTimes } from "./turn_guard.ts";

/** The Lua of npm's wasmoon, driven through the raw exports of its glue.wasm. How a call is bounded:
 * see `TurnGuard`. */
export function wasmoonEngines(program: LuaProgram): LuaEngineFactory {
  return { open: (options) => new WasmoonEngine(program, options) };
}

const registry = -1_001_000;
const allResults = -1;
const luaTypes = { boolean: 1, number: 3, string: 4, function: 6 };
const status = { ok: 0, memory: 4 };
const textEncoder = new TextEncoder();
const empty = new Uint8Array(0);
const timeMessage = textEncoder.encode("the script ran too long");

class WasmoonEngine implements LuaEngine {
  readonly #lua: LuaInstance;
  readonly #L: Pointer;
  readonly #limits: LuaLimits;
  readonly #host: LuaHostFunction;
  readonly #guard: TurnGuard;
  /** Four bytes for results by reference. */
  readonly #scratch: Pointer;
  /** Of collectgarbage, and of the word that it takes. */
  readonly #collector: { readonly run: number; readonly count: number };
  readonly #memoryLimit: { -readonly [key in keyof LuaMemory]: LuaMemory[key] };
  #heap: Uint8Array = empty;
  #death: LuaDeath | undefined;
  #wasShort = false;
  /** What is to run as a C function of Lua's, in which its errors are caught. */
  #guest: ((L: Pointer) => number) | undefined;

  constructor(
    program: LuaProgram,
    options: { limits: LuaLimits; host: LuaHostFunction; now: () => number },
  ) {
    const { limits } = options;
    this.#limits = limits;
    this.#host = options.host;
    this.#memoryLimit = {
      bytesMax: limits.memoryBytesMax - (limits.reserveBytes ?? 0),
      refused: () => void (this.#wasShort = true),
    };
    this.#lua = instantiateLua(program, {
      memory: this.#memoryLimit,
      callbacks: {
        tick: (L) => this.#guard.tick(L),
        hook: (L) => this.#guard.hook(L),
        host: (L) => this.#hostCall(L),
      },
    });
    const lua = this.#lua.exports;
    this.#scratch = lua.malloc(4);
    this.#L = lua.luaL_newstate();
    if (this.#L === 0) throw new RangeError("A Lua state does not fit into its memory");
    this.#guard = new TurnGuard({
      lua,
      main: this.#L,
      hookSlot: this.#lua.slots.hook,
      ends: limits.ends ?? "call",
      now: options.now,
      raise: (L) => {
        this.#push(L, timeMessage);
        lua.lua_error(L);
      },
    });
    lua.luaL_openlibs(this.#L);
    this.#withText("collectgarbage", (name) => lua.lua_getglobal(this.#L, name));
    const run = lua.luaL_ref(this.#L, registry);
    this.#push(this.#L, textEncoder.encode("count"));
    this.#collector = { run, count: lua.luaL_ref(this.#L, registry) };
    lua.lua_pushcclosure(this.#L, this.#lua.slots.host, 0);
    this.#withText("host", (name) => lua.lua_setglobal(this.#L, name));
  }

  get death(): LuaDeath | undefined {
    return this.#death;
  }

  get memoryBytes(): number {
    return this.#death === "closed" ? 0 : this.#lua.exports.memory.buffer.byteLength;
  }

  get wasLate(): boolean {
    return this.#guard.wasLate;
  }

  get wasShort(): boolean {
    return this.#wasShort;
  }

  load(text: Uint8Array, chunkName: string): LuaOutcome {
    return this.#turn((lua) => {
      let loaded = status.ok;
      const lent = this.#protect((L) => {
        this.#lend(
          L,
          text,
          (source) =>
            this.#withText(chunkName, (name) =>
              this.#withText("t", (mode) => {
                loaded = lua.luaL_loadbufferx(L, source, text.length, name, mode);
              })),
        );
        return 1;
      });
      return lent === status.ok ? loaded : lent;
    });
  }

  call(
    fn: LuaFunction,
    parameters: readonly LuaValue[],
    within: TurnTimes = this.#limits,
  ): LuaOutcome {
    return this.#turn((lua) => {
      const pushed = this.#protect((L) => {
        lua.lua_checkstack(L, parameters.length + 2);
        lua.lua_rawgeti(L, registry, BigInt(fn.luaReference));
        for (const value of parameters) this.#push(L, value);
        return parameters.length + 1;
      });
      if (pushed !== status.ok) return pushed;
      return lua.lua_pcallk(this.#L, parameters.length, allResults, 0, 0, 0);
    }, within);
  }

  collect(within: TurnTimes): number | undefined {
    const collected = (count: "count" | "all") =>
      this.#turn((lua) => {
        lua.lua_rawgeti(this.#L, registry, BigInt(this.#collector.run));
        if (count === "all") return lua.lua_pcallk(this.#L, 0, 0, 0, 0, 0);
        lua.lua_rawgeti(this.#L, registry, BigInt(this.#collector.count));
        return lua.lua_pcallk(this.#L, 1, 1, 0, 0, 0);
      }, within);
    // What has a finalizer goes when the next collection finds it again.
    for (let round = 0; round < 2; round++) collected("all");
    const outcome = collected("count");
    const [kibibytes] = outcome.kind === "ok" ? outcome.values : [];
    return typeof kibibytes === "number" ? kibibytes * 1_024 : undefined;
  }

  useReserve(): void {
    this.#memoryLimit.bytesMax = this.#limits.memoryBytesMax;
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
    within: TurnTimes = this.#limits,
  ): LuaOutcome {
    if (this.#death !== undefined) return { kind: "dead", cause: this.#death };
    const lua = this.#lua.exports;
    this.#wasShort = false;
    this.#guard.begin(within);
    try {
      const result = run(lua);
      // The stack of the main thread is empty between turns, so all of it is this turn's.
      if (result === status.ok && (!this.wasLate || this.#limits.ends === "coroutine")) {
        return { kind: "ok", values: this.#readAll(this.#L, "functions too") };
      }
      return { kind: "error", cause: this.#causeOf(result), message: this.#readMessage() };
    } catch (thrown) {
      this.#death = this.#deathBy(thrown);
      return { kind: "dead", cause: this.#death };
    } finally {
      this.#guard.end();
      this.#guest = undefined;
      if (this.#death === undefined) lua.lua_settop(this.#L, 0);
      else this.#heap = empty;
    }
  }

  #causeOf(result: number): "script" | "time" | "memory" {
    if (this.wasLate) return "time";
    return result === status.memory ? "memory" : "script";
  }

  #deathBy(thrown: unknown): LuaDeath {
    if (thrown === givenUp) return "time";
    return this.memoryBytes > this.#memoryLimit.bytesMax * 0.9 ? "memory" : "crash";
  }

  /** What Lua's API raises outside a protected call ends the state, so whatever may take memory runs
   * in one; `action` gives the number of its results, which are left on the stack. */
  #protect(action: (L: Pointer) => number): number {
    const lua = this.#lua.exports;
    this.#guest = action;
    lua.lua_pushcclosure(this.#L, this.#lua.slots.host, 0);
    return lua.lua_pcallk(this.#L, 0, allResults, 0, 0, 0);
  }

  #hostCall(L: Pointer): number {
    const guest = this.#guest;
    this.#guest = undefined;
    if (guest !== undefined) return guest(L);
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
      this.#lend(L, value, (at) => lua.lua_pushlstring(L, at, value.length));
    } else lua.lua_rawgeti(L, registry, BigInt(value.luaReference));
  }

  #withText(text: string, use: (at: Pointer) => void): void {
    this.#lend(this.#L, textEncoder.encode(`${text}\0`), use);
  }

  /** Lends the bytes to C for the length of a call. Within Lua, too little memory is Lua's error. */
  #lend(L: Pointer, bytes: Uint8Array, use: (at: Pointer) => void): void {
    const lua = this.#lua.exports;
    const at = lua.malloc(Math.max(1, bytes.length));
    if (at === 0) return this.#lendFromLua(L, bytes, use);
    this.#memory().set(bytes, at);
    try {
      use(at);
    } finally {
      lua.free(at);
    }
  }

  /** The same in memory of Lua's own, for which it collects its garbage. `use` pushes one value. */
  #lendFromLua(L: Pointer, bytes: Uint8Array, use: (at: Pointer) => void): void {
    const lua = this.#lua.exports;
    const at = lua.lua_newuserdatauv(L, Math.max(1, bytes.length), 0);
    this.#memory().set(bytes, at);
    use(at);
    lua.lua_rotate(L, -2, 1);
    lua.lua_settop(L, -2);
  }

  /** Growth detaches the old view, so it is looked up anew behind every call. */
  #memory(): Uint8Array {
    const buffer = this.#lua.exports.memory.buffer;
    if (this.#heap.buffer !== buffer) this.#heap = new Uint8Array(buffer);
    return this.#heap;
  }
}
