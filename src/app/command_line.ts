/** From the arguments of the program to an `Invocation`, or to one line that says what is wrong. */
import { parseArgs } from "@std/cli/parse-args";
import { nearestWord } from "../base/suggest.ts";
import { parseDuration, parseSize } from "../base/units.ts";
import { showFound, showSecret } from "../config/faults.ts";
import { allowedBy, valueOfText } from "../config/key_spec.ts";
import type { KeySpec } from "../config/key_spec.ts";
import { flagKey } from "./flag_spec.ts";
import type { FlagSpec } from "./flag_spec.ts";
import type { Invocation } from "./invocation.ts";
import { verbs } from "./verbs.ts";
import type { VerbSpec } from "./verbs.ts";

export type CommandLine =
  | { readonly kind: "run"; readonly invocation: Invocation }
  /** For one verb, or for the program. */
  | { readonly kind: "help"; readonly verb: VerbSpec | undefined }
  /** No verb was given. */
  | { readonly kind: "usage" }
  | { readonly kind: "refused"; readonly reason: string };

/** Reads the arguments; the first one is the verb. */
export function readCommandLine(args: readonly string[]): CommandLine {
  const [first, ...rest] = args;
  if (first === undefined) return { kind: "usage" };
  if (first === "--help" || first === "-h") return readHelp(rest);
  if (first === "help") return readHelp(rest);
  if (first === "--version" || first === "-V") return readVerb(verbNamed("version")!, rest);
  const verb = verbNamed(first);
  if (verb === undefined) return refuse(unknownVerb(first));
  if (isHelpAsked(rest)) return { kind: "help", verb };
  return readVerb(verb, rest);
}

function refuse(reason: string): CommandLine {
  return { kind: "refused", reason };
}

function verbNamed(name: string): VerbSpec | undefined {
  return verbs.find((verb) => verb.name === name);
}

function unknownVerb(word: string): string {
  const names = verbs.map((verb) => verb.name);
  if (word.startsWith("-")) {
    return `Missing verb before ${showFlag(word)}: it must be one of ${names.join(", ")}.`;
  }
  return `Unknown verb ${showFound(word)}.${hint(nearestWord(word, names))}`;
}

function hint(meant: string | undefined): string {
  return meant === undefined ? " See freekill-gw --help." : ` Did you mean ${meant}?`;
}

function readHelp(topics: readonly string[]): CommandLine {
  const asked = topics.filter((topic) => topic !== "--help" && topic !== "-h");
  const [topic, extra] = asked;
  if (extra !== undefined) return refuse(`help takes one verb, got ${showFound(extra)} as well.`);
  if (topic === undefined) return { kind: "help", verb: undefined };
  const verb = verbNamed(topic);
  return verb === undefined ? refuse(unknownVerb(topic)) : { kind: "help", verb };
}

/** Help wins over whatever else is there: who asks for it may not know the flags yet. */
function isHelpAsked(args: readonly string[]): boolean {
  const dashes = args.indexOf("--");
  const flags = dashes === -1 ? args : args.slice(0, dashes);
  return flags.includes("--help") || flags.includes("-h");
}

function readVerb(verb: VerbSpec, args: readonly string[]): CommandLine {
  const spelled = respell(verb, args);
  const isSwitch = (flag: FlagSpec) => flag.value.kind === "yes_no";
  const names = verb.flags.map((flag) => flag.name);
  let reason: string | undefined;
  const parsed = parseArgs(spelled, {
    boolean: verb.flags.filter(isSwitch).map((flag) => flag.name),
    string: [...verb.flags.filter((flag) => !isSwitch(flag)).map((flag) => flag.name), "_"],
    negatable: verb.flags.filter(isSwitch).map((flag) => flag.name),
    // All of them, so that an absent flag and one that comes twice can be told from the rest.
    collect: names,
    alias: Object.fromEntries(verb.flags.map((flag) => [flag.name, flag.aliases ?? []])),
    unknown: (arg, key) => {
      if (key === undefined && verb.takesWords) return true;
      reason ??= key === undefined ? unexpected(verb, arg) : unknownFlag(verb, arg);
      return false;
    },
  });
  if (reason !== undefined) return refuse(reason);
  const words = parsed._.map(String);
  if (words.length > 0 && !verb.takesWords) return refuse(unexpected(verb, words[0] ?? ""));

  const flags: Record<string, unknown> = {};
  for (const flag of verb.flags) {
    const given = parsed[flag.name];
    const values = Array.isArray(given) ? given : given === undefined ? [] : [given];
    if (values.length === 0) continue;
    if (values.length > 1) return refuse(`--${flag.name} may be given once, got it twice.`);
    const read = readFlag(flag, values[0], spelled);
    if (!read.ok) return refuse(read.reason);
    flags[flagKey(flag)] = read.value;
  }
  const clash = clashOf(verb, flags);
  if (clash !== undefined) return refuse(clash);
  const invocation = { verb: verb.name, flags, ...(verb.takesWords ? { words } : {}) };
  return { kind: "run", invocation };
}

/**
 * `--tcp_port 1` as `--tcp-port 1`, and an empty or negative value joined to its flag (`--file=`,
 * `--count=-1`), because the parser would not take it for a value.
 */
