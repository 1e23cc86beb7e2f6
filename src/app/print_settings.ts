import { effectiveConfig } from "../config/effective_config.ts";
import { settingsJsonSchema } from "../config/settings_schema.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Invocation } from "./invocation.ts";
import { settingsOf } from "./settings_of.ts";

/** `--print-schema`: the JSON Schema of the configuration file. Returns the exit code. */
export function printSchema(runtime: Runtime): number {
  runtime.process.writeStdout(`${JSON.stringify(settingsJsonSchema(), null, 2)}\n`);
  return 0;
}

/** `--print-effective-config`: what would be used, without secrets. Returns the exit code. */
export async function printEffectiveConfig(
  runtime: Runtime,
  invocation: Invocation,
): Promise<number> {
  const loaded = await settingsOf(runtime, invocation);
  if (loaded === undefined) return 2;
  for (const notice of loaded.notices) runtime.process.writeStderr(`${notice}\n`);
  runtime.process.writeStdout(`${JSON.stringify(effectiveConfig(loaded.settings), null, 2)}\n`);
  return 0;
}
