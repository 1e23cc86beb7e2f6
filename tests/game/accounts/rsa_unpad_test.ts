import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { nodeCrypto } from "../../../src/adapters/node/crypto.ts";
import { unpadPassword } from "../../../src/game/accounts/rsa_unpad.ts";
import { clientCipher, encrypt, encryptRaw } from "./client_cipher.ts";

const fallback = new TextEncoder().encode("fallback-of-16-b");
const crypto = nodeCrypto();
const { privatePem, publicPem } = await crypto.generateRsaKeyPair();
const key = crypto.openRsaPrivateKey(privatePem);

const unpad = (block: Uint8Array) => unpadPassword(block, fallback);
const refused = { readable: false, password: fallback };

/** `00 02`, a filler, `00`, then the plain text, in 256 bytes. */
function blockOf(plain: Uint8Array, size = 256): Uint8Array {
  const block = new Uint8Array(size).fill(0x55);
  block[0] = 0;
  block[1] = 2;
  block[size - plain.length - 1] = 0;
  block.set(plain, size - plain.length);
  return block;
}

function plainOf(password: string | Uint8Array): Uint8Array {
  return new Uint8Array([...new Uint8Array(32).fill(0x41), ...Buffer.from(password)]);
}

describe("unpadPassword()", () => {
  it("unpadPassword() reads what a client encrypted, of each possible length", () => {
    for (const password of ["x", "hunter2", "密码🀄", "p".repeat(200), "q".repeat(213)]) {
      const found = unpad(key.decryptRaw(clientCipher(publicPem, password)));
      assert.equal(found.readable, true, password);
      assert.equal(Buffer.from(found.password).toString(), password);
    }
  });

  it("unpadPassword() answers wrong paddings, short texts and garbage all the same", () => {
    const good = blockOf(plainOf("password"));
    const broken: Record<string, Uint8Array> = {
      "first byte": good.with(0, 1),
      "block type 1": good.with(1, 1),
      "block type 0": good.with(1, 0),
      "no separator": new Uint8Array(256).fill(0x55).with(0, 0).with(1, 2),
      "filler of 7 bytes": good.with(9, 0),
      "filler of 0 bytes": good.with(2, 0),
      "nothing behind the separator": blockOf(new Uint8Array(0)),
      "31 bytes": blockOf(plainOf("").subarray(1)),
      "32 bytes": blockOf(plainOf("")),
      "32 bytes, then NUL": blockOf(plainOf(new Uint8Array([0, 65, 66]))),
      "NUL as first byte": blockOf(plainOf("password").with(0, 0)),
      "NUL in the prefix": blockOf(plainOf("password").with(31, 0)),
      "all zeros": new Uint8Array(256),
      "all ones": new Uint8Array(256).fill(255),
    };
    for (const [what, block] of Object.entries(broken)) {
      assert.deepEqual(unpad(block), refused, what);
    }
  });

  it("unpadPassword() ends the password at its first NUL", () => {
    const plain = plainOf(new Uint8Array([0x61, 0x62, 0, 0x63, 0]));
    assert.equal(Buffer.from(unpad(blockOf(plain)).password).toString(), "ab");
    const last = plainOf(new Uint8Array([0x61, 0x62, 0]));
    assert.equal(Buffer.from(unpad(blockOf(last)).password).toString(), "ab");
  });

  it("unpadPassword() takes a filler of 8 bytes, the shortest", () => {
    const plain = plainOf("p".repeat(213));
    assert.equal(plain.length, 245);
    assert.equal(unpad(blockOf(plain)).readable, true);
    const longer = blockOf(plainOf("p".repeat(214)));
    assert.deepEqual(unpad(longer), refused);
  });

  it("unpadPassword() refuses real ciphers of short texts and of bare blocks", () => {
    for (const plain of ["", "x", "p".repeat(32)]) {
      assert.deepEqual(unpad(key.decryptRaw(encrypt(publicPem, Buffer.from(plain)))), refused);
    }
    assert.deepEqual(unpad(key.decryptRaw(encryptRaw(publicPem, new Uint8Array(256)))), refused);
    assert.deepEqual(unpad(key.decryptRaw(new Uint8Array(256).fill(0xab).with(0, 0))), refused);
  });

  it("unpadPassword() agrees with a plain reading of RFC 8017 for all blocks", () => {
    const byte = fc.oneof(fc.constant(0), fc.constant(2), fc.integer({ min: 1, max: 255 }));
    const noise = fc.array(byte, { minLength: 128, maxLength: 128 });
    const shaped = fc.record({
      filler: fc.array(fc.integer({ min: 1, max: 255 }), { minLength: 0, maxLength: 40 }),
      tail: fc.array(
        fc.oneof({ weight: 40, arbitrary: fc.integer({ min: 1, max: 255 }) }, {
          weight: 1,
          arbitrary: fc.constant(0),
        }),
        { minLength: 125, maxLength: 125 },
      ),
    }).map(({ filler, tail }) => [0, 2, ...filler, 0, ...tail].slice(0, 128));
    fc.assert(
      fc.property(fc.oneof(noise, shaped), (bytes) => {
        assert.deepEqual(unpad(new Uint8Array(bytes)), plainReading(new Uint8Array(bytes)));
      }),
      { numRuns: 2_000 },
    );
  });

  it("unpadPassword() refuses a block or fallback that could not be right", () => {
    assert.throws(() => unpadPassword(new Uint8Array(63), fallback), RangeError);
    assert.throws(() => unpadPassword(new Uint8Array(64), new Uint8Array(22)), RangeError);
  });
});

function plainReading(block: Uint8Array): { readable: boolean; password: Uint8Array } {
  if (block[0] !== 0 || block[1] !== 2) return refused;
  const separator = block.indexOf(0, 2);
  if (separator < 10) return refused;
  const text = block.subarray(separator + 1);
  const nul = text.indexOf(0);
  const ended = nul < 0 ? text : text.subarray(0, nul);
  return ended.length > 32 ? { readable: true, password: ended.slice(32) } : refused;
}
