/** What the API takes and gives: one set of schemas for checking, types and the published document. */
import * as z from "zod/mini";
import { unreachable } from "../base/assert.ts";
import { showFound } from "./faults.ts";

const pageMax = 1_000;
const pageDefault = 100;
const messageIdBytesMax = 256;
const contentTypeCharsMax = 256;

const limit = decimalBetween(1, pageMax);
const offset = decimalBetween(0, Number.MAX_SAFE_INTEGER);
const clientId = z.string().check(z.minLength(1), z.maxLength(256));

const message = {
  type: z._default(z.union([z.literal(0), z.literal(1), z.literal(2)]), 0),
  data: z.string(),
  messageId: z._default(z.string().check(z.refine(fitsMessageId)), ""),
  contentType: z._default(z.string().check(z.maxLength(contentTypeCharsMax)), ""),
};

const rule = z.strictObject({
  clientIdPrefix: z.string().check(z.maxLength(256)),
  upstream: z.optional(z.string()),
  upstreams: z.optional(z.array(z.string()).check(z.minLength(1), z.maxLength(64))),
  strategy: z.optional(z.enum(["hash", "round-robin", "least-pending"])),
});

const connection = z.object({
  clientId: z.string(),
  remoteHost: z.string(),
  remotePort: z.number(),
  bufferedBytes: z.number(),
  silentMs: z.number(),
});

const routesChanged = z.object({ routes: z.number(), persistent: z.literal(false) });

/** By name: what may be in the path, in the query and in the body, and what comes back. */
export const apiSchemas = {
  sendToClient: {
    params: z.object({ clientId }),
    query: z.strictObject({}),
    body: z.strictObject(message),
    result: z.object({ outcome: z.enum(["sent", "kept"]) }),
  },
  sendToUpstream: {
    params: z.object({ clientId }),
    query: z.strictObject({}),
    body: z.strictObject({
      ...message,
      priority: z._default(z.int().check(z.gte(0), z.lte(9)), 0),
    }),
    result: z.object({ durable: z.boolean() }),
  },
  readHistory: {
    params: z.object({ clientId }),
    query: z.strictObject({
      limit: z._default(limit, pageDefault),
      after: z._default(z.string().check(z.refine(fitsMessageId)), ""),
      before: z._default(z.string().check(z.refine(fitsMessageId)), ""),
    }),
    body: z.undefined(),
    result: z.object({
      messages: z.array(
        z.object({ direction: z.enum(["up", "down"]), time: z.string(), message: z.string() }),
      ),
    }),
  },
  forgetHistory: {
    params: z.object({ clientId }),
    query: z.strictObject({}),
    body: z.undefined(),
    result: z.object({ forgotten: z.number() }),
  },
  listConnections: {
    params: z.object({}),
    query: z.strictObject({
      limit: z._default(limit, pageDefault),
      offset: z._default(offset, 0),
    }),
    body: z.undefined(),
    result: z.object({ total: z.number(), connections: z.array(connection) }),
  },
  getConnection: {
    params: z.object({ clientId }),
    query: z.strictObject({}),
    body: z.undefined(),
    result: connection,
  },
  kick: {
    params: z.object({ clientId }),
    query: z.strictObject({}),
    body: z.undefined(),
    result: z.object({ kicked: z.literal(true) }),
  },
  listRoutes: {
    params: z.object({}),
    query: z.strictObject({
      limit: z._default(limit, pageDefault),
      offset: z._default(offset, 0),
    }),
    body: z.undefined(),
    result: z.object({ total: z.number(), routes: z.array(rule) }),
  },
  replaceRoutes: {
    params: z.object({}),
    query: z.strictObject({}),
    body: z.strictObject({ routes: z.array(rule) }),
    result: routesChanged,
  },
  setRoute: {
    params: z.object({}),
    query: z.strictObject({}),
    body: rule,
    result: routesChanged,
  },
  deleteRoute: {
    params: z.object({}),
    query: z.strictObject({ clientIdPrefix: z.string().check(z.maxLength(256)) }),
    body: z.undefined(),
    result: routesChanged,
  },
  readDeadLetters: {
    params: z.object({}),
    query: z.strictObject({ limit: z._default(limit, pageDefault) }),
    body: z.undefined(),
    result: z.object({
      deadLetters: z.array(z.object({
        time: z.string(),
        reason: z.string(),
        direction: z.enum(["up", "down"]),
        clientId: z.string(),
        messageId: z.string(),
        message: z.string(),
      })),
    }),
  },
  readStats: {
    params: z.object({}),
    query: z.strictObject({}),
    body: z.undefined(),
    result: z.object({
      figures: z.record(z.string(), z.number()),
      upstreams: z.array(
        z.object({ url: z.string(), isOpen: z.boolean(), pending: z.number() }),
      ),
    }),
  },
  reload: {
    params: z.object({}),
    query: z.strictObject({}),
    body: z.undefined(),
    result: z.object({
      changed: z.array(z.string()),
      needRestart: z.array(z.string()),
      routes: z.number(),
      certificate: z.enum(["none", "unchanged", "taken_over", "refused"]),
      notices: z.array(z.string()),
    }),
  },
} as const;

