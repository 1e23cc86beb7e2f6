import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { JwtConfig } from "../../../src/config/gateway_config.ts";
import { ClientIdentity } from "../../../src/gateway/identity/client_identity.ts";
import { tokenLengthMax } from "../../../src/gateway/identity/token_verifier.ts";
import { fakeFiles } from "../../fakes/files.ts";
import { roomyGateway } from "../door_fixture.ts";
import {
  bySecret,
  claimsFor,
  ed25519Pair,
  type KeyPair,
  madeAt,
  makeToken,
  rsaPair,
  sharedSecret,
  type Signer,
} from "./token_maker.ts";

const rsa = rsaPair();
const otherRsa = rsaPair();
const ed = ed25519Pair();

describe("ClientIdentity.prove() with a secret", () => {
  it("takes a token of the client itself, by sub or by the claim that is configured", async () => {
    assert.deepEqual(await verdict(makeToken(claimsFor("a"))), "exp 1700000060, priority 9");
    const byClaim = { clientIdClaim: "client" };
    const exp = madeAt + 60;
    assert.match(await verdict(makeToken({ client: "a", exp }), byClaim), /^exp/);
    assert.equal(await verdict(makeToken(claimsFor("a")), byClaim), "token of another client");
    for (const name of ["constructor", "__proto__", "toString"]) {
      const found = await verdict(makeToken({ exp }), { clientIdClaim: name });
      assert.equal(found, "token of another client");
    }
  });

  it("takes a token that lists a beginning of the client id, but none that is empty", async () => {
    const exp = madeAt + 60;
    const withPrefixes = (clientIdPrefixes: unknown) =>
      verdict(makeToken({ sub: "service", exp, clientIdPrefixes }), {}, "game-7-alice");
    assert.match(await withPrefixes(["lobby-", "game-7-"]), /^exp/);
    for (const wrong of [[""], ["game-8"], "game-7-", { 0: "game-7-" }, [7], [["game"]], []]) {
      assert.equal(await withPrefixes(wrong), "token of another client", JSON.stringify(wrong));
    }
    const many = [...Array.from({ length: 100 }, (_, i) => `x${i}`), "game-7-"];
    assert.equal(await withPrefixes(many), "token of another client");
  });

  it("gives the priority that the token allows, and refuses one that is none", async () => {
    const withPriority = (priority: unknown) => verdict(makeToken({ ...claimsFor("a"), priority }));
    assert.equal(await withPriority(3), "exp 1700000060, priority 3");
    assert.equal(await withPriority(0), "exp 1700000060, priority 0");
    for (const wrong of [10, -1, 1.5, "3", null]) {
      assert.equal(await withPriority(wrong), "invalid token", String(wrong));
    }
  });

  const exp = madeAt + 60;
  for (
    const [what, token, problem, config] of [
      ["that is over", makeToken(claimsFor("a", -31)), "token expired"],
      ["without exp", makeToken({ sub: "a" }), "invalid token"],
      ["whose exp is a text", makeToken({ sub: "a", exp: String(exp) }), "invalid token"],
      ["whose exp is beyond numbers", makeToken(`{"sub":"a","exp":1e999}`), "invalid token"],
      ["that does not hold yet", makeToken({ sub: "a", exp, nbf: madeAt + 31 }), "invalid token"],
      ["of another client", makeToken(claimsFor("b")), "token of another client"],
      ["whose sub is a list", makeToken({ sub: ["a"], exp }), "token of another client"],
      [
        "signed by another secret",
        makeToken(claimsFor("a"), { alg: "HS256", secret: sharedSecret.toUpperCase() }),
        "invalid token",
      ],
      ["without a signature", makeToken(claimsFor("a"), { alg: "none" }), "invalid token"],
      [
        "that says NONE",
        makeToken(claimsFor("a"), { alg: "none" }, { alg: "NONE" }),
        "invalid token",
      ],
      ["signed by RSA", makeToken(claimsFor("a"), rsa.signer), "invalid token"],
      ["that says HS512", makeToken(claimsFor("a"), bySecret, { alg: "HS512" }), "invalid token"],
      [
        "that needs what is unknown",
        makeToken(claimsFor("a"), bySecret, { crit: ["x"], x: 1 }),
        "invalid token",
      ],
      ["for another audience", makeToken({ ...claimsFor("a"), aud: "b" }), "invalid token", {
        audience: "us",
      }],
      ["for nobody in particular", makeToken(claimsFor("a")), "invalid token", { audience: "us" }],
      ["by another issuer", makeToken({ ...claimsFor("a"), iss: "x" }), "invalid token", {
        issuer: "us",
      }],
      [
        "that is too long",
        makeToken({ ...claimsFor("a"), x: "y".repeat(tokenLengthMax) }),
        "invalid token",
      ],
      ["that holds no object", makeToken(`["a"]`), "invalid token"],
      ["that holds no JSON", makeToken("{"), "invalid token"],
      ["that is empty", "", "invalid token"],
      ["that is dots", "..", "invalid token"],
      ["of five parts", "a.b.c.d.e", "invalid token"],
      ["that is noise", "\u{1F0A1}\0%", "invalid token"],
    ] as [string, string, string, Partial<JwtConfig>?][]
  ) {
    it(`refuses a token ${what}`, async () => {
      assert.equal(await verdict(token, config), problem);
    });
  }

  it("takes clocks that differ by the leeway, and audience and issuer that fit", async () => {
    const claims = { sub: "a", exp: madeAt - 29, nbf: madeAt + 29, aud: ["x", "us"], iss: "we" };
    const config = { audience: "us", issuer: "we" };
    assert.match(await verdict(makeToken(claims), config), /^exp/);
    const strict = await verdict(makeToken(claims), { ...config, leewaySeconds: 0 });
    assert.notEqual(strict.slice(0, 3), "exp");
  });
});

