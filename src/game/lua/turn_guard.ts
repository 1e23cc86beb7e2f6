import type { LuaExports, Pointer } from "./lua_wasm.ts";
import { fuelExport } from "./wasm_meter.ts";

/** When an error is raised in what runs, and when the state is given up. */
export interface TurnTimes {
  readonly turnMs: number;
  readonly giveUpMs: number;
}

export interface TurnGuardParts {
  readonly lua: LuaExports;
  /** The main thread. */
  readonly main: Pointer;
  /** The table's slot of a lua_Hook that calls `hook`. */
  readonly hookSlot: number;
  readonly ends: "call" | "coroutine";
  now(): number;
  /** Raises an error in that coroutine. */
  raise(L: Pointer): void;
}

/**
 * Bounds the calls into one state. Every loop of the program burns fuel (see `meterLoops`); when it
 * is used up, `tick` looks at the clock. Past `turnMs` it sets a hook on the coroutine that runs, which
 * raises an error at its next instruction and at each further one until the call ends, so that neither
 * pcall nor an outer coroutine can hold on; with `ends: "coroutine"` the main thread is spared once a
 * coroutine was ended, and gets one error if it was late itself, the next ones each half-way to
 * `giveUpMs`. Where hooks do not run (C functions, `__gc`, the handler of a hook's error) the loop goes
 * on until `giveUpMs`; then a JavaScript exception unwinds everything and the state is dead.
 */
export class TurnGuard {
  readonly #parts: TurnGuardParts;
  #turnEnd = Infinity;
  #giveUpAt = Infinity;
  /** Errors are raised now. */
  #late = false;
  #lateTicks = 0;
  #wasLate = false;
  /** Of a late call that only ends coroutines: what the main thread is due. */
  #mainThread: "unknown" | "spared" | "raise" = "unknown";

  constructor(parts: TurnGuardParts) {
    this.#parts = parts;
  }

  /** Whether the last call went on past its `turnMs`. */
  get wasLate(): boolean {
    return this.#wasLate;
  }

  begin({ turnMs, giveUpMs }: TurnTimes): void {
    const start = this.#parts.now();
    this.#turnEnd = start + turnMs;
    this.#giveUpAt = start + giveUpMs;
    this.#late = false;
    this.#lateTicks = 0;
    this.#wasLate = false;
    this.#mainThread = "unknown";
    this.#parts.lua[fuelExport].value = fuel;
  }

  end(): void {
    this.#turnEnd = Infinity;
    this.#giveUpAt = Infinity;
  }

  /** The fuel is used up, in the interpreter's loop of `L`, or (0) in another one. */
  tick(L: Pointer): void {
    const { lua, ends, hookSlot, now } = this.#parts;
    if (!this.#late) {
      lua[fuelExport].value = fuel;
      const time = now();
      if (time >= this.#giveUpAt) throw givenUp;
      if (time < this.#turnEnd) return;
      this.#late = true;
      this.#wasLate = true;
    }
    // From here on every loop head comes by: else the rare one that can be hooked, in the
    // interpreter, is missed when most of the work is in C.
    lua[fuelExport].value = 0;
    if (this.#lateTicks++ % lateTicksPerLook === 0 && now() >= this.#giveUpAt) throw givenUp;
    if (L === 0) return;
    if (ends === "coroutine" && !this.#mayRaiseIn(L)) return;
    lua.lua_sethook(L, hookSlot, hookOnCount, 1);
  }

  /** A lua_Hook that `tick` has set comes by. */
  hook(L: Pointer): void {
    const { lua, ends, main, raise } = this.#parts;
    if (!this.#late) {
      // Left over in a coroutine that was suspended before the hook could end it.
      lua.lua_sethook(L, 0, 0, 0);
      return;
    }
    if (ends === "coroutine" && L === main) {
      const isDue = this.#mainThread === "raise";
      lua.lua_sethook(L, 0, 0, 0);
      this.#goOn();
      if (!isDue) return;
    }
    raise(L);
  }

  /** Only coroutines are ended: the main thread goes on in peace once one of them was. */
  #mayRaiseIn(L: Pointer): boolean {
    if (L !== this.#parts.main) {
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
    this.#parts.lua[fuelExport].value = fuel;
    this.#turnEnd = (this.#turnEnd + this.#giveUpAt) / 2;
  }
}

/** Thrown by `tick`; the same object each time. */
export const givenUp = new Error("The Lua state was given up: it ran past its time");

/** Loop heads between two looks at the clock: about 1 ms of work. */
const fuel = 200_000;
/** Ticks between two looks at the clock once a turn is late: about 10 µs. */
const lateTicksPerLook = 256;
const hookOnCount = 8;
