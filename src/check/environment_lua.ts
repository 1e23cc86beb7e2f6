import type { Runtime } from "../ports/runtime.ts";
import type { EnvironmentParts, Finding } from "./environment.ts";
import { ProbeFailure, reasonOf, show, within } from "./probe_failure.ts";

/** What became of loading the script and calling its greeting. */
export type ScriptOutcome =
  | { readonly kind: "ok"; readonly version: string }
  | { readonly kind: "missing"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string };
export type ScriptTrial = () => Promise<ScriptOutcome>;

/** Loading takes milliseconds, and the script's own turn is bounded by `lua_turn_ms`. */
const trialSlackMs = 10_000;

/** Starting a native Lua takes milliseconds. */
const luaCommandMs = 5_000;

/** Modules that game packages expect of a native Lua, with the system packages that hold them. */
const luaModules = new Map([["socket", "lua-socket"], ["lfs", "lua-filesystem"]]);

/** Prints the version, then one line for each module that is missing. */
const moduleTest = [
  "print(_VERSION)",
  ...[...luaModules.keys()].map((name) =>
    `if not pcall(require, "${name}") then print("missing ${name}") end`
  ),
].join("\n");

/** Whether the configured script is there, compiles and greets. */
export async function checkScript(parts: EnvironmentParts): Promise<Finding[]> {
  const { runtime, settings } = parts;
  const name = "lua script";
  const path = settings.lua_script_path;
  if (path === "") return [{ name, status: "ok", found: "none is set", advice: "" }];
  const fail = (found: string, advice: string): Finding[] => [
    { name, status: "failed", found, advice },
  ];
  if ((await runtime.files.info(path))?.kind !== "file") {
    return fail(`"${path}" is no file`, "set lua_script_path to a script, or to nothing");
  }
  try {
    const outcome = await within(runtime.clock, parts.tryScript(), {
      ms: settings.lua_turn_ms + trialSlackMs,
      what: `loading of "${path}"`,
    });
    switch (outcome.kind) {
      case "ok":
        return [{
          name,
          status: "ok",
          found: `"${path}" greets with ${show(outcome.version)}`,
          advice: "",
        }];
      case "missing":
        return [{
          name,
          status: "warning",
          found: `"${path}": ${outcome.reason}`,
          advice: "probes will be answered v0: define a global function runtime_hello()",
        }];
      case "failed":
        return fail(`"${path}": ${outcome.reason}`, "mend the script");
    }
  } catch (error) {
    if (!(error instanceof ProbeFailure)) throw error;
    return fail(error.message, "mend the script");
  }
}

/** Whether the native Lua starts and has the modules that games want. */
export async function checkLuaCommand(runtime: Runtime, command: string): Promise<Finding[]> {
  const name = "lua_command";
  if (command === "") return [{ name, status: "ok", found: "the embedded Lua", advice: "" }];
  const advice = "set lua_command to a Lua 5.4, or to nothing for the embedded one";
  let output: string;
  try {
    output = await runLua(runtime, command);
  } catch (error) {
    const found = `"${command}" does not run: ${reasonOf(error)}`;
    return [{ name, status: "failed", found, advice }];
  }
  const [version = "", ...missing] = output.trim().split("\n");
  if (version !== "Lua 5.4") {
    const found = `"${command}" calls itself ${show(version)}, not Lua 5.4`;
    return [{ name, status: "failed", found, advice }];
  }
  return [
    { name, status: "ok", found: `"${command}" is ${version}`, advice: "" },
    ...missing.map((line) => missingModule(line.replace("missing ", ""))),
  ];
}

function missingModule(module: string): Finding {
  return {
    name: "lua_command",
    status: "note",
    found: `module ${module} is missing`,
    advice: `only games need it: install ${luaModules.get(module) ?? module}`,
  };
}

async function runLua(runtime: Runtime, command: string): Promise<string> {
  let output = "";
  let errors = "";
  const decoder = new TextDecoder();
  const child = await runtime.process.spawn(command, {
    args: ["-e", moduleTest],
    stdout: (bytes) => output += decoder.decode(bytes, { stream: true }),
    stderr: (bytes) => errors += new TextDecoder().decode(bytes.subarray(0, 1_000)),
  });
  try {
    const exit = await within(runtime.clock, child.exited, {
      ms: luaCommandMs,
      what: "end of its test",
    });
    if (exit.code !== 0) throw new ProbeFailure(`exit code ${exit.code}: ${show(errors)}`);
    return output;
  } finally {
    child.kill("SIGKILL");
  }
}
