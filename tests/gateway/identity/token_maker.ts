import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

/** Seconds since 1970 at which the tests' tokens are made. */
export const madeAt = 1_700_000_000;

export const sharedSecret = "a secret of at least thirty-two characters";

/** Whatever a token can be signed with. */
export type Signer =
  | { readonly alg: "HS256"; readonly secret: string | Uint8Array }
  | { readonly alg: "RS256" | "EdDSA"; readonly key: KeyObject }
  | { readonly alg: "none" };

export const bySecret: Signer = { alg: "HS256", secret: sharedSecret };

/** A token as any issuer would make it, by other means than those that verify it. */
export function makeToken(
  claims: Readonly<Record<string, unknown>> | string,
  signer: Signer = bySecret,
  header: Readonly<Record<string, unknown>> = {},
): string {
  const payload = typeof claims === "string" ? claims : JSON.stringify(claims);
  const signed = `${encoded(JSON.stringify({ alg: signer.alg, ...header }))}.${encoded(payload)}`;
  return `${signed}.${signatureOf(signed, signer)}`;
}

/** Claims of a client whose token holds for so many seconds. */
export function claimsFor(clientId: string, seconds = 60): Record<string, unknown> {
  return { sub: clientId, exp: madeAt + seconds };
}

export interface KeyPair {
  readonly publicPem: string;
  readonly privatePem: string;
  readonly publicJwk: Record<string, unknown>;
  readonly privateJwk: Record<string, unknown>;
  readonly signer: Signer;
}

export function rsaPair(bits = 2_048): KeyPair {
  return pairOf("RS256", generateKeyPairSync("rsa", { modulusLength: bits }));
}

export function ed25519Pair(): KeyPair {
  return pairOf("EdDSA", generateKeyPairSync("ed25519"));
}

function pairOf(
  alg: "RS256" | "EdDSA",
  { publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject },
): KeyPair {
  return {
    publicPem: publicKey.export({ type: "spki", format: "pem" }) as string,
    privatePem: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
    publicJwk: { ...publicKey.export({ format: "jwk" }) },
    privateJwk: { ...privateKey.export({ format: "jwk" }) },
    signer: { alg, key: privateKey },
  };
}

function signatureOf(signed: string, signer: Signer): string {
  switch (signer.alg) {
    case "HS256":
      return createHmac("sha256", signer.secret).update(signed).digest("base64url");
    case "RS256":
      return sign("sha256", Buffer.from(signed), signer.key).toString("base64url");
    case "EdDSA":
      return sign(null, Buffer.from(signed), signer.key).toString("base64url");
    case "none":
      return "";
  }
}

function encoded(text: string): string {
  return Buffer.from(text).toString("base64url");
}
