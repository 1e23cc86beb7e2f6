import { type CryptoKey, importJWK, importSPKI, importX509, type JWK } from "jose";
import type { JwtAlgorithm, JwtConfig } from "../../config/gateway_config.ts";
import { FileError, type FilesPort } from "../../ports/files.ts";

/** Keys of one file; a token without a key id is tried with all that fit. */
const keysMax = 16;
/** Far more than so many keys take. */
const keyFileBytesMax = 262_144;
/** RFC 7518 §3.2: no shorter than the hash. */
const secretBytesMin = 32;
/** RFC 7518 §3.3. */
const rsaBitsMin = 2_048;

const publicAlgorithms: readonly JwtAlgorithm[] = ["RS256", "EdDSA"];

/** A key, and the one algorithm that it is for: what a token says of itself never decides that. */
export interface TokenKey {
  readonly algorithm: JwtAlgorithm;
  /** `kid`, where the key set has one. */
  readonly id: string | undefined;
  readonly key: CryptoKey;
}

export type TokenKeysResult =
  | { readonly ok: true; readonly keys: readonly TokenKey[] }
  /** One line that holds no secret. */
  | { readonly ok: false; readonly reason: string };

/** Reads the keys that the configuration names. What cannot be used is a reason, not an error. */
export async function readTokenKeys(
  config: JwtConfig,
  files: Pick<FilesPort, "read">,
): Promise<TokenKeysResult> {
  const { secret, secretFile, publicKeyFile, jwksFile } = config;
  try {
    if (secret !== "") return { ok: true, keys: [await secretKey(encode(secret))] };
    if (secretFile !== "") return await keysOf(secretFile, secretIn, files);
    if (publicKeyFile !== "") {
      return await keysOf(publicKeyFile, (bytes) => keysInPem(bytes, config), files);
    }
    return await keysOf(jwksFile, (bytes) => keysInSet(bytes, config), files);
  } catch (error) {
    if (error instanceof FileError) return { ok: false, reason: error.message };
    throw error;
  }
}

/** What is in a file but no key that can be used. */
class UnusableKey extends Error {
  override readonly name = "UnusableKey";
}

async function keysOf(
  path: string,
  keysIn: (bytes: Uint8Array) => Promise<TokenKey[]>,
  files: Pick<FilesPort, "read">,
): Promise<TokenKeysResult> {
  const bytes = await files.read(path, { bytesMax: keyFileBytesMax });
  try {
    return { ok: true, keys: await keysIn(bytes) };
  } catch (error) {
    if (!(error instanceof UnusableKey)) throw error;
    return { ok: false, reason: `Cannot use the keys in "${path}": ${error.message}` };
  }
}

async function secretIn(bytes: Uint8Array): Promise<TokenKey[]> {
  let end = bytes.length;
  if (bytes[end - 1] === 0x0a) end--;
  if (bytes[end - 1] === 0x0d) end--;
  return [await secretKey(bytes.slice(0, end))];
}

/** The bytes become a key that can do nothing else. */
async function secretKey(bytes: Uint8Array<ArrayBuffer>, id?: string): Promise<TokenKey> {
  if (bytes.length < secretBytesMin) {
    throw new UnusableKey(
      `a secret must have at least ${secretBytesMin} bytes, got ${bytes.length}`,
    );
  }
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", bytes, hmac, false, ["verify"]);
  return { algorithm: "HS256", id, key };
}

async function keysInPem(bytes: Uint8Array, { algorithms }: JwtConfig): Promise<TokenKey[]> {
  const text = new TextDecoder().decode(bytes);
  if (text.includes("PRIVATE KEY-----")) throw new UnusableKey(privateKey);
  const read = text.includes("-----BEGIN CERTIFICATE-----") ? importX509 : importSPKI;
  for (const algorithm of algorithms.length === 0 ? publicAlgorithms : algorithms) {
    const key = await read(text.trim(), algorithm).catch(() => undefined);
    if (key !== undefined) return [checked({ algorithm, id: undefined, key })];
  }
  const wanted = (algorithms.length === 0 ? publicAlgorithms : algorithms).join(" or ");
  throw new UnusableKey(
    `must be a PEM file with a "BEGIN PUBLIC KEY" or "BEGIN CERTIFICATE" for ${wanted}`,
  );
}

async function keysInSet(bytes: Uint8Array, { algorithms }: JwtConfig): Promise<TokenKey[]> {
  const members = membersOf(new TextDecoder().decode(bytes));
  if (members.length > keysMax) {
    throw new UnusableKey(`must hold at most ${keysMax} keys, got ${members.length}`);
  }
  const taken = algorithms.length === 0 ? publicAlgorithms : algorithms;
  const keys: TokenKey[] = [];
  for (const jwk of members) {
    const algorithm = algorithmOf(jwk);
    if (algorithm === undefined || !taken.includes(algorithm)) continue;
    const id = typeof jwk.kid === "string" ? jwk.kid : undefined;
    keys.push(
      algorithm === "HS256"
        ? await secretKey(bytesOf(jwk.k), id)
        : checked({ algorithm, id, key: await publicKey(jwk, algorithm) }),
    );
  }
  if (keys.length === 0) {
    throw new UnusableKey(`must hold a key for ${taken.join(" or ")} that verifies signatures`);
  }
  return keys;
}

function membersOf(text: string): JWK[] {
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    // The text itself may be a secret: what is wrong where is not told.
    set = undefined;
  }
  const keys = isObject(set) ? set.keys : undefined;
  if (!Array.isArray(keys) || !keys.every(isObject)) {
    throw new UnusableKey(`must be a JSON Web Key Set: {"keys":[…]}`);
  }
  return keys as JWK[];
}

/** The algorithm that a key of a set is for; undefined for one that is not for tokens of ours. */
function algorithmOf(jwk: JWK): JwtAlgorithm | undefined {
  if (jwk.use !== undefined && jwk.use !== "sig") return undefined;
  if (Array.isArray(jwk.key_ops) && !jwk.key_ops.includes("verify")) return undefined;
  const fitting: JwtAlgorithm | undefined = jwk.kty === "oct"
    ? "HS256"
    : jwk.kty === "RSA"
    ? "RS256"
    : jwk.kty === "OKP" && jwk.crv === "Ed25519"
    ? "EdDSA"
    : undefined;
  if (jwk.alg === undefined || jwk.alg === fitting) return fitting;
  return fitting === "EdDSA" && jwk.alg === "Ed25519" ? fitting : undefined;
}

async function publicKey(jwk: JWK, algorithm: JwtAlgorithm): Promise<CryptoKey> {
  if (jwk.d !== undefined) throw new UnusableKey(privateKey);
  const { alg: _alg, key_ops: _operations, ...plain } = jwk;
  const key = await importJWK(plain, algorithm).catch(() => undefined);
  if (key === undefined || key instanceof Uint8Array) {
    throw new UnusableKey(`holds a key for ${algorithm} that cannot be read`);
  }
  return key;
}

function checked(key: TokenKey): TokenKey {
  const { modulusLength } = key.key.algorithm as { modulusLength?: number };
  if (modulusLength !== undefined && modulusLength < rsaBitsMin) {
    throw new UnusableKey(`an RSA key must have at least ${rsaBitsMin} bits, got ${modulusLength}`);
  }
  return key;
}

const privateKey = "it holds a private key: only public ones belong here";

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function bytesOf(text: unknown): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.fromBase64(String(text), { alphabet: "base64url" });
  } catch {
    // No base64url: too short for a secret, which is what the caller says.
    return new Uint8Array(0);
  }
}
