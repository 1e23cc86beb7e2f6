import { unreachable } from "../base/assert.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Invocation } from "./invocation.ts";

/**
 * Runs the program with the arguments of its process and gives its exit code: 0 done, 1 a check
 * failed, 2 a wrong flag or configuration, 3 a failure while running. Verbs are loaded only when
 * they are called, so that `version` stays fast. Never rejects.
 */
export async function runCli(runtime: Runtime): Promise<number> {
  runtime.process.onUncaught((error) => {
    report(runtime, error);
    runtime.process.exit(3);
  });
  try {
    return await run(runtime);
  } catch (error) {
    report(runtime, error);
    return 3;
  }
}

function report({ process }: Runtime, error: unknown): void {
  process.writeStderr(`${failureLine(error)}\n`);
  if (process.env.FREEKILL_GW_DEBUG === "1" && error instanceof Error) {
    process.writeStderr(`${error.stack ?? "no stack"}\n`);
  }
}

async function run(runtime: Runtime): Promise<number> {
  const { process } = runtime;
  const { readCommandLine } = await import("./command_line.ts");
  const commandLine = readCommandLine(process.args);
  switch (commandLine.kind) {
    case "run":
      return await runVerb(runtime, commandLine.invocation);
    case "help": {
      const { generalHelp, verbHelp } = await import("./help.ts");
      const { verb } = commandLine;
      process.writeStdout(verb === undefined ? generalHelp() : verbHelp(verb));
      return 0;
    }
    case "usage": {
      const { shortUsage } = await import("./help.ts");
      process.writeStderr(shortUsage());
      return 2;
    }
    case "refused":
      process.writeStderr(`${commandLine.reason}\n`);
      return 2;
    default:
      return unreachable(commandLine);
  }
}

async function runVerb(runtime: Runtime, invocation: Invocation): Promise<number> {
  if (invocation.flags.print_schema === true) {
    return (await import("./print_settings.ts")).printSchema(runtime);
  }
  if (invocation.flags.print_effective_config === true) {
    return await (await import("./print_settings.ts")).printEffectiveConfig(runtime, invocation);
  }
  switch (invocation.verb) {
    case "serve":
      return await (await import("./serve.ts")).serve(runtime, invocation);
    case "watchdog":
      return await (await import("./watchdog_command.ts")).watchdogCommand(runtime, invocation);
    case "admin":
      return await (await import("./admin_verb.ts")).adminVerb(runtime, invocation);
    case "packages":
      return await (await import("./packages_verb.ts")).packagesVerb(runtime, invocation);
    case "api-token":
      return await (await import("./api_token_verb.ts")).apiTokenVerb(runtime, invocation);
    case "check":
      return await (await import("./check_command.ts")).checkCommand(runtime, invocation);
    case "completions":
      return (await import("./shell_completions.ts")).printCompletions(runtime, invocation);
    case "version":
      return (await import("./version.ts")).printVersion(runtime, invocation);
    case "help":
      throw new Error("Broken invariant: help is answered before verbs are run");
    default:
      return unreachable(invocation.verb);
  }
}

/** Errors of the ports whose message is written for people already. */
const explainedErrors = ["BindError", "FileError", "SqliteError"];

function failureLine(error: unknown): string {
  const isError = error instanceof Error;
  const message = (isError ? error.message : String(error)).replace(/\s+/g, " ").trim();
  if (isError && explainedErrors.includes(error.name)) return `freekill-gw: ${message}`;
  const name = isError && error.name !== "Error" ? `${error.name}: ` : "";
  return `freekill-gw: internal error: ${name}${message}`;
}
