import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { apiTokens } from "../../src/config/api_keys.ts";
import { showFault } from "../../src/config/faults.ts";
import { loadSettings } from "../../src/config/load_settings.ts";
import { fakeFiles } from "../fakes/files.ts";

const sha256 = "0123456789abcdef".repeat(4);

describe("gateway.api.tokens in the configuration", () => {
  it("are names with what they may do and a hash", async () => {
    const result = await load([`ops:write:${sha256}`, `eye:read:${sha256}`]);
    assert.ok(result.ok);
    assert.deepEqual(apiTokens(result.settings.gateway.api), [
      { name: "ops", mayWrite: true, sha256 },
      { name: "eye", mayWrite: false, sha256 },
    ]);
  });

  for (
    const tokens of [
      ["a-token-itself"],
      ["ops:write:a-token-itself"],
      [`ops:write:${sha256}`, `ops:admin:a-token-itself`],
      "a-token-itself",
      ["ops:write:a-token-itself", 5, ["a-token-itself"]],
    ]
  ) {
    it(`are refused without being shown: ${JSON.stringify(tokens).slice(0, 40)}`, async () => {
      const result = await load(tokens);
      assert.ok(!result.ok);
      const faults = result.faults.map(showFault).join("\n");
      assert.match(faults, /gateway\.api\.tokens.* must be a .*\(not shown\)/);
      assert.doesNotMatch(faults, /a-token-itself/);
    });
  }
});

async function load(tokens: unknown) {
  const files = fakeFiles();
  const text = JSON.stringify({ gateway: { api: { tokens } } });
  await files.replace("gw.json", new TextEncoder().encode(text));
  return await loadSettings({ files, env: {}, flags: {}, configPath: "gw.json" });
}
