import type { WorkerScope } from "../../ports/workers.ts";
import { rulesWorker, type RulesWorkerIn, type RulesWorkerOut } from "./rules_worker.ts";
import { scriptWorker, type ScriptWorkerIn, type ScriptWorkerOut } from "./script_worker.ts";
import { compileLua } from "./lua_wasm.ts";
import { wasmoonEngines } from "./wasmoon_engine.ts";

/** Files that are part of the program. */
export interface LuaAssets {
  /** wasmoon's glue.wasm. */
  luaWasm(): Promise<Uint8Array>;
}

type In = ScriptWorkerIn | RulesWorkerIn;
type Out = ScriptWorkerOut | RulesWorkerOut;

/**
 * The Lua worker: runs one script, or the rules of rooms; the first message tells which. Posts `ready`
 * once Lua is compiled, or `broken` and nothing else.
 */
export function runLuaWorker(scope: WorkerScope<In, Out>, assets: LuaAssets): void {
  const early: In[] = [];
  let handle: ((request: In) => void) | undefined;

  const start = async (first: In) => {
    const isRules = first.kind === "open_rules";
    const given = isRules ? first.program : undefined;
    const program = given ?? await compileLua(await assets.luaWasm());
    const engines = wasmoonEngines(program);
    const script = scriptWorker(engines, (message) => scope.post(message));
    const rules = rulesWorker(engines, (message) => scope.post(message));
    scope.post(isRules && given === undefined ? { kind: "ready", program } : { kind: "ready" });
    handle = (request) => {
      if (request.kind === "load" || request.kind === "hello") script(request);
      else rules(request);
    };
    for (const request of early.splice(0)) handle(request);
  };

  scope.onMessage((request) => {
    if (handle !== undefined) return handle(request);
    if (early.push(request) > 1) return;
    start(request).catch((fault) =>
      scope.post({
        kind: "broken",
        reason: fault instanceof Error ? fault.message : String(fault),
      })
    );
  });
}