function respell(verb: VerbSpec, args: readonly string[]): string[] {
  const spelled: string[] = [];
  const takesValue = new Set(
    verb.flags.filter((flag) => flag.value.kind !== "yes_no")
      .flatMap((flag) => [flag.name, ...(flag.aliases ?? [])].map((name) => `--${name}`)),
  );
  for (const arg of args) {
    const [, name, rest = ""] = /^(--[^=]+)(=.*)?$/s.exec(arg) ?? [];
    const previous = spelled.at(-1);
    if (/^(-\d.*)?$/s.test(arg) && previous !== undefined && takesValue.has(previous)) {
      spelled[spelled.length - 1] = `${previous}=${arg}`;
    } else if (name === undefined) spelled.push(arg);
    else spelled.push(name.replaceAll("_", "-") + rest);
  }
  return spelled;
}

function unexpected(verb: VerbSpec, arg: string): string {
  return `${verb.name} takes flags only, got ${showFound(arg)}.`;
}

function unknownFlag(verb: VerbSpec, arg: string): string {
  const shown = showFlag(arg);
  const names = verb.flags.flatMap((flag) => [flag.name, ...(flag.aliases ?? [])]);
  const near = nearestWord(shown.replace(/^-+/, ""), names);
  const elsewhere = verbs.find((other) => other.flags.some((flag) => `--${flag.name}` === shown));
  if (near === undefined && elsewhere !== undefined) {
    return `Unknown flag ${shown} for ${verb.name}. It is a flag of ${elsewhere.name}.`;
  }
  const help = ` See freekill-gw ${verb.name} --help.`;
  return `Unknown flag ${shown} for ${verb.name}.${near === undefined ? help : hint(`--${near}`)}`;
}

/** Without its value, which may be a secret. */
function showFlag(arg: string): string {
  const name = arg.replace(/=.*$/s, "");
  return /^[\w.-]{1,64}$/.test(name) ? name : showFound(name);
}

type Read = { readonly ok: true; readonly value: unknown } | {
  readonly ok: false;
  readonly reason: string;
};

function readFlag(flag: FlagSpec, given: unknown, args: readonly string[]): Read {
  const name = `--${flag.name}`;
  const all = [name, ...(flag.aliases ?? []).map((alias) => `--${alias}`)];
  if (typeof given === "boolean") {
    const odd = args.find((arg) =>
      all.some((one) => arg.startsWith(`${one}=`)) && !/=(true|false)$/.test(arg)
    );
    if (odd === undefined) return { ok: true, value: given };
    return { ok: false, reason: `${name} takes no value but true or false.` };
  }
  const text = String(given);
  if (text === "" && !args.some((arg) => all.some((one) => arg === `${one}=`))) {
    return { ok: false, reason: `${name} needs a value: ${allowedBy(flag.value)}.` };
  }
  const value = valueOfText(flag.value, text);
  // The schema checks them together with the rest of the configuration.
  if (flag.setting !== undefined) return { ok: true, value };
  return checkValue(flag.value, name, value);
}

function checkValue(spec: KeySpec, name: string, value: unknown): Read {
  const isSecret = spec.kind === "text" && spec.secret === true;
  const found = isSecret ? showSecret(value) : showFound(value);
  const wrong: Read = { ok: false, reason: `${name} must be ${allowedBy(spec)}, got ${found}.` };
  switch (spec.kind) {
    case "text":
      return typeof value === "string" && spec.pattern.test(value) ? { ok: true, value } : wrong;
    case "choice":
      return spec.choices.some((choice) => choice === value) ? { ok: true, value } : wrong;
    case "whole":
    case "ms":
    case "seconds":
    case "bytes": {
      const number = typeof value === "string" ? valueWithUnit(spec.kind, value) : value;
      const inRange = typeof number === "number" && number >= spec.min && number <= spec.max;
      const mayBeFraction = spec.kind === "seconds";
      return inRange && (mayBeFraction || Number.isInteger(number))
        ? { ok: true, value: number }
        : wrong;
    }
    default:
      return { ok: true, value };
  }
}

function valueWithUnit(kind: "whole" | "ms" | "seconds" | "bytes", text: string) {
  if (kind === "bytes") return parseSize(text);
  const ms = kind === "whole" ? undefined : parseDuration(text);
  return kind === "seconds" && ms !== undefined ? ms / 1_000 : ms;
}

/** Flags that cannot stand together, or that do nothing without another. */
function clashOf(verb: VerbSpec, flags: Readonly<Record<string, unknown>>): string | undefined {
  const isGiven = (flag: FlagSpec) =>
    flags[flagKey(flag)] !== undefined && flags[flagKey(flag)] !== false;
  const modes = verb.flags.filter((flag) => flag.mode && isGiven(flag));
  const [one, two] = modes;
  if (one !== undefined && two !== undefined) {
    return `--${one.name} and --${two.name} cannot be used together: choose one.`;
  }
  const stray = verb.flags.find((flag) =>
    flag.only !== undefined && isGiven(flag) && one?.name !== flag.only
  );
  return stray && `--${stray.name} of ${verb.name} needs --${stray.only}.`;
}
