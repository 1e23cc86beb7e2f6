import type { LuaEngineFactory } from "./lua_engine.ts";
import type { LuaCall } from "./lua_host.ts";
import type { LuaProgram } from "./lua_wasm.ts";
import { compileChunks, type PackageChunks } from "./package_chunks.ts";
import type { PackageTree } from "./package_tree.ts";
import type { RulesNotice } from "./rpc_rules.ts";
import type { TurnFacts } from "./rules_facts.ts";
import { RulesState, type RulesTurnEnd } from "./rules_state.ts";

/** To the worker. `open_rules` comes once and first. */
export type RulesWorkerIn =
  | {
    readonly kind: "open_rules";
    readonly tree: PackageTree;
    readonly directory: string;
    readonly disabledPacks: readonly string[];
    readonly turnMs: number;
    readonly memoryBytesMax: number;
    /** One shared 32-bit integer: when it is not 0, whatever runs is given up within milliseconds. */
    readonly stop: SharedArrayBuffer;
    /** From another worker, if there was one. */
    readonly program?: LuaProgram;
    /** Of this tree, from another worker. */
    readonly chunks?: PackageChunks;
  }
  /** Compile for other workers what was loaded as text. Behind `opened`; answered by `compiled`. */
  | { readonly kind: "compile" }
  /** One at a time. */
  | { readonly kind: "turn"; readonly call: LuaCall; readonly facts: TurnFacts }
  /** A room has ended without the rules. */
  | { readonly kind: "forget"; readonly roomId: number }
  | { readonly kind: "ping" };

/** From the worker. After `broken`, or an end that is `dead`, nothing more comes. */
export type RulesWorkerOut =
  | {
    readonly kind: "opened";
    readonly notices: readonly RulesNotice[];
    readonly memoryBytes: number;
  }
  | {
    readonly kind: "broken";
    readonly reason: string;
    readonly notices?: readonly RulesNotice[];
  }
  | { readonly kind: "compiled"; readonly chunks: PackageChunks }
  | { readonly kind: "turn_over"; readonly end: RulesTurnEnd; readonly memoryBytes: number }
  | { readonly kind: "pong" };

/** The rules' half of the Lua worker: what to do with each message. */
export function rulesWorker(
  engines: LuaEngineFactory,
  post: (message: RulesWorkerOut) => void,
): (request: RulesWorkerIn) => void {
  let state: RulesState | undefined;
  let compile: () => PackageChunks;

  const open = (request: RulesWorkerIn & { kind: "open_rules" }) => {
    const stop = new Int32Array(request.stop);
    const now = () => Atomics.load(stop, 0) === 0 ? performance.now() : Infinity;
    const { tree } = request;
    const opening = new RulesState(engines, {
      ...request,
      now,
      time: () => (performance.timeOrigin + performance.now()) / 1_000,
    });
    const { outcome, reason, notices } = opening.start();
    if (outcome === "dead") return post({ kind: "broken", reason, notices });
    state = opening;
    compile = () => compileChunks(engines, { tree, files: opening.loadedTexts }, now);
    post({ kind: "opened", notices, memoryBytes: state.memoryBytes });
  };

  const turn = (open: RulesState, { call, facts }: RulesWorkerIn & { kind: "turn" }) => {
    const end = open.run(call, facts);
    if (end.outcome === "dead") state = undefined;
    post({ kind: "turn_over", end, memoryBytes: open.memoryBytes });
  };

  const handle = (request: RulesWorkerIn) => {
    if (request.kind === "open_rules") return open(request);
    if (state === undefined) return;
    if (request.kind === "turn") return turn(state, request);
    if (request.kind === "compile") return post({ kind: "compiled", chunks: compile() });
    if (request.kind === "forget") return state.forget(request.roomId);
    post({ kind: "pong" });
  };

  return (request) => {
    try {
      handle(request);
    } catch (fault) {
      state = undefined;
      post({ kind: "broken", reason: fault instanceof Error ? fault.message : String(fault) });
    }
  };
}
