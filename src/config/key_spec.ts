/** What is known of one key of the configuration, and how its values are read and shown. */
import { unreachable } from "../base/assert.ts";
import { showDuration, showSize } from "../base/units.ts";
import { parseNanoseconds } from "./nanoseconds.ts";

export type KeySpec =
  | TextSpec
  | ChoiceSpec<string>
  | NumberSpec
  | DurationSpec
  | YesNoSpec
  | AddressesSpec
  | TextsSpec
  | ChoicesSpec<string>;

interface Described {
  /** One sentence without a full stop, for help and schema. */
  readonly means: string;
  /** Shown in help instead of the default, where a flag has none of its own. */
  readonly shownDefault?: string;
}

export interface TextSpec extends Described {
  readonly kind: "text";
  readonly default: string;
  readonly pattern: RegExp;
  /** The pattern in words. */
  readonly allowed: string;
  /** Never shown, neither in faults nor in the effective configuration. */
  readonly secret?: true;
}

export interface ChoiceSpec<T extends string> extends Described {
  readonly kind: "choice";
  readonly default: T;
  readonly choices: readonly T[];
}

export interface NumberSpec extends Described {
  /** `ms` (whole), `seconds` (with fractions) and `bytes` (whole) may be texts with a unit too;
   * `share` is a plain number with a fraction. */
  readonly kind: "whole" | "ms" | "seconds" | "bytes" | "share";
  readonly default: number;
  readonly min: number;
  readonly max: number;
}

/** As Go programs write it: a text with units, or a number of nanoseconds. Once checked it is a whole
 * number of milliseconds. */
export interface DurationSpec extends Described {
  readonly kind: "duration";
  readonly default: string;
  readonly minMs: number;
  readonly maxMs: number;
}

export interface YesNoSpec extends Described {
  readonly kind: "yes_no";
  readonly default: boolean;
}

export interface AddressesSpec extends Described {
  readonly kind: "addresses";
  readonly default: readonly string[];
}

export interface TextsSpec extends Described {
  readonly kind: "texts";
  readonly default: readonly string[];
  readonly membersMax: number;
  /** What each of them must be. */
  readonly member: { readonly pattern: RegExp; readonly allowed: string };
  /** One that is refused may be a secret: it is not shown. */
  readonly secret?: true;
}

/** Any number of fixed words. */
export interface ChoicesSpec<T extends string> extends Described {
  readonly kind: "choices";
  readonly default: readonly T[];
  readonly choices: readonly T[];
}

/** Stands for the type of a key that `DurationSpec` describes. */
export interface Duration {
  readonly ms: number;
}

// In brackets, so that a union of choices is taken whole.
type SpecOf<T> = [T] extends [number] ? NumberSpec
  : [T] extends [Duration] ? DurationSpec
  : [T] extends [boolean] ? YesNoSpec
  : [T] extends [readonly (infer Member extends string)[]]
    ? (string extends Member ? AddressesSpec | TextsSpec : ChoicesSpec<Member>)
  : [T] extends [string] ? (string extends T ? TextSpec : ChoiceSpec<T>)
  : never;
/** A specification for each key of a section, of the kind that its type asks for. */
export type SpecsOf<Section> = { readonly [key in keyof Section]: SpecOf<Section[key]> };

/** What is allowed, to follow "must be". */
export function allowedBy(spec: KeySpec): string {
  switch (spec.kind) {
    case "text":
      return spec.allowed;
    case "choice":
      return `one of ${showChoices(spec.choices)}`;
    case "yes_no":
      return "true or false";
    case "addresses":
      return "a list of at most 1000 IP addresses or CIDR blocks";
    case "texts":
      return `a list of at most ${spec.membersMax} texts`;
    case "choices":
      return `a list of ${showChoices(spec.choices)}`;
    case "whole":
      return `${spec.min}–${spec.max}`;
    case "ms":
      return `${spec.min}–${spec.max} (ms), or a text such as "500ms"`;
    case "seconds":
      return `${spec.min}–${spec.max} (seconds), or a text such as "90s"`;
    case "bytes":
      return `${spec.min}–${spec.max} (bytes), or a text such as "10MiB"`;
    case "share":
      return `${spec.min}–${spec.max}`;
    case "duration": {
      const range = `${showDuration(spec.minMs)}–${showDuration(spec.maxMs)}`;
      return `${range}, as a text such as "90s" or a number of nanoseconds`;
    }
    default:
      return unreachable(spec);
  }
}

/** What is allowed of one member of a list; of other values, the same as `allowedBy`. */
export function allowedMember(spec: KeySpec): string {
  switch (spec.kind) {
    case "addresses":
      return "an IP address or CIDR block";
    case "texts":
      return spec.member.allowed;
    case "choices":
      return `one of ${showChoices(spec.choices)}`;
    default:
      return allowedBy(spec);
  }
}

function showChoices(choices: readonly string[]): string {
  return choices.map((choice) => `"${choice}"`).join(", ");
}

/**
 * The value that a text from the command line or the environment stands for. What cannot be read as
 * its kind comes back as the text itself, for the schema to refuse.
 */
export function valueOfText(spec: KeySpec, text: string): unknown {
  switch (spec.kind) {
    case "text":
    case "choice":
      return text;
    case "yes_no":
      if (/^(true|yes|on|1)$/i.test(text)) return true;
      return /^(false|no|off|0)$/i.test(text) ? false : text;
    case "addresses":
    case "texts":
    case "choices":
      return text.split(",").map((part) => part.trim()).filter((part) => part !== "");
    case "whole":
    case "ms":
    case "seconds":
    case "bytes":
    case "share":
    case "duration":
      return /^[-+]?\d{1,16}(\.\d{1,16})?$/.test(text) ? Number(text) : text;
    default:
      return unreachable(spec);
  }
}

/** The default in the form of a value that was checked. */
export function defaultValue(spec: KeySpec): unknown {
  return spec.kind === "duration" ? parseNanoseconds(spec.default) : spec.default;
}

/** The default as people write it. */
export function showDefault(spec: KeySpec): string {
  if (spec.shownDefault !== undefined) return spec.shownDefault;
  switch (spec.kind) {
    case "bytes":
      return showSize(spec.default);
    case "text":
      return spec.default === "" ? '""' : spec.default;
    case "addresses":
    case "texts":
    case "choices":
      return "none";
    default:
      return String(spec.default);
  }
}
