import type { Settings } from "../config/settings.ts";

export type VerbName =
  | "serve"
  | "watchdog"
  | "admin"
  | "packages"
  | "api-token"
  | "check"
  | "completions"
  | "version"
  | "help";

/** One call of the program: a verb and its checked flags. */
export interface Invocation {
  readonly verb: VerbName;
  /**
   * Only flags that were given, spelled with `_` (`flags.timeout_ms`, `flags.require_udp`): text as
   * string, whole numbers and milliseconds and seconds as number, switches as boolean. Aliases are
   * under the first name (`--json-output` under `json`, `--config-json` under `config`).
   */
  readonly flags: Readonly<Record<string, unknown>>;
  /** What came besides flags; verbs that take nothing of the kind have none. */
  readonly words?: readonly string[];
}

/** The configuration that an invocation has, and where it came from. */
export interface LoadedSettings {
  readonly settings: Settings;
  /** The file that was read, if any, as it was named. */
  readonly path: string | undefined;
  /** `freekill.server.config.json`, if there is one. */
  readonly gamePath: string | undefined;
  /** Lines about what was ignored, or is not as usual, to be logged as warnings. */
  readonly notices: readonly string[];
}
