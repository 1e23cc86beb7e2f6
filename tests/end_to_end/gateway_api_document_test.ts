import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { apiConfig, apiToken } from "../gateway_tools/gateway_api.ts";
import type { GatewayProgram } from "../gateway_tools/gateway_program.ts";
import { withGateway } from "./gateway_stage.ts";

/** What the schemas of the document are made of. */
interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
}

interface Content {
  readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
}

interface Operation {
  readonly operationId: string;
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Content | { readonly $ref: string }>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly responses: Readonly<Record<string, Content>> };
}

const rule = { clientIdPrefix: "", upstream: "echo:" };
const several = {
  clientIdPrefix: "z",
  upstreams: ["ws://127.0.0.1:1/", "echo:"],
  strategy: "hash",
};

/** Path of the document, path that is asked, body, status. */
const uses: readonly [string, string, unknown, number][] = [
  ["post /clients/{clientId}/messages", "/clients/a/messages", { data: "1", messageId: "d" }, 200],
  ["post /clients/{clientId}/messages", "/clients/nobody/messages", { data: "1" }, 404],
  ["post /clients/{clientId}/messages", "/clients/a/messages", { data: 1 }, 400],
  [
    "post /clients/{clientId}/upstream-messages",
    "/clients/a/upstream-messages",
    { data: "1", messageId: "u", priority: 9 },
    200,
  ],
  [
    "post /clients/{clientId}/upstream-messages",
    "/clients/a/upstream-messages",
    { data: "2", messageId: "u" },
    409,
  ],
  ["get /clients/{clientId}/history", "/clients/a/history", undefined, 200],
  ["get /connections", "/connections?limit=1&offset=0", undefined, 200],
  ["get /connections/{clientId}", "/connections/a", undefined, 200],
  ["get /connections/{clientId}", "/connections/nobody", undefined, 404],
  ["put /routes", "/routes", { routes: [rule, several] }, 200],
  ["get /routes", "/routes", undefined, 200],
  ["post /routes", "/routes", { clientIdPrefix: "y", upstream: "echo:" }, 200],
  ["post /routes", "/routes", { clientIdPrefix: "y" }, 400],
  ["delete /routes", "/routes?clientIdPrefix=y", undefined, 200],
  ["delete /routes", "/routes?clientIdPrefix=y", undefined, 404],
  ["get /dead-letters", "/dead-letters", undefined, 200],
  ["get /stats", "/stats", undefined, 200],
  ["post /reload", "/reload", undefined, 200],
  ["delete /clients/{clientId}/history", "/clients/a/history", undefined, 200],
  ["delete /connections/{clientId}", "/connections/a", undefined, 200],
];

describe("gateway: the API's OpenAPI document", () => {
  it("describes what each operation takes and answers, refusals too", () =>
    withGateway({ gateway: { api: apiConfig } }, async ({ gateway }) => {
      await gateway.client("a");
      const response = await fetch(`http://127.0.0.1:${gateway.port}/api/v1/openapi.json`);
      const document = await response.json() as Document;
      const used = new Set<string>();
      for (const [place, path, body, status] of uses) {
        const [method = "", shown = ""] = place.split(" ");
        const operation = document.paths[shown]?.[method];
        assert.ok(operation !== undefined, place);
        used.add(operation.operationId);
        const answer = await ask(gateway, method, path, body);
        assert.equal(answer.status, status, `${place}: ${JSON.stringify(answer.json)}`);
        assert.deepEqual(faults(schemaOf(document, operation, answer), answer.json), [], place);
        if (status !== 200) continue;
        assert.equal(operation.requestBody === undefined, body === undefined, place);
        const taken = operation.requestBody?.content["application/json"]?.schema ?? {};
        assert.deepEqual(faults(taken, body), [], place);
      }
      const all = Object.values(document.paths).flatMap((path) => Object.values(path));
      assert.deepEqual(all.map(({ operationId }) => operationId).filter((id) => !used.has(id)), []);
    }));
});

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly json: unknown;
}

async function ask(
  gateway: GatewayProgram,
  method: string,
  path: string,
  body: unknown,
): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${gateway.port}/api/v1${path}`, {
    method: method.toUpperCase(),
    headers: {
      authorization: `Bearer ${apiToken}`,
      ...body === undefined ? {} : { "content-type": "application/json" },
    },
    ...body === undefined ? {} : { body: JSON.stringify(body) },
  });
  const [type = ""] = (response.headers.get("content-type") ?? "").split(";");
  return { status: response.status, type, json: await response.json() };
}

function schemaOf(document: Document, operation: Operation, { status, type }: Answer): Schema {
  const described = operation.responses[`${status}`] ?? operation.responses.default ?? { $ref: "" };
  const response = "content" in described
    ? described
    : document.components.responses[described.$ref.slice("#/components/responses/".length)];
  const schema = response?.content[type]?.schema;
  assert.ok(schema !== undefined, `${operation.operationId}: ${status} with ${type}`);
  return schema;
}

/** Where a value is not as a schema says. */
function faults(schema: Schema, value: unknown, path = "$"): string[] {
  const found: string[] = [];
  const { type, anyOf, enum: choices, properties = {}, required = [], items } = schema;
  if (type !== undefined && !isOfType(value, type)) return [`${path} is no ${type}`];
  if ("const" in schema && value !== schema.const) found.push(`${path} is not ${schema.const}`);
  if (choices !== undefined && !choices.includes(value)) {
    found.push(`${path} is none of ${choices}`);
  }
  if (anyOf !== undefined && !anyOf.some((one) => faults(one, value).length === 0)) {
    found.push(`${path} is none of several`);
  }
  if (Array.isArray(value)) {
    value.forEach((one, at) => found.push(...faults(items ?? {}, one, `${path}[${at}]`)));
  } else if (typeof value === "object" && value !== null) {
    for (const name of required) if (!(name in value)) found.push(`${path} lacks ${name}`);
    for (const [name, member] of Object.entries(value)) {
      const others = schema.additionalProperties ?? true;
      const known = properties[name] ?? (typeof others === "object" ? others : undefined);
      if (known !== undefined) found.push(...faults(known, member, `${path}.${name}`));
      else if (others === false) found.push(`${path} has ${name}`);
    }
  }
  return found;
}

function isOfType(value: unknown, type: string): boolean {
  if (type === "integer") return Number.isInteger(value);
  const own = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  return own === type;
}
