/**
 * The schema of the configuration, made from the table of keys; the one place that knows the schema
 * library. It reports what is wrong with a document and yields the published JSON Schema.
 */
import * as z from "zod/mini";
import { parseAddressBlock } from "../base/address.ts";
import { nearestWord } from "../base/suggest.ts";
import { durationPattern, parseDuration, parseSize, sizePattern } from "../base/units.ts";
import { showFound, showKey, showSecret, unknownKey, wrongValue } from "./faults.ts";
import type { Fault, Place } from "./faults.ts";
import { allowedBy, allowedMember } from "./key_spec.ts";
import type { KeySpec } from "./key_spec.ts";
import { routesJsonSchema } from "./gateway_routes.ts";
import { ignoredGatewayKeys } from "./gateway_sections.ts";
import { goDurationPattern, parseNanoseconds } from "./nanoseconds.ts";
import { pathOf, sectionOf, settingKeys, settingSections } from "./settings_keys.ts";

/** More addresses than that belong into a firewall. */
const addressesMax = 1_000;

/** A document that holds only known keys with allowed values; texts with units are numbers in it. */
export interface CheckedDocument {
  /** By path: `tcp_port`, `log.level`. Keys that the document leaves out are absent. */
  readonly values: ReadonlyMap<string, unknown>;
}

/**
 * Checks a merged document. `placeOf` says where the value at a path came from; faults name that.
 */
export function checkDocument(
  document: unknown,
  placeOf: (path: string) => Place,
): { ok: true; document: CheckedDocument } | { ok: false; faults: Fault[] } {
  const { schema } = settingsSchema();
  const result = schema.safeParse(document, { reportInput: true });
  if (!result.success) {
    return { ok: false, faults: faultsOf(result.error.issues, placeOf) };
  }
  const values = new Map<string, unknown>();
  for (const path of settingKeys().keys()) {
    const value = valueAt(result.data, path);
    if (value !== undefined) values.set(path, value);
  }
  return { ok: true, document: { values } };
}

/** JSON Schema (draft 2020-12) of the configuration file, for editors and other programs. */
export function settingsJsonSchema(): Record<string, unknown> {
  const { schema, notes, routes } = settingsSchema();
  return {
    title: "Configuration of freekill-gw",
    ...z.toJSONSchema(schema, {
      io: "input",
      metadata: notes,
      override: ({ zodSchema, jsonSchema }) => {
        // The library leaves out the defaults of values that are transformed.
        const value = notes.get(zodSchema)?.default;
        if (value !== undefined) jsonSchema.default = value;
        if (zodSchema === routes) Object.assign(jsonSchema, routesJsonSchema);
      },
    }),
  };
}

type Notes = ReturnType<typeof z.registry<{ description: string; default?: unknown }>>;

function settingsSchema() {
  const notes: Notes = z.registry();
  const sections = settingSections();
  // Its rules are checked by themselves: there may be a million of them.
  const routes = z.optional(z.array(z.unknown()));
  const membersOf = (section: string): Record<string, z.ZodMiniType> => {
    const members: Record<string, z.ZodMiniType> = {};
    for (const [key, spec] of Object.entries(sections.get(section) ?? {})) {
      const schema = z.optional(schemaOf(spec));
      notes.add(schema, { description: spec.means, default: spec.default });
      members[key] = schema;
    }
    for (const [path, meant] of ignoredGatewayKeys) {
      if (sectionOf(path) !== section) continue;
      const schema = z.optional(z.unknown());
      notes.add(schema, { description: `${meant}: without effect, kept for old files` });
      members[path.slice(section.length + 1)] = schema;
    }
    for (const path of sections.keys()) {
      if (path === "" || sectionOf(path) !== section) continue;
      const inner = z.optional(z.strictObject(membersOf(path)));
      members[section === "" ? path : path.slice(section.length + 1)] = inner;
    }
    return members;
  };
  const schema = z.strictObject({ $schema: z.optional(z.string()), ...membersOf(""), routes });
  return { schema, notes, routes };
}

