import { EmbeddedScript } from "../game/lua/embedded_script.ts";
import { NativeScript } from "../game/lua/native_script.ts";
import { ScriptRunner } from "../game/lua/script_runner.ts";
import type { ScriptBridge } from "../host/script_bridge.ts";
import type { Logger } from "../ports/log.ts";
import type { Runtime } from "../ports/runtime.ts";

/**
 * The host protocol's Lua script. `luaCommand` names a native Lua 5.4 to run it with (split at
 * spaces), "" means the embedded one in a worker. Returns at once: without a script nothing is ever
 * started, with one it is loaded at the first need or shortly after the start.
 */
export function openScriptBridge(
  options: {
    runtime: Pick<Runtime, "files" | "clock" | "workers" | "process">;
    scriptPath: string;
    luaCommand: string;
    /** How long one load or call may take, in milliseconds. */
    turnMs: number;
    /** How much memory the script's state may use, in MiB. */
    memoryMb: number;
    logger: Logger;
  },
): ScriptBridge {
  const { runtime, luaCommand } = options;
  return new ScriptRunner({
    files: runtime.files,
    clock: runtime.clock,
    logger: options.logger,
    scriptPath: options.scriptPath,
    turnMs: options.turnMs,
    memoryMb: options.memoryMb,
    openHost: (limits) =>
      luaCommand.trim() === ""
        ? new EmbeddedScript(runtime, limits)
        : new NativeScript(runtime, luaCommand, limits),
  });
}
