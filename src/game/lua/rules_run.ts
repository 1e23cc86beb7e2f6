import type { LuaCall } from "./lua_host.ts";
import type { RulesNotice } from "./rpc_rules.ts";

/** How a call ended, and what the rules want done after it. */
export interface TurnOutcome {
  readonly outcome: "done" | "refused";
  /** Why it was refused. */
  readonly reason: string;
  readonly notices: readonly RulesNotice[];
  /** Why the call's room or task has ended all the same. */
  readonly ends?: string;
}

/** What a `RulesRun` tells its owner; each of `ready` and `ended` at most once, in this order. */
export interface RulesRunEvents {
  /** The core is loaded; notices of its loading. */
  ready(notices: readonly RulesNotice[]): void;
  /** It is gone, and its state with it; a turn under way is not `done` any more. `notices` holds
   * the log of that turn. */
  ended(reason: string, notices: readonly RulesNotice[]): void;
}

/** One state of the rules from its start to its end: a process, or a worker. */
export interface RulesRun {
  readonly pid?: number | undefined;
  /** May be told something now. */
  readonly isIdle: boolean;
  /** Has grown so much that it is better replaced once it holds nothing. */
  readonly isBloated?: boolean;
  /** Is full of what no room lets go of: no further room is to begin in it. */
  readonly isSpent?: boolean;
  /** Memory of the state itself, where it is known. */
  readonly memoryBytes?: number;
  /** Once, first. */
  start(): void;
  /** Only when `isIdle`. */
  tell(call: LuaCall, done: (outcome: TurnOutcome) => void): void;
  /** Only when `isIdle`. */
  ping(done: (outcome: Pick<TurnOutcome, "outcome">) => void): void;
  /** A room or task has ended without the rules. */
  forget(id: number): void;
  /** Ends it at once; `ended` is told. */
  kill(reason: string): void;
  /** Ends it, politely when it is idle; `ended` is not told. */
  stop(): Promise<void>;
}
