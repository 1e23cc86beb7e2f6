import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { ApiGuard } from "../../src/app/api_guard.ts";
import type { ApiWork } from "../../src/app/api_operations.ts";
import { ApiProblem } from "../../src/app/api_problem.ts";
import { addApiRoutes } from "../../src/app/api_routes.ts";
import { httpRoutes } from "../../src/app/http_routes.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const tokens = [`ops:write:${sha256("writer")}`, `eye:read:${sha256("reader")}`];

interface Use {
  readonly method?: string;
  readonly token?: string | null;
  readonly body?: unknown;
  readonly text?: string;
  readonly stream?: ReadableStream;
  readonly type?: string;
  readonly from?: string;
}

/** The routes, with work that tells what it was given. */
async function api(config: { tokens?: string[]; burstSize?: number } = {}) {
  const { crypto, clock } = await runtimeUnderTest();
  const guard = new ApiGuard(
    { tokens, requestsPerSecond: 1, burstSize: 1_000, ...config },
    { crypto, clock },
  );
  const audit: Record<string, unknown>[] = [];
  const failures: unknown[] = [];
  const tell = (name: string) => (input: unknown) => Promise.resolve({ name, input });
  const work = new Proxy({}, {
    get: (_target, name) => {
      if (name === "kick") return () => Promise.reject(new ApiProblem(404, "not connected"));
      if (name === "readStats") return () => Promise.reject(new Error("secret"));
      return tell(String(name));
    },
  }) as ApiWork;
  const fetch = httpRoutes({
    notReady: () => undefined,
    metrics: () => ({}),
    prometheus: () => Promise.resolve({ contentType: "text/plain", text: "" }),
    metricsAllow: [],
    mayReadMetrics: ({ remoteHost }, headers) =>
      guard.isKnown(remoteHost, headers.get("authorization") ?? undefined),
    addRoutes: (app) =>
      addApiRoutes(app, {
        guard,
        work,
        audit: { write: (entry) => void audit.push({ ...entry }) },
        version: "1.2.3",
        now: () => 0,
        addressOf: (peer) => peer.remoteHost,
        failed: (error) => void failures.push(error),
      }),
  });
  const use = async (path: string, how: Use = {}) => {
    const { method = "GET", token = "writer", from = "10.0.0.1" } = how;
    const text = how.text ?? (how.body === undefined ? undefined : JSON.stringify(how.body));
    const body = how.stream ?? text;
    const response = await fetch(
      new Request(`http://localhost/api/v1${path}`, {
        method,
        headers: {
          ...token === null ? {} : { authorization: `Bearer ${token}` },
          ...body === undefined ? {} : { "content-type": how.type ?? "application/json" },
        },
        ...body === undefined ? {} : { body, duplex: "half" },
      }),
      { remoteHost: from, remotePort: 1 },
    );
    const answer = await response.text();
    const isJson = /json/.test(response.headers.get("content-type") ?? "");
    const json = isJson ? JSON.parse(answer) as Record<string, unknown> : {};
    return { status: response.status, headers: response.headers, json, answer };
  };
  return { use, ask: fetch, guard, audit, failures };
}

