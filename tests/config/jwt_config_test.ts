import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { effectiveConfig, notShown } from "../../src/config/effective_config.ts";
import { showFault } from "../../src/config/faults.ts";
import { isJwtOn } from "../../src/config/jwt_keys.ts";
import { loadSettings } from "../../src/config/load_settings.ts";
import { fakeFiles } from "../fakes/files.ts";

const secret = "0123456789abcdef0123456789abcdef";

describe("gateway.jwt in the configuration", () => {
  it("is off without keys, and on with any of them", async () => {
    assert.equal(isJwtOn((await loaded({})).gateway.jwt), false);
    for (const name of ["secretFile", "publicKeyFile", "jwksFile"]) {
      assert.equal(isJwtOn((await loaded({ [name]: "keys" })).gateway.jwt), true);
    }
    const { jwt } = (await loaded({ secret, algorithms: ["HS256"], leewaySeconds: "1m" })).gateway;
    assert.deepEqual([isJwtOn(jwt), jwt.secret, jwt.leewaySeconds], [true, secret, 60]);
  });

  it("never shows its secret: neither in faults nor in the effective configuration", async () => {
    const settings = await loaded({ secret });
    const shown = effectiveConfig(settings) as { gateway: { jwt: { secret: string } } };
    assert.equal(shown.gateway.jwt.secret, notShown);
    assert.equal(settings.gateway.jwt.secret, secret);
    const text = JSON.stringify(effectiveConfig(await loaded({})));
    assert.doesNotMatch(text, /not shown/);
    const [fault = ""] = await faultsOf({ secret: "shortsecret" });
    assert.match(fault, /gateway\.jwt\.secret must be 32–1,024 printable/);
    assert.doesNotMatch(fault, /shortsecret/);
  });

  for (
    const [jwt, fault] of [
      [{ secret, jwksFile: "f" }, /jwksFile must be absent beside secret, got/],
      [{ publicKeyFile: "f", secretFile: "g" }, /publicKeyFile must be absent beside secretFile/],
      [{ secret, algorithms: ["RS256"] }, /algorithms must be HS256 alone with secret, got RS256/],
      [
        { publicKeyFile: "f", algorithms: ["RS256", "HS256"] },
        /algorithms must be RS256 or EdDSA with publicKeyFile, got HS256/,
      ],
      [{ algorithms: ["HS256"] }, /algorithms must be absent without secret, secretFile/],
      [{ secret, algorithms: ["none"] }, /algorithms\[0\] must be one of "HS256", "RS256"/],
      [{ secret, leewaySeconds: -1 }, /leewaySeconds must be 0–3600/],
      [{ secret, clientIdClaim: "" }, /clientIdClaim must be a text of 1–256/],
    ] as [Record<string, unknown>, RegExp][]
  ) {
    it(`refuses ${JSON.stringify(jwt).replace(secret, "…")}`, async () => {
      const faults = await faultsOf(jwt);
      assert.equal(faults.length, 1, faults.join("\n"));
      assert.match(faults[0]!, fault);
    });
  }
});

async function load(jwt: Readonly<Record<string, unknown>>) {
  const files = fakeFiles();
  await files.replace("gw.json", new TextEncoder().encode(JSON.stringify({ gateway: { jwt } })));
  return await loadSettings({ files, env: {}, flags: {}, configPath: "gw.json" });
}

async function loaded(jwt: Readonly<Record<string, unknown>>) {
  const result = await load(jwt);
  assert.ok(result.ok, result.ok ? "" : result.faults.map(showFault).join("\n"));
  return result.settings;
}

async function faultsOf(jwt: Readonly<Record<string, unknown>>): Promise<string[]> {
  const result = await load(jwt);
  return result.ok ? [] : result.faults.map(showFault);
}
