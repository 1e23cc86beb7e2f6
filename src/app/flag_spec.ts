import { showDefault } from "../config/key_spec.ts";
import type { KeySpec } from "../config/key_spec.ts";
import { flagOf } from "../config/settings_keys.ts";

/** A flag of a verb. Help, parsing and suggestions all come from it. */
export interface FlagSpec {
  /** Without dashes: `tcp-port`. */
  readonly name: string;
  /** Other spellings. */
  readonly aliases?: readonly string[];
  /** What its value may be; a `yes_no` flag takes none. */
  readonly value: KeySpec;
  /** The key of the configuration that it sets; such values are checked with the configuration. */
  readonly setting?: string;
  /** At most one flag of a verb may be of its modes. */
  readonly mode?: true;
  /** The mode that it belongs to. */
  readonly only?: string;
}

/** A flag for each of these keys; `prefix` is their section (`log.`). */
export function settingFlags(
  keys: Readonly<Record<string, KeySpec>>,
  prefix: "" | "log." | "watchdog.",
): FlagSpec[] {
  return Object.entries(keys).map(([key, value]) => ({
    name: flagOf(prefix + key).slice(2),
    value,
    setting: prefix + key,
  }));
}

/** A flag without value. */
export function switchFlag(
  name: string,
  means: string,
  more: Pick<FlagSpec, "aliases" | "mode" | "only"> = {},
): FlagSpec {
  return { name, value: { kind: "yes_no", default: false, means }, ...more };
}

/** A flag that names a file. */
export function fileFlag(
  name: string,
  means: string,
  more: Pick<FlagSpec, "aliases"> & { shownDefault: string },
): FlagSpec {
  const { shownDefault, ...rest } = more;
  return {
    name,
    value: {
      kind: "text",
      default: "",
      pattern: /^[^\p{Cc}]{1,4096}$/u,
      allowed: "a path of 1–4,096 characters",
      means,
      shownDefault,
    },
    ...rest,
  };
}

/** A flag with a number that belongs to one mode. */
export function numberFlag(
  name: string,
  value: {
    means: string;
    kind: "whole" | "ms" | "seconds";
    default: number;
    min: number;
    max: number;
    shownDefault?: string;
  },
  only: string,
): FlagSpec {
  return { name, value, only };
}

/** What stands for the value in help: `--tcp-port N`. */
export function valueName(flag: FlagSpec): string {
  switch (flag.value.kind) {
    case "yes_no":
      return "";
    case "whole":
      return " N";
    case "ms":
      return " MS";
    case "seconds":
      return " S";
    case "bytes":
      return " SIZE";
    case "choice":
      return " NAME";
    case "addresses":
      return " LIST";
    default:
      return /path|config|output|file/.test(flag.name) ? " FILE" : " TEXT";
  }
}

/** The end of a flag's line in help: its choices and its default, unless it is a switch. */
export function valueNote({ value }: FlagSpec): string {
  if (value.kind === "yes_no") return "";
  const choices = value.kind === "choice" ? `: ${value.choices.join(", ")}` : "";
  return `${choices} (default: ${showDefault(value)})`;
}

/** How flags are spelled in `Invocation.flags`. */
export function flagKey(flag: FlagSpec): string {
  return flag.name.replaceAll("-", "_");
}
