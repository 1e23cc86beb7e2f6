import { apiJsonSchema, type ApiOperation } from "../config/api_schema.ts";
import { apiPlaces } from "./api_operations.ts";

/** The OpenAPI 3.1 document of the API, as an object; made of the schemas that check requests. */
export function apiDocument(version: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const name of Object.keys(apiPlaces) as ApiOperation[]) {
    const { method, path, summary, writes } = apiPlaces[name];
    const shown = path.replace(/:(\w+)/g, "{$1}");
    const parameters = [...parametersOf(name, "params"), ...parametersOf(name, "query")];
    const hasBody = method === "post" || method === "put" ? name !== "reload" : false;
    const place = paths[shown] ??= {};
    place[method] = {
      operationId: name,
      summary,
      "x-scope": writes ? "write" : "read",
      ...(parameters.length === 0 ? {} : { parameters }),
      ...(hasBody
        ? { requestBody: { required: true, content: jsonOf(apiJsonSchema(name, "body")) } }
        : {}),
      responses: {
        200: { description: "Done", content: jsonOf(apiJsonSchema(name, "result")) },
        default: { $ref: "#/components/responses/Problem" },
      },
    };
  }
  return {
    openapi: "3.1.0",
    info: { title: "freekill-gw", version, description: "The message gateway's operators' API" },
    servers: [{ url: "/api/v1" }],
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
      responses: {
        Problem: {
          description: "Refused (RFC 9457)",
          content: {
            "application/problem+json": {
              schema: {
                type: "object",
                properties: {
                  type: { type: "string" },
                  title: { type: "string" },
                  status: { type: "integer" },
                  detail: { type: "string" },
                  faults: { type: "array", items: { type: "string" } },
                  code: { type: "string" },
                },
                required: ["type", "title", "status", "detail"],
              },
            },
          },
        },
      },
    },
  };
}

/** The same as a page without scripts. */
export function apiPage(): string {
  const rows = Object.values(apiPlaces).map(({ method, path, summary, writes }) =>
    `<tr><td>${method.toUpperCase()}<td><code>/api/v1${path.replace(/:(\w+)/g, "{$1}")}</code>` +
    `<td>${summary}<td>${writes ? "write" : "read"}`
  );
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>freekill-gw: API</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em}
table{border-collapse:collapse}td,th{padding:.3em .8em;border:1px solid #8888;text-align:left}</style>
<h1>API of the message gateway</h1>
<p>Each request needs <code>Authorization: Bearer &lt;token&gt;</code>. All parameters, bodies and
answers are in <a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p>
<table><tr><th>Method<th>Path<th>What it does<th>Token
${rows.join("\n")}
</table>
`;
}

function jsonOf(schema: Record<string, unknown>): Record<string, unknown> {
  return { "application/json": { schema } };
}

function parametersOf(name: ApiOperation, part: "params" | "query"): unknown[] {
  const schema = apiJsonSchema(name, part) as {
    properties?: Record<string, unknown>;
    required?: string[];
  };
  return Object.entries(schema.properties ?? {}).map(([key, value]) => ({
    name: key,
    in: part === "params" ? "path" : "query",
    required: part === "params" || isRequired(schema, key, value),
    schema: value,
  }));
}

function isRequired(schema: { required?: string[] }, key: string, value: unknown): boolean {
  const hasDefault = typeof value === "object" && value !== null && "default" in value;
  return (schema.required ?? []).includes(key) && !hasDefault;
}
