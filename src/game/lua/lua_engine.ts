/**
 * What the program needs of a Lua 5.4, and nothing more, so that another build of it can take the
 * place of the present one. An engine is one state with memory of its own; its calls block.
 */

/**
 * Strings are bytes. Numbers that are whole and safe cross as integers both ways, larger integers
 * as bigint. Tables and other values that have no counterpart are read as undefined (nil).
 */
export type LuaValue = undefined | boolean | number | bigint | Uint8Array | LuaFunction;

/** A function kept in the state until it is released; good only in the engine it came from. */
export interface LuaFunction {
  readonly luaReference: number;
}

/** Answers a call out of Lua. What it throws is raised in Lua as an error with its message. It must
 * not call back into the engine. */
export type LuaHostFunction = (call: readonly LuaValue[]) => readonly LuaValue[];

export type LuaOutcome =
  | { readonly kind: "ok"; readonly values: readonly LuaValue[] }
  /** An error that Lua code could have caught; the state lives on. `message` is what was raised if
   * that was a string, which no one has cleaned. */
  | {
    readonly kind: "error";
    readonly cause: "script" | "time" | "memory";
    readonly message: Uint8Array;
  }
  /** The state is lost; each later call answers the same. */
  | { readonly kind: "dead"; readonly cause: LuaDeath };

/** `time`: it went on past `giveUpMs`; `memory`: none left outside a protected call; `crash`: all
 * else that ends a state, such as a trap. */
export type LuaDeath = "time" | "memory" | "crash" | "closed";

export interface LuaLimits {
  /** After so long in one call an error is raised in the coroutine that runs. */
  readonly turnMs: number;
  /** After so long the state is given up, wherever it is. */
  readonly giveUpMs: number;
  /** All memory of the state, its own overhead (1.1 MiB) included; Lua sees "not enough memory". */
  readonly memoryBytesMax: number;
  /** The part of it that is kept back until `useReserve`. Absent: nothing. */
  readonly reserveBytes?: number;
  /** What the error at `turnMs` is to end: the whole call, or (`coroutine`) only the coroutine that
   * runs, so that the main thread, which holds others, goes on. Absent: the call. */
  readonly ends?: "call" | "coroutine";
}

export interface LuaEngine {
  /** undefined while the state is usable. */
  readonly death: LuaDeath | undefined;
  /** Bytes of memory taken from the system; they never shrink before `close`. */
  readonly memoryBytes: number;
  /** Compiles text (bytecode is refused). `ok` carries one function. */
  load(text: Uint8Array, chunkName: string): LuaOutcome;
  /** A protected call. `ok` carries all results. `within` are times of its own for this one. */
  call(
    fn: LuaFunction,
    parameters: readonly LuaValue[],
    within?: Pick<LuaLimits, "turnMs" | "giveUpMs">,
  ): LuaOutcome;
  /** Whether the last call went on past its `turnMs`; with `ends: "coroutine"` it may be `ok`. */
  readonly wasLate: boolean;
  /** Whether the last call wanted more memory than it may have; Lua may have gone on all the same. */
  readonly wasShort: boolean;
  /**
   * Collects all garbage, with the stack empty, and gives the bytes that are in use then, without
   * what the allocator keeps between them; undefined when finalizers do not end in time, and the state
   * with them. After a call that was short: Lua's own collections in the middle of a call keep what
   * the stack still names by chance, and what finalizers hold.
   */
  collect(within: Pick<LuaLimits, "turnMs" | "giveUpMs">): number | undefined;
  /** From now on the state may take all of `memoryBytesMax`. */
  useReserve(): void;
  /** Lets go of a function; it must not be called again. */
  release(fn: LuaFunction): void;
  /** Forgets the state; no finalizer runs. */
  close(): void;
}

/** Opens states that share one compiled program. */
export interface LuaEngineFactory {
  /** Throws RangeError when the memory is too little to begin with. `host` is the global function `host` of the new state, whose standard libraries are all there:
   * restricting them is the first chunk's task. */
  open(options: { limits: LuaLimits; host: LuaHostFunction; now: () => number }): LuaEngine;
}