export type ApiOperation = keyof typeof apiSchemas;

/** What an operation gets, checked. */
export interface ApiInput<Name extends ApiOperation> {
  readonly params: z.infer<(typeof apiSchemas)[Name]["params"]>;
  readonly query: z.infer<(typeof apiSchemas)[Name]["query"]>;
  readonly body: z.infer<(typeof apiSchemas)[Name]["body"]>;
}

/** What an operation gives. */
export type ApiResult<Name extends ApiOperation> = z.infer<(typeof apiSchemas)[Name]["result"]>;

/** One thing that is wrong with a request: `body.data must be a text, got 5`. */
export interface ApiFault {
  readonly path: string;
  readonly problem: string;
}

/** Checks what came; faults name their places. */
export function checkApiInput<Name extends ApiOperation>(
  name: Name,
  given: { readonly params: unknown; readonly query: unknown; readonly body: unknown },
): { ok: true; input: ApiInput<Name> } | { ok: false; faults: ApiFault[] } {
  const schemas = apiSchemas[name];
  const faults: ApiFault[] = [];
  const input: Record<string, unknown> = {};
  for (const part of ["params", "query", "body"] as const) {
    const result = z.safeParse(schemas[part], given[part], { reportInput: true });
    if (result.success) input[part] = result.data;
    else faults.push(...result.error.issues.map((issue) => faultOf(part, issue)));
  }
  if (faults.length > 0) return { ok: false, faults: faults.slice(0, faultsShownMax) };
  // The schemas of this operation have made each part.
  return { ok: true, input: input as unknown as ApiInput<Name> };
}

/** More would only repeat. */
const faultsShownMax = 20;

function faultOf(part: "params" | "query" | "body", issue: z.core.$ZodIssue): ApiFault {
  const steps = issue.path.map((step) =>
    typeof step === "number" ? `[${step}]` : `.${shown(step)}`
  );
  const path = part + steps.join("");
  if (issue.code === "unrecognized_keys") {
    const keys = issue.keys.slice(0, 3).map(shown).join(", ");
    return { path, problem: `${path} has unknown members: ${keys}` };
  }
  const found = issue.input === undefined ? "nothing" : showFound(issue.input);
  return { path, problem: `${path} must be ${allowedBy(issue)}, got ${found}` };
}

function shown(key: PropertyKey): string {
  const text = String(key);
  return /^[\w-]{1,64}$/.test(text) ? text : showFound(text);
}

function allowedBy(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return typeNames[issue.expected] ?? issue.expected;
    case "too_small":
      return issue.origin === "string"
        ? `at least ${issue.minimum} long`
        : `${issue.minimum} or more`;
    case "too_big":
      return issue.origin === "string"
        ? `at most ${issue.maximum} long`
        : `at most ${issue.maximum}`;
    case "invalid_value":
      return `one of ${issue.values.map((value) => JSON.stringify(value)).join(", ")}`;
    case "invalid_union":
      return "0, 1 or 2";
    case "custom":
      if (typeof issue.params?.allowed === "string") return issue.params.allowed;
      return `at most ${messageIdBytesMax} bytes`;
    case "invalid_format":
    case "not_multiple_of":
    case "unrecognized_keys":
    case "invalid_key":
    case "invalid_element":
      return "what the document says";
    default:
      return unreachable(issue);
  }
}

const typeNames: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  object: "an object",
  array: "a list",
  undefined: "absent",
};

/** A whole number of a query, in decimal digits: others read `0x10` or `1e2` in other ways. */
function decimalBetween(min: number, max: number) {
  const allowed = `${min}–${max} in decimal digits`;
  return z.pipe(
    z.transform((text: unknown, context) => {
      const number = typeof text === "string" && /^\d{1,16}$/.test(text) ? Number(text) : NaN;
      if (number >= min && number <= max) return number;
      context.issues.push({ code: "custom", input: text, params: { allowed } });
      return z.NEVER;
    }),
    // For the published document.
    z.int().check(z.gte(min), z.lte(max)),
  );
}

function fitsMessageId(text: string): boolean {
  return text.length <= messageIdBytesMax &&
    new TextEncoder().encode(text).length <= messageIdBytesMax;
}

/** JSON Schema (draft 2020-12) of one part of an operation, without its `$schema`. */
export function apiJsonSchema(
  name: ApiOperation,
  part: "params" | "query" | "body" | "result",
): Record<string, unknown> {
  const io = part === "result" ? "output" : "input";
  const { $schema: _schema, ...schema } = z.toJSONSchema(apiSchemas[name][part], {
    io,
    unrepresentable: "any",
  }) as Record<string, unknown>;
  return schema;
}
