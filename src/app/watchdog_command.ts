import { childTokenVariable } from "../config/settings_keys.ts";
import type { Runtime } from "../ports/runtime.ts";
import { runWatchdog } from "../watchdog/watchdog.ts";
import type { Invocation } from "./invocation.ts";
import { settingsOf } from "./settings_of.ts";

/**
 * The verb `watchdog`: runs `serve` as a child and keeps it alive. Returns the exit code: 0 after a
 * signal, 2 for a wrong configuration or the restart limit, 3 for a failure of its own.
 */
export async function watchdogCommand(runtime: Runtime, invocation: Invocation): Promise<number> {
  const loaded = await settingsOf(runtime, invocation);
  if (loaded === undefined) return 2;
  const { settings, path, notices } = loaded;
  const { level, format } = settings.log;
  // The log file of the configuration is the server's: two programs cannot rotate one file.
  const log = runtime.log.open({
    level,
    format: format === "auto" ? runtime.process.isTerminal.stderr ? "pretty" : "json" : format,
    stderr: true,
  }).child({ part: "watchdog" });
  for (const notice of notices) log.warn({}, notice);
  try {
    return await runWatchdog(runtime, {
      settings,
      configPath: path ?? null,
      childTokenVariable,
      log,
    });
  } finally {
    log.close();
  }
}
