import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nodeCrypto } from "../../src/adapters/node/crypto.ts";
import { CryptoError } from "../../src/ports/crypto.ts";
import { encryptRaw } from "../game/accounts/client_cipher.ts";

const crypto = nodeCrypto();
const text = (value: string) => new TextEncoder().encode(value);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("nodeCrypto()", () => {
  it("sha256(), sha1() and md5() give the digests of FIPS 180-4 and RFC 1321", () => {
    assert.equal(hex(crypto.sha1(text("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert.equal(
      hex(crypto.sha256(text("abc"))),
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
    assert.equal(hex(crypto.md5(text("abc"))), "900150983cd24fb0d6963f7d28e17f72");
    assert.equal(hex(crypto.md5(text(""))), "d41d8cd98f00b204e9800998ecf8427e");
  });

  it("scrypt() gives the vectors of RFC 7914 §12", async () => {
    const hash = await crypto.scrypt({
      password: text("pleaseletmein"),
      salt: text("SodiumChloride"),
      cost: { N: 16_384, r: 8, p: 1 },
      hashBytes: 64,
    });
    assert.equal(
      hex(hash),
      "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2" +
        "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887",
    );
  });

  it("scrypt() rejects a cost that is not allowed", async () => {
    const hash = crypto.scrypt({
      password: text("x"),
      salt: text("y"),
      cost: { N: 1_000, r: 8, p: 1 },
      hashBytes: 32,
    });
    await assert.rejects(
      hash,
      (error) => error instanceof CryptoError && /N=1000/.test(String(error)),
    );
  });

  it("generateRsaKeyPair() gives PKCS#1 texts of 2,048 bits that belong together", async () => {
    const pair = await crypto.generateRsaKeyPair();
    assert.match(
      pair.publicPem,
      /^-----BEGIN RSA PUBLIC KEY-----\n[\w+/=\n]+\n-----END RSA PUBLIC KEY-----\n$/,
    );
    assert.match(
      pair.privatePem,
      /^-----BEGIN RSA PRIVATE KEY-----\n[\w+/=\n]+\n-----END RSA PRIVATE KEY-----\n$/,
    );
    const key = crypto.openRsaPrivateKey(pair.privatePem);
    assert.equal(key.modulusBytes, 256);
    assert.equal(key.publicPem, pair.publicPem);
  });

  it("decryptRaw() undoes the public operation, leading zeros included", async () => {
    const { privatePem, publicPem } = await crypto.generateRsaKeyPair();
    const key = crypto.openRsaPrivateKey(privatePem);
    const block = new Uint8Array(256).fill(7);
    block[0] = 0; // So that it is below any modulus of 2,048 bits.
    assert.deepEqual(key.decryptRaw(encryptRaw(publicPem, block)), block);
    const tiny = new Uint8Array(256);
    tiny[255] = 9;
    assert.deepEqual(key.decryptRaw(encryptRaw(publicPem, tiny)), tiny);
  });

  it("decryptRaw() gives zeros for what is not below the modulus, and refuses other lengths", async () => {
    const key = crypto.openRsaPrivateKey((await crypto.generateRsaKeyPair()).privatePem);
    assert.deepEqual(key.decryptRaw(new Uint8Array(256).fill(0xff)), new Uint8Array(256));
    assert.deepEqual(key.decryptRaw(new Uint8Array(256)), new Uint8Array(256));
    for (const length of [0, 1, 255, 257, 4_096]) {
      assert.throws(
        () => key.decryptRaw(new Uint8Array(length)),
        (error) => error instanceof CryptoError && String(error).includes(`${length} bytes`),
      );
    }
  });

  it("openRsaPrivateKey() refuses what is no RSA key without quoting it", () => {
    for (const pem of ["", "secret-text", "-----BEGIN RSA PRIVATE KEY-----\nsecret-text\n"]) {
      assert.throws(
        () => crypto.openRsaPrivateKey(pem),
        (error) =>
          error instanceof CryptoError && !String(error).includes("secret") &&
          error.cause === undefined,
      );
    }
  });
});
