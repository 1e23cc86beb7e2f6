import type { WorkerScope } from "../../ports/workers.ts";
import type { LuaEngineFactory } from "./lua_engine.ts";
import type { LoadedScript, ScriptOutcome } from "./script_host.ts";
import { openScriptState, type ScriptState } from "./script_state.ts";
import { wasmoonEngines } from "./wasmoon_engine.ts";

/** To the worker. Each request is answered once, in order. */
export type ScriptWorkerIn =
  | {
    readonly kind: "load";
    readonly id: number;
    readonly script: LoadedScript;
    readonly turnMs: number;
    readonly memoryBytesMax: number;
    /** One shared 32-bit integer: when it is not 0, whatever runs is given up within milliseconds. */
    readonly stop: SharedArrayBuffer;
  }
  | { readonly kind: "hello"; readonly id: number };

/** From the worker. */
export type ScriptWorkerOut =
  /** Once, first: Lua is compiled. What takes time from here on is the script. */
  | { readonly kind: "ready" }
  /** Instead of that: Lua could not be compiled; nothing comes after it. */
  | { readonly kind: "broken"; readonly reason: string }
  | { readonly kind: "answer"; readonly id: number; readonly answer: ScriptOutcome }
  | { readonly kind: "printed"; readonly text: string };

/** Files that are part of the program. */
export interface LuaAssets {
  /** wasmoon's glue.wasm. */
  luaWasm(): Promise<Uint8Array>;
}

/** The Lua worker: runs one script. */
export function runLuaWorker(
  scope: WorkerScope<ScriptWorkerIn, ScriptWorkerOut>,
  assets: LuaAssets,
): void {
  let current: { state: ScriptState; reopen: () => ReturnType<typeof openScriptState> } | undefined;

  const log = (text: string) => scope.post({ kind: "printed", text });

  const load = (engines: LuaEngineFactory, request: ScriptWorkerIn & { kind: "load" }) => {
    const { script, turnMs, memoryBytesMax } = request;
    const stop = new Int32Array(request.stop);
    const reopen = () =>
      openScriptState(engines, script, {
        turnMs,
        memoryBytesMax,
        now: () => Atomics.load(stop, 0) === 0 ? performance.now() : Infinity,
        log,
      });
    const opened = reopen();
    if ("failed" in opened) return failed(opened.failed);
    current?.state.close();
    current = { state: opened.state, reopen };
    return { outcome: "ok", text: "" } as const;
  };

  const hello = (): ScriptOutcome => {
    if (current === undefined) return failed("no script is loaded");
    if (!current.state.usable) {
      current.state.close();
      const opened = current.reopen();
      if ("failed" in opened) return failed(opened.failed);
      current.state = opened.state;
    }
    return current.state.hello();
  };

  const handle = (engines: LuaEngineFactory, request: ScriptWorkerIn): ScriptOutcome => {
    try {
      return request.kind === "load" ? load(engines, request) : hello();
    } catch (fault) {
      return failed(messageOf(fault));
    }
  };

  const start = async () => {
    const engines = await wasmoonEngines(await assets.luaWasm());
    scope.post({ kind: "ready" });
    scope.onMessage((request) => {
      scope.post({ kind: "answer", id: request.id, answer: handle(engines, request) });
    });
  };
  start().catch((fault) => scope.post({ kind: "broken", reason: messageOf(fault) }));
}

function messageOf(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault);
}

function failed(text: string): ScriptOutcome {
  return { outcome: "failed", text };
}
