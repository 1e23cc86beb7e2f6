/**
 * Command line arguments to an object, with the signature and semantics of `parseArgs` of JSR's
 * `@std/cli/parse-args` (v1), whose specifier is mapped to this file; its tests state them.
 */
export interface ParseOptions<
  B extends string = string,
  S extends string = string,
  C extends string = string,
  N extends string = string,
> {
  /** Puts what comes after `--` into the result's `--` instead of `_`. */
  readonly "--"?: boolean;
  /** Other names of a flag; the value is set under all of them. */
  readonly alias?: Readonly<Record<string, string | readonly string[]>>;
  /** Flags that never take the next argument as their value (save `true` and `false`) and are false
   * when absent. `true`: all of the form `--foo`. */
  readonly boolean?: boolean | B | readonly B[];
  /** Values for flags that are absent; dotted keys are allowed. */
  readonly default?: Readonly<Record<string, unknown>>;
  /** Takes everything from the first argument that is not a flag as it is. */
  readonly stopEarly?: boolean;
  /** Flags whose value stays a string even if it looks like a number; `_` names the positionals. */
  readonly string?: S | readonly S[];
  /** Flags whose values are gathered in an array; empty when absent and of a known type. */
  readonly collect?: C | readonly C[];
  /** Flags that `--no-foo` sets to false. */
  readonly negatable?: N | readonly N[];
  /** Called for each flag that no option names (aliases count as named), and for each positional
   * argument, then with `arg` alone. `false` leaves it out. */
  readonly unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** What `parseArgs` gives: the positional arguments in `_`, and each flag under its name. */
export type Args<
  B extends string = never,
  S extends string = never,
  C extends string = never,
  N extends string = never,
> =
  & { [name in Exclude<B, C>]: boolean }
  & { [name in Exclude<S, C | N>]?: string }
  & { [name in Exclude<S & N, C>]?: string | false }
  & { [name in S & C]: string[] | (name extends N ? false : never) }
  & { [name in B & C]: boolean[] | (name extends N ? false : never) }
  & { [name in Exclude<C, B | S>]?: unknown[] | (name extends N ? false : never) }
  & { _: (string | number)[]; "--"?: string[] }
  & { [name: string]: unknown };

/**
 * Parses `args` (without the program's name). `--a=1`, `--a 1`, `-a 1`, `-a1`, `-abc` (three flags);
 * `--a.b 1` nests; what looks like a number becomes one unless the flag is a `string`. Never throws
 * for any input.
 */
export function parseArgs<
  const B extends string = never,
  const S extends string = never,
  const C extends string = never,
  const N extends string = never,
>(args: readonly string[], options: ParseOptions<B, S, C, N> = {}): Args<B, S, C, N> {
  const rules = rulesOf(options);
  const result: Nested = { _: [] };
  const positional: (string | number)[] = [];
  const dashes = args.indexOf("--");
  const before = dashes === -1 ? args : args.slice(0, dashes);
  const after = dashes === -1 ? [] : args.slice(dashes + 1);
  const set = (flag: Flag) => setFlag(result, rules, options.unknown, flag);

  let at = 0;
  while (at < before.length) {
    const arg = before[at]!;
    const next = before[at + 1];
    at += 1;
    if (arg.startsWith("--")) at += readLong({ arg, next, rules, set });
    else if (arg.startsWith("-") && arg.length > 1) at += readShort({ arg, next, rules, set });
    else {
      if (options.unknown?.(arg) !== false) {
        positional.push(rules.string.has("_") ? arg : numberOr(arg));
      }
      if (options.stopEarly) {
        positional.push(...before.slice(at));
        break;
      }
    }
  }

  fillAbsent(result, rules, options.default ?? {});
  if (options["--"]) result["--"] = [...after];
  else positional.push(...after);
  result._ = positional;
  return result as Args<B, S, C, N>;
}

type Nested = Record<string, unknown>;

interface Flag {
  readonly arg: string;
  readonly key: string;
  readonly value: string | boolean;
  /** Whether the value is added to those of a `collect` flag; a `--no-` one replaces them. */
  readonly add: boolean;
}

interface Rules {
  readonly allBoolean: boolean;
  readonly boolean: ReadonlySet<string>;
  readonly string: ReadonlySet<string>;
  readonly collect: ReadonlySet<string>;
  readonly negatable: ReadonlySet<string>;
  /** Each name of a flag to all its other names. */
  readonly others: ReadonlyMap<string, readonly string[]>;
}

interface Reading {
  readonly arg: string;
  readonly next: string | undefined;
  readonly rules: Rules;
  readonly set: (flag: Flag) => void;
}

function rulesOf(options: ParseOptions): Rules {
  const others = new Map<string, readonly string[]>();
  for (const [name, alias] of Object.entries(options.alias ?? {})) {
    const all = [name, ...(typeof alias === "string" ? [alias] : alias)];
    for (const one of all) others.set(one, all.filter((other) => other !== one));
  }
  const names = (given: boolean | string | readonly string[] | undefined) => {
    const listed = typeof given === "string" ? [given] : Array.isArray(given) ? given : [];
    return new Set<string>(listed.flatMap((name) => [name, ...(others.get(name) ?? [])]));
  };
  return {
    allBoolean: options.boolean === true,
    boolean: names(options.boolean),
    string: names(options.string),
    collect: names(options.collect),
    negatable: names(options.negatable),
    others,
  };
}

/** Returns how many further arguments it took. */
function readLong({ arg, next, rules, set }: Reading): 0 | 1 {
  const equals = arg.indexOf("=", 3);
  if (equals !== -1) {
    const key = arg.slice(2, equals);
    const text = arg.slice(equals + 1);
    set({ arg, key, value: rules.boolean.has(key) ? text !== "false" : text, add: true });
    return 0;
  }
  const key = arg.slice(2);
  const negated = key.startsWith("no-") ? key.slice(3) : "";
  if (rules.negatable.has(negated)) {
    set({ arg, key: negated, value: false, add: false });
    return 0;
  }
  return readValue({ arg, next, rules, set }, key, next !== undefined && !next.startsWith("-"));
}

/** `-a`, `-abc`, `-n5`, `-n=5`, `-f/path`: each letter is a flag, the last may take a value. */
function readShort(reading: Reading): 0 | 1 {
  const { arg, next, rules, set } = reading;
  const letters = arg.slice(1);
  for (let at = 0; at < letters.length - 1; at++) {
    const key = letters[at]!;
    const rest = letters.slice(at + 1);
    if (rest === "-") {
      set({ arg, key, value: "-", add: true });
      return 0;
    }
    const value = attachedValue(key, rest);
    if (value !== undefined) {
      set({ arg, key, value, add: true });
      return 0;
    }
    set({ arg, key, value: rules.string.has(key) ? "" : true, add: true });
  }
  const isValue = next !== undefined &&
    (next === "-" || next.startsWith("--") && next.length === 2 ||
      !next.startsWith("-"));
  return readValue(reading, letters.at(-1)!, isValue);
}

/** The value that stands directly after a letter, if one does. */
function attachedValue(key: string, rest: string): string | undefined {
  if (/^[A-Za-z]$/.test(key)) {
    if (rest.startsWith("=")) return rest.slice(1);
    if (/^-?\d+(\.\d*)?(e-?\d+)?$/.test(rest)) return rest;
  }
  return /^\W/.test(rest) ? rest : undefined;
}

function readValue({ arg, next, rules, set }: Reading, key: string, nextIsValue: boolean): 0 | 1 {
  const takesNone = rules.boolean.has(key) || rules.allBoolean && arg.startsWith("--");
  if (nextIsValue && next && !takesNone) {
    set({ arg, key, value: next, add: true });
    return 1;
  }
  if (next === "true" || next === "false") {
    set({ arg, key, value: next === "true", add: true });
    return 1;
  }
  set({ arg, key, value: rules.string.has(key) ? "" : true, add: true });
  return 0;
}

function setFlag(
  result: Nested,
  rules: Rules,
  unknown: ParseOptions["unknown"],
  { arg, key, value, add }: Flag,
): void {
  const known = rules.boolean.has(key) || rules.string.has(key) || rules.others.has(key) ||
    rules.allBoolean && /^--[^=]+$/.test(arg);
  if (!known && unknown?.(arg, key, value) === false) return;
  const typed = typeof value === "string" && !rules.string.has(key) ? numberOr(value) : value;
  for (const name of [key, ...(rules.others.get(key) ?? [])]) {
    setNested(result, name, typed, add && rules.collect.has(key));
  }
}

function fillAbsent(
  result: Nested,
  rules: Rules,
  defaults: Readonly<Record<string, unknown>>,
): void {
  for (const [key, value] of Object.entries(defaults)) {
    if (hasNested(result, key)) continue;
    for (const name of [key, ...(rules.others.get(key) ?? [])]) {
      setNested(result, name, value, false);
    }
  }
  for (const key of rules.boolean) {
    if (!hasNested(result, key)) {
      setNested(result, key, rules.collect.has(key) ? [] : false, false);
    }
  }
  for (const key of rules.string) {
    if (rules.collect.has(key) && !hasNested(result, key)) {
      setNested(result, key, [], false);
    }
  }
}

function numberOr(text: string): string | number {
  const looksLikeOne = /^0x[0-9a-f]+$/i.test(text) ||
    /^[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?$/i.test(text);
  return looksLikeOne ? Number(text) : text;
}

/** Own properties alone, so that `--__proto__.x` stays data and never reaches a prototype. */
function setNested(root: Nested, key: string, value: unknown, add: boolean): void {
  const path = key.split(".");
  const last = path.pop()!;
  let place = root;
  for (const part of path) {
    const inner = ownValue(place, part);
    if (isNested(inner)) place = inner;
    else {
      const made: Nested = {};
      setOwn(place, part, made);
      place = made;
    }
  }
  if (!add) return setOwn(place, last, value);
  const earlier = ownValue(place, last);
  if (Array.isArray(earlier)) earlier.push(value);
  else setOwn(place, last, earlier === undefined || earlier === false ? [value] : [earlier, value]);
}

function hasNested(root: Nested, key: string): boolean {
  const path = key.split(".");
  const last = path.pop()!;
  let place: unknown = root;
  for (const part of path) place = isNested(place) ? ownValue(place, part) : undefined;
  return isNested(place) && Object.hasOwn(place, last);
}

function isNested(value: unknown): value is Nested {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function ownValue(object: Nested, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function setOwn(object: Nested, key: string, value: unknown): void {
  Object.defineProperty(object, key, {
    value,
    enumerable: true,
    writable: true,
    configurable: true,
  });
}
