import type { LuaPlayer, LuaReads, LuaRequest } from "./lua_host.ts";

/**
 * What the rules may read in the middle of a turn. Answers must be there at once; what the turn
 * itself has changed is remembered by `RulesTurnView` until its notices are handed over.
 */
export interface RulesHost extends LuaReads {
  /** Seats a new robot at once; undefined when the room takes none. */
  addNpc(roomId: number): LuaPlayer | undefined;
}

export interface LuaLog {
  readonly kind: "log";
  readonly level: "debug" | "info" | "warn" | "error";
  readonly text: string;
}

/**
 * What a turn of the rules wants done, in order. Waits of 0 ms mean: resume at once. The data of a
 * notification is never empty: nothing to say is CBOR null. Strings of Lua are bytes; where text is
 * meant, what is no UTF-8 was replaced.
 */
export type RulesNotice =
  | LuaRequest
  | LuaLog
  | { readonly kind: "remove_npc"; readonly roomId: number; readonly connId: number };
