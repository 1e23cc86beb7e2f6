import { constants, publicEncrypt } from "node:crypto";

/** A login's cipher as a client makes it: RSA PKCS#1 v1.5 of a prefix and the password. */
export function clientCipher(
  publicPem: string,
  password: string | Uint8Array,
  prefix: Uint8Array = new Uint8Array(32).fill(0x41),
): Uint8Array {
  return encrypt(publicPem, Buffer.concat([prefix, Buffer.from(password)]));
}

/** Any plain text, padded as PKCS#1 v1.5 says. */
export function encrypt(publicPem: string, plain: Uint8Array): Uint8Array {
  return new Uint8Array(
    publicEncrypt({ key: publicPem, padding: constants.RSA_PKCS1_PADDING }, plain),
  );
}

/** Any block, without padding. */
export function encryptRaw(publicPem: string, block: Uint8Array): Uint8Array {
  return new Uint8Array(
    publicEncrypt({ key: publicPem, padding: constants.RSA_NO_PADDING }, block),
  );
}
