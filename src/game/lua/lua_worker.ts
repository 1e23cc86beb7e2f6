import type { WorkerScope } from "../../ports/workers.ts";
import { rulesWorker, type RulesWorkerIn, type RulesWorkerOut } from "./rules_worker.ts";
import { scriptWorker, type ScriptWorkerIn, type ScriptWorkerOut } from "./script_worker.ts";
import { wasmoonEngines } from "./wasmoon_engine.ts";

/** Files that are part of the program. */
export interface LuaAssets {
  /** wasmoon's glue.wasm. */
  luaWasm(): Promise<Uint8Array>;
}

/**
 * The Lua worker: runs one script, or the rules of rooms; the first message tells which. Posts `ready`
 * once Lua is compiled, or `broken` and nothing else.
 */
export function runLuaWorker(
  scope: WorkerScope<ScriptWorkerIn | RulesWorkerIn, ScriptWorkerOut | RulesWorkerOut>,
  assets: LuaAssets,
): void {
  const start = async () => {
    const engines = await wasmoonEngines(await assets.luaWasm());
    const post = (message: ScriptWorkerOut | RulesWorkerOut) => scope.post(message);
    const script = scriptWorker(engines, post);
    const rules = rulesWorker(engines, post);
    post({ kind: "ready" });
    scope.onMessage((request) => {
      if (request.kind === "load" || request.kind === "hello") script(request);
      else rules(request);
    });
  };
  start().catch((fault) =>
    scope.post({ kind: "broken", reason: fault instanceof Error ? fault.message : String(fault) })
  );
}