describe("ClientIdentity.prove() with public keys", () => {
  for (
    const [name, pair] of [["RS256", rsa], ["EdDSA", ed]] as [string, KeyPair][]
  ) {
    it(`takes ${name} by a PEM file, and nothing else`, async () => {
      const config = { publicKeyFile: "key.pem" };
      const files = { "key.pem": pair.publicPem };
      const judge = (token: string) => verdict(token, config, "a", files);
      assert.match(await judge(makeToken(claimsFor("a"), pair.signer)), /^exp/);
      const others: Signer[] = [
        otherRsa.signer,
        ed25519Pair().signer,
        { alg: "none" },
        // The public key as a secret: what libraries fell for that believed the token's header.
        { alg: "HS256", secret: pair.publicPem },
        { alg: "HS256", secret: pair.publicPem.trim() },
      ];
      for (const signer of others) {
        const found = await judge(makeToken(claimsFor("a"), signer));
        assert.equal(found, "invalid token", signer.alg);
      }
      const relabelled = makeToken(claimsFor("a"), others[3], { alg: name });
      assert.equal(await judge(relabelled), "invalid token");
    });
  }

  it("takes any key of a set, by its id or by trying", async () => {
    const set = {
      keys: [
        { ...otherRsa.publicJwk, kid: "old" },
        { ...rsa.publicJwk, kid: "new", alg: "RS256", use: "sig" },
        { ...ed.publicJwk, alg: "EdDSA", key_ops: ["verify"] },
        { kty: "EC", crv: "P-256", x: "AA", y: "AA" },
      ],
    };
    const files = { "keys.json": JSON.stringify(set) };
    const judge = (signer: Signer, header = {}) =>
      verdict(makeToken(claimsFor("a"), signer, header), { jwksFile: "keys.json" }, "a", files);
    assert.match(await judge(rsa.signer), /^exp/);
    assert.match(await judge(rsa.signer, { kid: "new" }), /^exp/);
    assert.match(await judge(otherRsa.signer, { kid: "old" }), /^exp/);
    assert.match(await judge(ed.signer, { kid: "whatever" }), /^exp/);
    assert.equal(await judge(rsa.signer, { kid: "old" }), "invalid token");
    assert.equal(await judge(rsa.signer, { kid: "unknown" }), "invalid token");
    assert.equal(await judge(bySecret), "invalid token");
    // The sender's own key is of no interest.
    const { publicJwk, signer } = rsaPair();
    assert.equal(await judge(signer, { jwk: publicJwk }), "invalid token");
  });

  it("takes only the algorithms that are configured", async () => {
    const files = {
      "keys.json": JSON.stringify({
        keys: [rsa.publicJwk, ed.publicJwk, { kty: "oct", k: b64(sharedSecret) }],
      }),
    };
    const judge = (signer: Signer, algorithms: JwtConfig["algorithms"]) =>
      verdict(makeToken(claimsFor("a"), signer), { jwksFile: "keys.json", algorithms }, "a", files);
    assert.match(await judge(ed.signer, ["EdDSA"]), /^exp/);
    assert.equal(await judge(rsa.signer, ["EdDSA"]), "invalid token");
    assert.match(await judge(bySecret, ["HS256", "RS256"]), /^exp/);
    assert.equal(await judge(ed.signer, ["HS256", "RS256"]), "invalid token");
  });
});

