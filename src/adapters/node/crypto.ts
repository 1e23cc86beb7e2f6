import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  privateDecrypt,
  scrypt,
} from "node:crypto";
import {
  CryptoError,
  type CryptoPort,
  type RsaKeyPairPem,
  type RsaPrivateKey,
} from "../../ports/crypto.ts";

const RSA_BITS = 2_048;

/** Room beyond the 128 · N · r bytes that RFC 7914 needs, for what implementations add. */
const SCRYPT_SPARE_BYTES = 1_048_576;

/** Cryptography through node:crypto, which is the same on both runtimes where this smooths it. */
export function nodeCrypto(): CryptoPort {
  return {
    sha256: (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest()),
    newSha256() {
      const hash = createHash("sha256");
      return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest("hex") };
    },
    sha1: (bytes) => new Uint8Array(createHash("sha1").update(bytes).digest()),
    md5: (bytes) => new Uint8Array(createHash("md5").update(bytes).digest()),
    generateRsaKeyPair,
    openRsaPrivateKey,
    scrypt: ({ password, salt, cost, hashBytes }) =>
      new Promise((resolve, reject) => {
        const refuse = (cause: unknown) =>
          reject(
            new CryptoError(
              `Cannot compute scrypt with N=${cost.N} r=${cost.r} p=${cost.p}: the cost is not allowed`,
              { cause },
            ),
          );
        try {
          const maxmem = 128 * cost.N * cost.r + 128 * cost.r * cost.p + SCRYPT_SPARE_BYTES;
          scrypt(password, salt, hashBytes, { ...cost, maxmem }, (error, hash) => {
            if (error) refuse(error);
            else resolve(new Uint8Array(hash));
          });
        } catch (error) {
          refuse(error);
        }
      }),
  };
}

function generateRsaKeyPair(): Promise<RsaKeyPairPem> {
  return new Promise((resolve, reject) => {
    generateKeyPair("rsa", {
      modulusLength: RSA_BITS,
      publicExponent: 65_537,
      publicKeyEncoding: { type: "pkcs1", format: "pem" },
      privateKeyEncoding: { type: "pkcs1", format: "pem" },
    }, (error, publicPem, privatePem) => {
      if (error) reject(new CryptoError("Cannot generate an RSA key pair", { cause: error }));
      else resolve({ privatePem, publicPem });
    });
  });
}

function openRsaPrivateKey(pem: string): RsaPrivateKey {
  const key = parsePrivateKey(pem);
  const publicKey = createPublicKey(key);
  const modulus = modulusOf(publicKey);
  const publicPem = publicKey.export({ type: "pkcs1", format: "pem" }).toString();
  return {
    publicPem,
    modulusBytes: modulus.length,
    decryptRaw(cipher) {
      if (cipher.length !== modulus.length) {
        throw new CryptoError(
          `Cannot decrypt with RSA: the cipher has ${cipher.length} bytes, must be ${modulus.length}`,
        );
      }
      // Bun refuses what is not below the modulus, Deno reduces it. The cipher is no secret.
      const usable = isBelow(cipher, modulus);
      const input = usable ? cipher : two(modulus.length);
      const output = privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, input);
      const result = new Uint8Array(modulus.length);
      if (usable) result.set(output, modulus.length - output.length);
      return result;
    },
  };
}

function parsePrivateKey(pem: string): KeyObject {
  const key = (() => {
    try {
      return createPrivateKey(pem);
    } catch {
      // Its cause is left out: it could quote the key.
      throw new CryptoError("Cannot read a private key: it is no unencrypted PEM of one");
    }
  })();
  if (key.asymmetricKeyType !== "rsa") {
    throw new CryptoError(
      `Cannot use a private key of type ${key.asymmetricKeyType ?? "unknown"}: it must be rsa`,
    );
  }
  return key;
}

/** Big-endian, without leading zeros. */
function modulusOf(publicKey: KeyObject): Uint8Array {
  const { n } = publicKey.export({ format: "jwk" });
  return new Uint8Array(Buffer.from(String(n), "base64url"));
}

function isBelow(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function two(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes[length - 1] = 2;
  return bytes;
}
