/** Cryptography of game and gateway. Random bytes come from the `Random` port. */

/** A key, or what is to be decrypted with it, that cannot be used; the message holds no secret. */
export class CryptoError extends Error {
  override readonly name = "CryptoError";
}

export interface RsaKeyPairPem {
  /** PKCS#1 (`BEGIN RSA PRIVATE KEY`), not encrypted, with its final newline. */
  readonly privatePem: string;
  /** PKCS#1 (`BEGIN RSA PUBLIC KEY`), with its final newline. */
  readonly publicPem: string;
}

export interface RsaPrivateKey {
  /** PKCS#1 PEM of its public half, with its final newline. */
  readonly publicPem: string;
  /** Length of the modulus, and so of each cipher and each result. */
  readonly modulusBytes: number;
  /**
   * The bare private operation (RSADP of RFC 8017 §5.1.2): no padding is looked at. Takes time of
   * its own (0.6–2 ms). A cipher that is not below the modulus gives all zeros, after the same
   * time. Throws CryptoError for a cipher of another length than `modulusBytes`.
   */
  decryptRaw(cipher: Uint8Array): Uint8Array;
}

/** RFC 7914. Memory is 128 · N · r bytes. */
export interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** A SHA-256 that is worked out piece by piece. */
export interface Sha256 {
  update(bytes: Uint8Array): void;
  /** In lower-case hex digits; nothing is to be called after it. */
  hex(): string;
}

export interface CryptoPort {
  /** 32 bytes. */
  sha256(bytes: Uint8Array): Uint8Array;
  newSha256(): Sha256;
  /** 20 bytes. For protocols that prescribe it, never for secrets. */
  sha1(bytes: Uint8Array): Uint8Array;
  /** 16 bytes. */
  md5(bytes: Uint8Array): Uint8Array;
  /** A pair of 2,048 bits with the exponent 65,537; does not block the thread. */
  generateRsaKeyPair(): Promise<RsaKeyPairPem>;
  /** Reads an unencrypted PEM (PKCS#1 or PKCS#8). Throws CryptoError when it is no RSA key. */
  openRsaPrivateKey(pem: string): RsaPrivateKey;
  /** Does not block the thread: it runs on a thread of the runtime's own pool. Rejects with
   * CryptoError for a cost that is not allowed. */
  scrypt(
    input: { password: Uint8Array; salt: Uint8Array; cost: ScryptCost; hashBytes: number },
  ): Promise<Uint8Array>;
}