describe("ClientIdentity.open()", () => {
  const refused: [string, Partial<JwtConfig>, string, RegExp][] = [
    ["no file", { secretFile: "none" }, "", /"none"/],
    ["a secret that is too short", { secretFile: "f" }, "short\n", /at least 32 bytes, got 5$/],
    ["a private key", { publicKeyFile: "f" }, rsa.privatePem, /private key/],
    ["no PEM", { publicKeyFile: "f" }, "hello", /BEGIN PUBLIC KEY/],
    ["a broken PEM", { publicKeyFile: "f" }, rsa.publicPem.replace("MII", "MIX"), /PUBLIC KEY/],
    [
      "a key for another algorithm",
      { publicKeyFile: "f", algorithms: ["EdDSA"] },
      rsa.publicPem,
      /for EdDSA$/,
    ],
    ["an RSA key that is too short", { publicKeyFile: "f" }, rsaPair(1_024).publicPem, /2048 bits/],
    ["no JSON", { jwksFile: "f" }, "{", /JSON Web Key Set/],
    ["no set", { jwksFile: "f" }, `{"keys":{}}`, /JSON Web Key Set/],
    ["an empty set", { jwksFile: "f" }, `{"keys":[]}`, /RS256 or EdDSA/],
    ["a private set", { jwksFile: "f" }, JSON.stringify({ keys: [ed.privateJwk] }), /private key/],
    [
      "a set that can only encrypt",
      { jwksFile: "f" },
      JSON.stringify({ keys: [{ ...rsa.publicJwk, use: "enc" }] }),
      /RS256 or EdDSA/,
    ],
    [
      "a short secret in a set",
      { jwksFile: "f", algorithms: ["HS256"] },
      JSON.stringify({ keys: [{ kty: "oct", k: "c2hvcnQ" }] }),
      /at least 32 bytes/,
    ],
    [
      "too many keys",
      { jwksFile: "f" },
      JSON.stringify({ keys: Array(17).fill(ed.publicJwk) }),
      /at most 16 keys/,
    ],
  ];
  for (const [what, config, text, reason] of refused) {
    it(`says in one line why it cannot use ${what}, without showing it`, async () => {
      const files = fakeFiles();
      await files.replace("f", new TextEncoder().encode(text));
      const opened = await ClientIdentity.open({ ...roomyGateway.jwt, ...config }, {
        files,
        clock: { now: () => 0 },
      });
      assert.ok(!opened.ok);
      assert.match(opened.reason, reason);
      assert.doesNotMatch(opened.reason, /\n|short|MII/);
    });
  }
});

const clock = { now: () => madeAt * 1_000 };

async function verdict(
  token: string,
  config: Partial<JwtConfig> = {},
  clientId = "a",
  contents: Readonly<Record<string, string>> = {},
): Promise<string> {
  const files = fakeFiles();
  for (const [path, text] of Object.entries(contents)) {
    await files.replace(path, new TextEncoder().encode(text));
  }
  const { publicKeyFile = "", jwksFile = "" } = config;
  const secret = publicKeyFile + jwksFile === "" ? sharedSecret : "";
  const opened = await ClientIdentity.open({ ...roomyGateway.jwt, secret, ...config }, {
    files,
    clock,
  });
  assert.ok(opened.ok, opened.ok ? "" : opened.reason);
  const found = await opened.identity.prove(token, clientId);
  if (!found.ok) return found.problem;
  return `exp ${found.claims.exp}, priority ${found.claims.priorityMax}`;
}

function b64(text: string): string {
  return Buffer.from(text).toString("base64url");
}
