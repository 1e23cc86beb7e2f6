import type { Settings } from "../config/settings.ts";

export type VerbName = "serve" | "watchdog" | "check" | "version" | "help";

/** One call of the program: a verb and its checked flags. */
export interface Invocation {
  readonly verb: VerbName;
  /**
   * Only flags that were given, spelled with `_` (`flags.timeout_ms`, `flags.require_udp`): text as
   * string, whole numbers and milliseconds and seconds as number, switches as boolean. Aliases are
   * under the first name (`--json-output` under `json`, `--config-json` under `config`).
   */
  readonly flags: Readonly<Record<string, unknown>>;
}

/** The configuration that an invocation has, and where it came from. */
export interface LoadedSettings {
  readonly settings: Settings;
  /** The file that was read, if any, as it was named. */
  readonly path: string | undefined;
  /** Lines about what was ignored, to be logged as warnings. */
  readonly notices: readonly string[];
}