function schemaOf(spec: KeySpec): z.ZodMiniType {
  switch (spec.kind) {
    case "text":
      return z.string().check(z.regex(spec.pattern));
    case "choice":
      return z.enum(spec.choices);
    case "yes_no":
      return z.boolean();
    case "addresses":
      return z.array(z.string().check(z.refine((text) => parseAddressBlock(text) !== undefined)))
        .check(z.maxLength(addressesMax));
    case "texts":
      return z.array(z.string().check(z.regex(spec.member.pattern)))
        .check(z.maxLength(spec.membersMax));
    case "choices":
      return z.array(z.enum(spec.choices)).check(z.maxLength(spec.choices.length));
    case "whole":
      return whole(spec);
    case "ms":
      return z.union([whole(spec), unitText(durationPattern, parseDuration, spec)]);
    case "bytes":
      return z.union([whole(spec), unitText(sizePattern, parseSize, spec)]);
    case "share":
      return z.number().check(z.gte(spec.min), z.lte(spec.max));
    case "duration": {
      const range = { min: spec.minMs, max: spec.maxMs };
      const isInRange = (nanoseconds: number) => {
        const ms = parseNanoseconds(nanoseconds);
        return ms !== undefined && ms >= range.min && ms <= range.max;
      };
      const number = z.number().check(z.gte(0), z.refine(isInRange));
      return z.union([
        z.pipe(number, z.transform((nanoseconds: number) => parseNanoseconds(nanoseconds))),
        unitText(goDurationPattern, parseNanoseconds, range),
      ]);
    }
    case "seconds": {
      const seconds = z.number().check(z.gte(spec.min), z.lte(spec.max));
      const parse = (text: string) => (parseDuration(text) ?? NaN) / 1_000;
      return z.union([seconds, unitText(durationPattern, parse, spec)]);
    }
  }
}

function whole({ min, max }: { min: number; max: number }) {
  return z.int().check(z.gte(min), z.lte(max));
}

function unitText(
  pattern: RegExp,
  parse: (text: string) => number | undefined,
  { min, max }: { min: number; max: number },
) {
  const value = (text: string) => parse(text) ?? NaN;
  const isInRange = (text: string) => value(text) >= min && value(text) <= max;
  // In range as text already, so that a fault shows the text.
  const text = z.string().check(z.regex(pattern), z.refine(isInRange));
  return z.pipe(text, z.transform(value));
}

type Issue = z.core.$ZodIssue;

function faultsOf(issues: readonly Issue[], placeOf: (path: string) => Place): Fault[] {
  const specs = settingKeys();
  const faults = new Map<string, Fault>();
  for (const issue of issues) {
    const path = showPath(issue.path);
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) {
        const full = showPath([...issue.path, key]);
        const meant = meantBy(key, path, [...specs.keys()]);
        faults.set(full, unknownKey({ ...placeOf(full), meant }));
      }
      continue;
    }
    const spec = specs.get(path.replace(/\[\d+\]$/, ""));
    const secret = (spec?.kind === "text" || spec?.kind === "texts") && spec.secret === true;
    // A value that breaks several rules is one fault: what is allowed says them all.
    if (faults.has(path)) continue;
    faults.set(
      path,
      wrongValue({
        ...placeOf(path),
        found: secret ? showSecret(issue.input) : showFound(issue.input),
        allowed: spec === undefined
          ? allowedAt(path)
          : path.endsWith("]")
          ? allowedMember(spec)
          : allowedBy(spec),
      }),
    );
  }
  return [...faults.values()];
}

function allowedAt(path: string): string {
  if (path === "$schema") return "a text";
  return path === "routes" ? "a list of rules" : "an object";
}

/** Of the keys of the same section; or the same key in another section, where it would be right. */
function meantBy(key: string, section: string, paths: readonly string[]): string | undefined {
  const known = [...paths, ...settingSections().keys(), "routes"];
  const here = known.filter((path) => path !== "" && sectionOf(path) === section);
  const near = nearestWord(key, here.map((path) => path.slice(path.lastIndexOf(".") + 1)));
  if (near !== undefined) return pathOf(section, near);
  return paths.find((path) => path === key || path.endsWith(`.${key}`));
}

function showPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((shown, part) => {
    if (typeof part === "number") return `${shown}[${part}]`;
    const key = showKey(String(part));
    return shown === "" ? key : `${shown}.${key}`;
  }, "");
}

function valueAt(data: Readonly<Record<string, unknown>>, path: string): unknown {
  let value: unknown = data;
  for (const part of path.split(".")) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[part];
  }
  return value;
}
