import type { WorkerScope } from "../../ports/workers.ts";
import type { LuaEngineFactory } from "./lua_engine.ts";
import type { LoadedScript, ScriptOutcome } from "./script_host.ts";
import { openScriptState, type ScriptState } from "./script_state.ts";
import { wasmoonEngines } from "./wasmoon_engine.ts";

/** To the worker. Each request is answered once, in order, until an answer is not `usable`. */
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
  /** `usable`: a state that is fit for more is there. Without one nothing further is answered: this
   * worker is to be ended, because only that gives the memory of WebAssembly back at once. */
  | {
    readonly kind: "answer";
    readonly id: number;
    readonly answer: ScriptOutcome;
    readonly usable: boolean;
  }
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
  let current: ScriptState | undefined;
  let isOver = false;

  const log = (text: string) => scope.post({ kind: "printed", text });

  const load = (engines: LuaEngineFactory, request: ScriptWorkerIn & { kind: "load" }) => {
    const { script, turnMs, memoryBytesMax } = request;
    const stop = new Int32Array(request.stop);
    const opened = openScriptState(engines, script, {
      turnMs,
      memoryBytesMax,
      now: () => Atomics.load(stop, 0) === 0 ? performance.now() : Infinity,
      log,
    });
    if ("failed" in opened) return failed(opened.failed);
    current?.close();
    current = opened.state;
    return { outcome: "ok", text: "" } as const;
  };

  const handle = (engines: LuaEngineFactory, request: ScriptWorkerIn): ScriptOutcome => {
    try {
      return request.kind === "load"
        ? load(engines, request)
        : current?.hello() ?? failed("no script is loaded");
    } catch (fault) {
      return failed(messageOf(fault));
    }
  };

  const start = async () => {
    const engines = await wasmoonEngines(await assets.luaWasm());
    scope.post({ kind: "ready" });
    scope.onMessage((request) => {
      if (isOver) return;
      const answer = handle(engines, request);
      const usable = current?.usable ?? false;
      isOver = !usable;
      scope.post({ kind: "answer", id: request.id, answer, usable });
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
