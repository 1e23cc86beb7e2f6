import type { LuaEngineFactory } from "./lua_engine.ts";
import type { LuaProgram } from "./lua_wasm.ts";
import type { LoadedScript, ScriptOutcome } from "./script_host.ts";
import { openScriptState, type ScriptState } from "./script_state.ts";

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
  /** Once, first: Lua is compiled; for rules `program` is what was compiled here. What takes time
   * from here on is the script. */
  | { readonly kind: "ready"; readonly program?: LuaProgram }
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

/** The script's half of the Lua worker: what to do with each message. */
export function scriptWorker(
  engines: LuaEngineFactory,
  post: (message: ScriptWorkerOut) => void,
): (request: ScriptWorkerIn) => void {
  let current: ScriptState | undefined;
  let isOver = false;

  const log = (text: string) => post({ kind: "printed", text });

  const load = (request: ScriptWorkerIn & { kind: "load" }) => {
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

  const handle = (request: ScriptWorkerIn): ScriptOutcome => {
    try {
      return request.kind === "load"
        ? load(request)
        : current?.hello() ?? failed("no script is loaded");
    } catch (fault) {
      return failed(messageOf(fault));
    }
  };

  return (request) => {
    if (isOver) return;
    const answer = handle(request);
    const usable = current?.usable ?? false;
    isOver = !usable;
    post({ kind: "answer", id: request.id, answer, usable });
  };
}

function messageOf(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault);
}

function failed(text: string): ScriptOutcome {
  return { outcome: "failed", text };
}
