import type { LuaEngine, LuaEngineFactory, LuaFunction, LuaOutcome } from "./lua_engine.ts";
import type { LoadedScript, ScriptOutcome } from "./script_host.ts";
import { scriptSandbox } from "./script_sandbox.ts";

/** One script in one state of the embedded Lua. */
export interface ScriptState {
  /** False once the state is lost, or keeps so much memory after a failure that it is better
   * replaced (WebAssembly's memory never shrinks). */
  readonly usable: boolean;
  hello(): ScriptOutcome;
  close(): void;
}

export interface ScriptStateOptions {
  readonly turnMs: number;
  readonly memoryBytesMax: number;
  readonly now: () => number;
  readonly log: (text: string) => void;
}

/** Loads the script into a state of its own; when that fails there is no state, only the reason. */
export function openScriptState(
  engines: LuaEngineFactory,
  script: LoadedScript,
  options: ScriptStateOptions,
): { readonly state: ScriptState } | { readonly failed: string } {
  const engine = engines.open({
    limits: {
      turnMs: options.turnMs,
      giveUpMs: options.turnMs * 2,
      memoryBytesMax: options.memoryBytesMax,
    },
    host(call) {
      const text = call[0];
      if (text instanceof Uint8Array) options.log(new TextDecoder().decode(text));
      return [];
    },
    now: options.now,
  });
  const dispatch = startSandbox(engine);
  const encoder = new TextEncoder();
  const run = (...parameters: (string | Uint8Array)[]) =>
    readOutcome(
      engine.call(
        dispatch,
        parameters.map((one) => typeof one === "string" ? encoder.encode(one) : one),
      ),
      options,
    );
  let bloated = false;
  const loaded = run("load", script.source, script.name);
  if (loaded.outcome !== "ok") {
    engine.close();
    return { failed: loaded.text };
  }
  return {
    state: {
      get usable() {
        return engine.death === undefined && !bloated;
      },
      hello() {
        const greeted = run("hello");
        bloated = greeted.outcome === "failed" && engine.memoryBytes > options.memoryBytesMax / 2;
        return greeted;
      },
      close: () => engine.close(),
    },
  };
}

function startSandbox(engine: LuaEngine): LuaFunction {
  const source = new TextEncoder().encode("local sandbox = ... return sandbox(host)");
  const sandbox = onlyFunction(
    engine.load(new TextEncoder().encode(scriptSandbox), "=sandbox"),
  );
  const start = onlyFunction(engine.load(source, "=start"));
  const dispatch = onlyFunction(engine.call(start, [sandbox]));
  engine.release(sandbox);
  engine.release(start);
  return dispatch;
}

function onlyFunction(outcome: LuaOutcome): LuaFunction {
  const value = outcome.kind === "ok" ? outcome.values[0] : undefined;
  if (typeof value === "object" && "luaReference" in value) return value;
  const why = outcome.kind === "error" ? new TextDecoder().decode(outcome.message) : outcome.kind;
  throw new Error(`Cannot prepare a Lua state: ${why}`);
}

function readOutcome(outcome: LuaOutcome, options: ScriptStateOptions): ScriptOutcome {
  const failed = (text: string): ScriptOutcome => ({ outcome: "failed", text });
  switch (outcome.kind) {
    case "ok": {
      const [kind, text] = outcome.values.map((value) =>
        value instanceof Uint8Array ? new TextDecoder().decode(value) : ""
      );
      if (kind === "ok" || kind === "missing") return { outcome: kind, text: text ?? "" };
      return failed(text || "no reason was given");
    }
    case "error":
      if (outcome.cause === "time") return failed(tooLong(options.turnMs));
      if (outcome.cause === "memory") return failed(tooMuch(options.memoryBytesMax));
      return failed(new TextDecoder().decode(outcome.message));
    case "dead":
      if (outcome.cause === "time") return failed(tooLong(options.turnMs));
      if (outcome.cause === "memory") return failed(tooMuch(options.memoryBytesMax));
      return failed("the script broke its Lua state");
  }
}

/** The reason when a script was stopped for its time; the same in both kinds of hosts. */
export function tooLong(turnMs: number): string {
  return `the script ran longer than ${turnMs} ms`;
}

function tooMuch(bytes: number): string {
  return `the script used more than ${Math.floor(bytes / 1_048_576)} MiB of memory`;
}
