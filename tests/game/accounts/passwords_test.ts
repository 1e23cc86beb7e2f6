import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nodeCrypto } from "../../../src/adapters/node/crypto.ts";
import { nodeRandom } from "../../../src/adapters/node/random.ts";
import {
  isPassword,
  isSamePassword,
  makeLegacyPassword,
  makePassword,
  needsUpgrade,
  type StoredPassword,
} from "../../../src/game/accounts/passwords.ts";

const crypto = nodeCrypto();
const parts = { crypto, random: nodeRandom() };
const bytes = (text: string) => new TextEncoder().encode(text);
const check = (password: string, stored: StoredPassword) =>
  isPassword(crypto, { password: bytes(password), stored });

/** sha256("1234" + "0a1b2c3d"), as `sha256sum` gives it. */
const legacy = {
  hash: "8fd8691c927d0cf3381a8214ec02c4f82c496f9061aab46b8906eb3fd7855b41",
  salt: "0a1b2c3d",
};

describe("passwords", () => {
  it("isPassword() knows the original's rows, in either case of their digits", async () => {
    assert.equal(await check("1234", { legacy }), true);
    assert.equal(
      await check("1234", { legacy: { ...legacy, hash: legacy.hash.toUpperCase() } }),
      true,
    );
    assert.equal(await check("12345", { legacy }), false);
    assert.equal(await check("", { legacy }), false);
    assert.equal(await check("1234", { legacy: { ...legacy, salt: "" } }), false);
    assert.equal(await check("1234", {}), false, "no password is nobody's");
  });

  it("makePassword() gives both forms of one password, with salts of their own", async () => {
    const one = await makePassword(parts, bytes("密码"));
    const two = await makePassword(parts, bytes("密码"));
    assert.match(one.legacy.hash, /^[0-9a-f]{64}$/);
    assert.match(one.legacy.salt, /^[0-9a-f]{8}$/);
    assert.notDeepEqual(one.scrypt.salt, two.scrypt.salt);
    assert.notEqual(one.legacy.hash, two.legacy.hash);
    for (const stored of [{ legacy: one.legacy }, { scrypt: one.scrypt }, one]) {
      assert.equal(await check("密码", stored), true);
      assert.equal(await check("密码2", stored), false);
    }
  });

  it("isPassword() goes by the record of our own where there is one", async () => {
    const { scrypt } = await makePassword(parts, bytes("new"));
    assert.equal(await check("new", { scrypt, legacy }), true);
    assert.equal(await check("1234", { scrypt, legacy }), false);
  });

  it("isPassword() spends nothing on a record with a damaged or planted cost", async () => {
    const { scrypt } = await makePassword(parts, bytes("x"));
    const costs = [{ N: 2 ** 30, r: 8, p: 1 }, { N: 0, r: 8, p: 1 }, { N: 16_384, r: 8, p: 1e6 }];
    for (const cost of costs) {
      assert.equal(await check("x", { scrypt: { ...scrypt, cost } }), false);
    }
    assert.equal(await check("x", { scrypt: { ...scrypt, hash: new Uint8Array(0) } }), false);
  });

  it("needsUpgrade() asks for what a password set now would be", async () => {
    const { scrypt } = await makePassword(parts, bytes("x"));
    const keep = { keepLegacyHash: true };
    const drop = { keepLegacyHash: false };
    assert.equal(needsUpgrade({ legacy }, keep), true);
    assert.equal(needsUpgrade({ legacy }, drop), true);
    assert.equal(needsUpgrade({ scrypt, legacy }, keep), false);
    assert.equal(needsUpgrade({ scrypt, legacy }, drop), true);
    assert.equal(needsUpgrade({ scrypt }, keep), true);
    assert.equal(needsUpgrade({ scrypt }, drop), false);
    const older = { ...scrypt, cost: { N: 8_192, r: 8, p: 1 } };
    assert.equal(needsUpgrade({ scrypt: older }, drop), true);
  });

  it("isSamePassword() tells whether somebody has changed it", async () => {
    const { scrypt } = await makePassword(parts, bytes("x"));
    const fresh = makeLegacyPassword(parts, bytes("1234"));
    assert.equal(isSamePassword({ legacy }, { legacy: { ...legacy } }), true);
    assert.equal(isSamePassword({ legacy }, { legacy: fresh }), false);
    assert.equal(isSamePassword({ scrypt }, { scrypt: structuredClone(scrypt) }), true);
    assert.equal(isSamePassword({ scrypt }, { scrypt, legacy }), false);
    assert.equal(isSamePassword({ legacy }, {}), false);
    assert.equal(isSamePassword({}, {}), true);
  });
});
