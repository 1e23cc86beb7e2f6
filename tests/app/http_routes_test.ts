import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { httpRoutes } from "../../src/app/http_routes.ts";
import { parseAddressBlock } from "../../src/base/address.ts";

const paths = ["/health", "/health/live", "/health/ready", "/metrics", "/metrics/prometheus"];

describe("httpRoutes()", () => {
  for (const path of paths) {
    it(`answers HEAD ${path} like GET, so that its length can be told`, async () => {
      const got = await ask("GET", path);
      const head = await ask("HEAD", path);
      assert.equal(head.status, 200);
      assert.equal(head.headers.get("content-type"), got.headers.get("content-type"));
      // The port leaves the body of a HEAD out itself, after it has taken its length.
      const body = await got.text();
      assert.ok(body.length > 0);
      assert.equal(await head.text(), body);
    });

    it(`answers 405 with Allow to other methods on ${path}`, async () => {
      for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
        const response = await ask(method, path);
        assert.equal(response.status, 405, method);
        assert.equal(response.headers.get("allow"), "GET, HEAD");
        assert.deepEqual(await response.json(), { error: "method not allowed" });
      }
    });
  }

  it("answers 404 in JSON to any method on a path that it does not know", async () => {
    for (const [method, path] of [["GET", "/"], ["POST", "/healthy"], ["PUT", "/metrics/x"]]) {
      const response = await ask(method ?? "", path ?? "");
      assert.equal(response.status, 404);
      assert.deepEqual(await response.json(), { error: "not found" });
    }
  });

  it("tells nothing of the metrics to a distant peer, whatever the method", async () => {
    for (const path of ["/metrics", "/metrics/prometheus", "/metrics/x"]) {
      for (const method of ["GET", "HEAD", "POST"]) {
        assert.equal((await ask(method, path, "198.51.100.7")).status, 403);
      }
    }
    assert.equal((await ask("GET", "/metrics", "192.0.2.7")).status, 200);
    assert.equal((await ask("GET", "/health", "198.51.100.7")).status, 200);
  });
});

async function ask(method: string, path: string, remoteHost = "127.0.0.1"): Promise<Response> {
  const block = parseAddressBlock("192.0.2.0/24");
  assert.ok(block !== undefined);
  const answer = httpRoutes({
    notReady: () => undefined,
    metrics: () => ({ uptime_ms: 7 }),
    prometheus: async () => ({ contentType: "text/plain; version=0.0.4", text: "up 1\n" }),
    metricsAllow: [block],
  });
  return await answer(new Request(`http://localhost${path}`, { method }), {
    remoteHost,
    remotePort: 50_000,
  });
}
