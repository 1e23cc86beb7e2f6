import { equalInConstantTime } from "../../base/constant_time.ts";
import type { CryptoPort, ScryptCost } from "../../ports/crypto.ts";
import type { Random } from "../../ports/random.ts";

/** As the original server keeps it in `userinfo`. */
export interface LegacyPassword {
  /** SHA-256 of password and salt, 64 hex digits. */
  readonly hash: string;
  /** 8 hex digits. */
  readonly salt: string;
}

export interface ScryptPassword {
  readonly hash: Uint8Array;
  readonly salt: Uint8Array;
  readonly cost: ScryptCost;
}

/** What is known of an account's password; with neither, nobody can log in. */
export interface StoredPassword {
  /** The columns of `userinfo`, unless they are empty. */
  readonly legacy?: LegacyPassword;
  /** The record in the table of our own, unless the columns were changed since it was made: then
   * the original server has set a newer password. */
  readonly scrypt?: ScryptPassword;
}

/** Both forms of one password; the store writes what `keepLegacyHash` says. */
export interface NewPassword {
  readonly legacy: LegacyPassword;
  readonly scrypt: ScryptPassword;
}

/** 16 MiB and about 30 ms of one core (Bun): what a small server can pay at each login, and a
 * thousand times what a guess against the old hash costs in time alone. */
export const scryptCost: ScryptCost = { N: 16_384, r: 8, p: 1 };

const SCRYPT_SALT_BYTES = 16;
const SCRYPT_HASH_BYTES = 32;

/** What a damaged or planted record may make us spend: 128 MiB. */
const SCRYPT_MEMORY_BYTES_MAX = 134_217_728;
const SCRYPT_P_MAX = 16;

const LEGACY_SALT_BYTES = 4;

/** Whether the password is the stored one. Takes the same time for each wrong password. */
export async function isPassword(
  crypto: CryptoPort,
  given: { password: Uint8Array; stored: StoredPassword },
): Promise<boolean> {
  const { scrypt, legacy } = given.stored;
  if (scrypt !== undefined) {
    if (!isUsableCost(scrypt.cost) || scrypt.hash.length !== SCRYPT_HASH_BYTES) return false;
    const hash = await crypto.scrypt({
      password: given.password,
      salt: scrypt.salt,
      cost: scrypt.cost,
      hashBytes: SCRYPT_HASH_BYTES,
    });
    return equalInConstantTime(hexOf(hash), hexOf(scrypt.hash));
  }
  if (legacy === undefined) return false;
  const { hash } = legacyPassword(crypto, given.password, legacy.salt);
  return equalInConstantTime(hash, legacy.hash.toLowerCase());
}

/** Whether the stored form is another than a password set now would have. */
export function needsUpgrade(
  stored: StoredPassword,
  options: { keepLegacyHash: boolean },
): boolean {
  const { scrypt, legacy } = stored;
  if (scrypt === undefined || (legacy !== undefined) !== options.keepLegacyHash) return true;
  const { N, r, p } = scrypt.cost;
  return N !== scryptCost.N || r !== scryptCost.r || p !== scryptCost.p;
}

/** Both forms with fresh salts. */
export async function makePassword(
  parts: { crypto: CryptoPort; random: Random },
  password: Uint8Array,
): Promise<NewPassword> {
  const salt = parts.random.bytes(SCRYPT_SALT_BYTES);
  const hash = await parts.crypto.scrypt({
    password,
    salt,
    cost: scryptCost,
    hashBytes: SCRYPT_HASH_BYTES,
  });
  return { legacy: makeLegacyPassword(parts, password), scrypt: { hash, salt, cost: scryptCost } };
}

/** The original's form with a fresh salt. */
export function makeLegacyPassword(
  parts: { crypto: CryptoPort; random: Random },
  password: Uint8Array,
): LegacyPassword {
  return legacyPassword(parts.crypto, password, hexOf(parts.random.bytes(LEGACY_SALT_BYTES)));
}

/** Whether two stored forms are the same: nobody has changed the password in between. */
export function isSamePassword(a: StoredPassword, b: StoredPassword): boolean {
  return a.legacy?.hash === b.legacy?.hash && a.legacy?.salt === b.legacy?.salt &&
    (a.scrypt === undefined) === (b.scrypt === undefined) &&
    (a.scrypt === undefined || b.scrypt === undefined ||
      hexOf(a.scrypt.hash) === hexOf(b.scrypt.hash));
}

function legacyPassword(crypto: CryptoPort, password: Uint8Array, salt: string): LegacyPassword {
  const tail = new TextEncoder().encode(salt);
  const salted = new Uint8Array(password.length + tail.length);
  salted.set(password);
  salted.set(tail, password.length);
  return { hash: hexOf(crypto.sha256(salted)), salt };
}

function isUsableCost({ N, r, p }: ScryptCost): boolean {
  return [N, r, p].every((part) => Number.isSafeInteger(part) && part > 0) && p <= SCRYPT_P_MAX &&
    128 * N * r <= SCRYPT_MEMORY_BYTES_MAX;
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