describe("addApiRoutes()", () => {
  it("is not there without tokens, and comes and goes with them", async () => {
    const { use, guard } = await api({ tokens: [] });
    for (const path of ["/routes", "/openapi.json", "/docs", "/connections/a", "/nothing"]) {
      assert.deepEqual([(await use(path)).status, (await use(path)).json], [404, {
        error: "not found",
      }]);
    }
    guard.configure({ tokens, requestsPerSecond: 1_000, burstSize: 1_000 });
    assert.equal((await use("/routes")).status, 200);
    guard.configure({ tokens: [], requestsPerSecond: 1_000, burstSize: 1_000 });
    assert.equal((await use("/routes")).status, 404);
  });

  it("takes a token from the header alone, and lets a reader change nothing", async () => {
    const { use, audit } = await api();
    for (const token of [null, "", "wrong", sha256("writer"), "writer x", "w".repeat(5_000)]) {
      const { status, headers, json } = await use("/routes?token=writer", { token });
      assert.equal(status, 401, `${token}`);
      assert.equal(headers.get("content-type"), "application/problem+json");
      assert.equal(headers.get("www-authenticate"), "Bearer");
      assert.deepEqual([json.status, json.title], [401, "Unauthorized"]);
    }
    assert.equal((await use("/routes", { token: "reader" })).status, 200);
    assert.equal((await use("/reload", { method: "POST", token: "reader" })).status, 403);
    assert.equal((await use("/reload", { method: "POST" })).status, 200);
    assert.deepEqual(audit.slice(-3).map(({ who, status, method }) => [who, status, method]), [
      ["eye", 200, "GET"],
      ["eye", 403, "POST"],
      ["ops", 200, "POST"],
    ]);
    assert.equal(audit[0]?.who, undefined);
    assert.doesNotMatch(JSON.stringify(audit), /writer|Bearer/);
    await use("/connections?limit=5&writer=%00&limit=6");
    assert.equal(
      audit.at(-1)?.target,
      "/api/v1/connections?limit=5&writer=%28not+shown%29&limit=6",
    );
  });

  it("hands on what was sent, checked, and refuses the rest with its place", async () => {
    const { use } = await api();
    const path = "/clients/a%2Fb%20%E5%AE%A2/messages";
    const good = await use(path, { method: "POST", body: { data: "x" } });
    assert.deepEqual(good.json.input, {
      params: { clientId: "a/b 客" },
      query: {},
      body: { type: 0, data: "x", messageId: "", contentType: "" },
    });
    const wrong: [unknown, RegExp][] = [
      [{}, /^body\.data must be a text, got nothing$/],
      [{ data: 5 }, /^body\.data must be a text, got 5$/],
      [{ data: "x", type: 3 }, /^body\.type must be 0, 1 or 2, got 3$/],
      [{ data: "x", messageId: "é".repeat(129) }, /^body\.messageId must be at most 256 bytes/],
      [{ data: "x", clientId: "b" }, /^body has unknown members: clientId$/],
      [[], /^body must be an object/],
      [null, /^body must be an object/],
      ["x", /^body must be an object/],
    ];
    for (const [body, problem] of wrong) {
      const { status, json } = await use(path, { method: "POST", body });
      assert.equal(status, 400);
      assert.match(String(json.detail), problem);
    }
    for (const id of ["%00", "a%0Ab", "x".repeat(257), "%F0%9F%98%80".repeat(65)]) {
      const answer = await use(`/clients/${id}/messages`, { method: "POST", body: { data: "" } });
      assert.equal(answer.status, 400, id);
    }
  });

  it("takes ids as they were escaped, and none whose escapes are no UTF-8", async () => {
    const { use } = await api();
    for (
      const [path, id] of [
        ["a%2Fb", "a/b"],
        ["%25ff", "%ff"],
        ["%F0%9F%83%8F%20x", "\u{1F0CF} x"],
        ["__proto__", "__proto__"],
        ["x".repeat(256), "x".repeat(256)],
      ] as const
    ) {
      const { status, json } = await use(`/connections/${path}`);
      const { params } = json.input as { params: Record<string, string> };
      assert.deepEqual([status, params.clientId], [200, id]);
    }
    for (
      const path of [
        "%ff",
        "%",
        "%zz",
        "%ED%A0%80",
        "%00",
        "a%0Ab",
        "x".repeat(257),
        "%C3%A9".repeat(129),
      ]
    ) {
      const { status, json } = await use(`/connections/${path}`);
      assert.deepEqual([status, json.status], [400, 400], path);
    }
  });

  it("takes a limit of 1–1000, and nothing of another shape", async () => {
    const { use } = await api();
    const limits = [
      ...["0", "-1", "1001", "1.5", "1e9", "NaN", "abc", "5&limit=6", "Infinity", "%00"],
      ...["0x10", "0b1", "1e2", "%205%20", "5%0a", "+5", "%2B5", "", "5_0", "%D9%A5", "5,0"],
    ];
    for (const limit of limits) {
      const { status, json } = await use(`/clients/a/history?limit=${limit}`);
      assert.equal(status, 400, limit);
      assert.match(
        String(json.detail),
        /^query\.limit must be 1–1000 in decimal digits, got/,
        limit,
      );
    }
    for (const limit of ["1", "1000"]) {
      const { status, json } = await use(`/clients/a/history?limit=${limit}`);
      assert.equal(status, 200, limit);
      const { query } = json.input as { query: Record<string, unknown> };
      assert.deepEqual(query, { limit: Number(limit), after: "", before: "" });
    }
    assert.equal((await use("/clients/a/history?other=1")).status, 400);
  });

  it("refuses bodies that are too large, no JSON, or of another type", async () => {
    const { use } = await api();
    const post = (how: Use) => use("/routes", { method: "POST", ...how });
    assert.equal((await post({ body: { clientIdPrefix: "x".repeat(1_048_577) } })).status, 413);
    for (const text of ["", "{", "\u0000", "{'a':1}", "NaN"]) {
      assert.equal((await post({ text })).status, 400, text);
    }
    assert.equal((await post({ text: "{}", type: "text/plain" })).status, 415);
    const { use: send, failures } = await api();
    const broken = new ReadableStream({
      pull: (stream) => stream.error(new Error("over the limit")),
    });
    const cut = await send("/routes", { method: "POST", stream: broken });
    assert.deepEqual([cut.status, cut.json.status, failures], [413, 413, []]);
  });

  it("answers what its work refuses, tells nothing of its own faults, and names methods", async () => {
    const { use, failures } = await api();
    const kicked = await use("/connections/a", { method: "DELETE" });
    assert.deepEqual([kicked.status, kicked.json.detail], [404, "not connected"]);
    const failed = await use("/stats");
    assert.equal(failed.status, 500);
    assert.doesNotMatch(failed.answer, /secret/);
    assert.equal(failures.length, 1);
    const other = await use("/routes", { method: "PATCH" });
    assert.deepEqual([other.status, other.headers.get("allow")], [405, "GET, PUT, POST, DELETE"]);
    for (
      const [path, method, status] of [
        ["", "GET", 404],
        ["/", "GET", 404],
        ["/nothing", "GET", 404],
        ["/stats/", "POST", 404],
        ["/connections/a/b", "DELETE", 404],
        ["/openapi.json", "POST", 405],
        ["/docs", "PUT", 405],
      ] as const
    ) {
      const { headers, json, ...answer } = await use(path, { method, token: null });
      const found = [answer.status, headers.get("content-type"), json.status];
      assert.deepEqual(found, [status, "application/problem+json", status], path);
    }
    const cors = await use("/routes", { method: "OPTIONS" });
    assert.equal(cors.headers.get("access-control-allow-origin"), null);
  });

  it("limits each address, and each token wherever it is used", async () => {
    const { use } = await api({ burstSize: 3 });
    for (let n = 0; n < 3; n++) {
      assert.equal((await use("/routes", { token: "guess", from: "10.0.0.9" })).status, 401);
    }
    const many = await use("/routes", { from: "10.0.0.9" });
    assert.equal(many.status, 429);
    assert.ok(Number(many.headers.get("retry-after")) >= 1);
    const statuses: number[] = [];
    for (let n = 0; n < 4; n++) {
      statuses.push((await use("/routes", { from: `10.0.1.${n}` })).status);
    }
    assert.deepEqual(statuses, [200, 200, 200, 429]);
  });

  it("lets who shows a token read the metrics from anywhere, as often as he may", async () => {
    const { ask } = await api({ burstSize: 4 });
    const statuses = async (authorization?: string, from = "192.0.2.7") => {
      const headers = new Headers();
      if (authorization !== undefined) headers.set("authorization", authorization);
      const request = new Request("http://localhost/metrics?token=reader", { headers });
      return (await ask(request, { remoteHost: from, remotePort: 1 })).status;
    };
    assert.equal(await statuses(), 403);
    assert.equal(await statuses("Bearer guess"), 403);
    assert.equal(await statuses("Basic reader"), 403);
    assert.equal(await statuses("Bearer reader"), 200);
    assert.equal(await statuses("Bearer writer"), 200);
    assert.equal(await statuses("Bearer writer"), 403, "one too many of this address");
    assert.equal(await statuses("Bearer writer", "127.0.0.1"), 200);
    const { ask: askOff } = await api({ tokens: [] });
    const headers = { authorization: "Bearer reader" };
    const request = new Request("http://localhost/metrics", { headers });
    assert.equal((await askOff(request, { remoteHost: "192.0.2.7", remotePort: 1 })).status, 403);
  });

  it("publishes each operation in an OpenAPI document and on a page without scripts", async () => {
    const { use } = await api();
    const { json } = await use("/openapi.json", { token: null });
    assert.equal(json.openapi, "3.1.0");
    const paths = json.paths as Record<string, Record<string, { operationId: string }>>;
    const operations = Object.values(paths).flatMap((path) => Object.values(path));
    assert.equal(new Set(operations.map(({ operationId }) => operationId)).size, 14);
    assert.ok(paths["/clients/{clientId}/messages"]?.post);
    const page = await use("/docs", { token: null });
    assert.doesNotMatch(page.answer, /<script/i);
    for (const path of Object.keys(paths)) assert.ok(page.answer.includes(path), path);
  });
});
