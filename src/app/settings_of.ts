import { showFault } from "../config/faults.ts";
import { type LoadInput, loadSettings } from "../config/load_settings.ts";
import type { Runtime } from "../ports/runtime.ts";
import { flagKey } from "./flag_spec.ts";
import type { Invocation, LoadedSettings } from "./invocation.ts";
import { verbs } from "./verbs.ts";

/**
 * The configuration of an invocation. When it cannot be used, prints one line for each fault to
 * stderr and gives undefined: the caller returns exit code 2.
 */
export async function settingsOf(
  runtime: Runtime,
  invocation: Invocation,
): Promise<LoadedSettings | undefined> {
  const loaded = await loadSettings(loadInputOf(runtime, invocation));
  if (loaded.ok) return loaded;
  for (const fault of loaded.faults) runtime.process.writeStderr(`${showFault(fault)}\n`);
  return undefined;
}

/** What an invocation's configuration is made of: files, environment and flags. */
export function loadInputOf(runtime: Runtime, invocation: Invocation): LoadInput {
  const { config } = invocation.flags;
  return {
    files: runtime.files,
    env: runtime.process.env,
    flags: settingsByPath(invocation),
    configPath: typeof config === "string" ? config : undefined,
  };
}

function settingsByPath({ verb, flags }: Invocation): Record<string, unknown> {
  const spec = verbs.find(({ name }) => name === verb);
  const byPath: Record<string, unknown> = {};
  for (const flag of spec?.flags ?? []) {
    if (flag.setting !== undefined) byPath[flag.setting] = flags[flagKey(flag)];
  }
  return byPath;
}
