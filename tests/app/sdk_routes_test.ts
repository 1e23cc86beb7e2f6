import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { addDemoRoute } from "../../src/app/demo_routes.ts";
import { type HttpApp, httpRoutes } from "../../src/app/http_routes.ts";
import { addSdkRoutes } from "../../src/app/sdk_routes.ts";

const peer = { remoteHost: "203.0.113.7", remotePort: 1 };

function ask(path: string, options: RequestInit = {}): Promise<Response> {
  const fetch = httpRoutes({
    notReady: () => undefined,
    metrics: () => ({}),
    prometheus: () => Promise.resolve({ contentType: "", text: "" }),
    metricsAllow: [],
    addRoutes: (app: HttpApp) => {
      addSdkRoutes(app);
      addDemoRoute(app);
    },
  });
  return Promise.resolve(fetch(new Request(`http://gateway${path}`, options), peer));
}

function read(name: string): string {
  return readFileSync(new URL(`../../src/sdk/${name}`, import.meta.url), "utf8");
}

describe("addSdkRoutes()", () => {
  it("serves the published script and its types to pages of any origin", async () => {
    const script = await ask("/sdk/stratix-client.js");
    assert.equal(script.status, 200);
    assert.equal(script.headers.get("content-type"), "text/javascript; charset=utf-8");
    assert.equal(script.headers.get("access-control-allow-origin"), "*");
    assert.equal(script.headers.get("cache-control"), "public, max-age=300");
    const text = await script.text();
    assert.equal(text, read("stratix-client.js"));
    const types = await ask(script.headers.get("x-typescript-types") ?? "");
    assert.equal(await types.text(), read("stratix-client.d.ts"));
  });

  it("answers who has the newest already without a body, and refuses other methods", async () => {
    const etag = (await ask("/sdk/stratix-client.js")).headers.get("etag") ?? "";
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`]) {
      const again = await ask("/sdk/stratix-client.js", { headers: { "if-none-match": known } });
      assert.equal(again.status, 304);
      assert.equal(await again.text(), "");
      assert.equal(again.headers.get("etag"), etag);
    }
    const other = await ask("/sdk/stratix-client.js", { headers: { "if-none-match": '"x"' } });
    assert.equal(other.status, 200);
    await other.body?.cancel();
    assert.equal((await ask("/sdk/stratix-client.js", { method: "POST" })).status, 405);
  });
});

describe("addDemoRoute()", () => {
  it("allows the page its own script and style by their hashes, and this server alone", async () => {
    const response = await ask("/demo");
    const html = await response.text();
    const policy = response.headers.get("content-security-policy") ?? "";
    for (const tag of ["script", "style"]) {
      const found = [...html.matchAll(new RegExp(`<${tag}[^>]*>([^]*?)</${tag}>`, "g"))];
      assert.equal(found.length, 1, `one ${tag}`);
      const bytes = new TextEncoder().encode(found[0]?.[1]);
      const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toBase64();
      assert(policy.includes(`${tag}-src`) && policy.includes(`'sha256-${hash}'`), tag);
    }
    assert.doesNotMatch(policy, /unsafe|\*|https?:/);
    assert.match(policy, /^default-src 'none'; /);
    assert.doesNotMatch(html, / on[a-z]+="| style="|innerHTML/);
  });
});
