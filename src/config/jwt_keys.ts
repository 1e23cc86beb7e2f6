/** Keys of the section `gateway.jwt`, and what they say together. */
import { type Fault, type Place, wrongValue } from "./faults.ts";
import type { JwtConfig } from "./gateway_config.ts";
import { line } from "./key_ranges.ts";
import type { SpecsOf } from "./key_spec.ts";

/** A clock that is further off is broken. */
const leewaySecondsMax = 3_600;

export const jwtKeys: SpecsOf<JwtConfig> = {
  secret: {
    kind: "text",
    default: "",
    // RFC 7518 §3.2: no shorter than the hash.
    pattern: /^$|^[\x21-\x7e][\x20-\x7e]{30,1022}[\x21-\x7e]$/,
    allowed: '32–1,024 printable ASCII characters without spaces at the ends, or "" for none',
    secret: true,
    means: "Secret that signs clients' tokens (HS256)",
  },
  secretFile: {
    kind: "text",
    default: "",
    ...line,
    means: "File that holds it instead; a line feed at its end is no part of it",
  },
  publicKeyFile: {
    kind: "text",
    default: "",
    ...line,
    means:
      "PEM file with the public key, or certificate, that tokens are signed for (RS256, EdDSA)",
  },
  jwksFile: {
    kind: "text",
    default: "",
    ...line,
    means: "JSON Web Key Set with such keys",
  },
  algorithms: {
    kind: "choices",
    default: [],
    choices: ["HS256", "RS256", "EdDSA"],
    means: "Signatures that are taken; none named: all that fit the keys",
  },
  clientIdClaim: {
    kind: "text",
    default: "sub",
    pattern: /^[^\p{Cc}]{1,256}$/u,
    allowed: "a text of 1–256 characters",
    means: "Claim that holds the client id; clientIdPrefixes may list beginnings of others",
  },
  audience: {
    kind: "text",
    default: "",
    ...line,
    means: 'What aud must be, or hold; "": anything',
  },
  issuer: { kind: "text", default: "", ...line, means: 'What iss must be; "": anything' },
  leewaySeconds: {
    kind: "seconds",
    default: 30,
    min: 0,
    max: leewaySecondsMax,
    means: "How far other clocks may be off: a token holds that much longer",
  },
  required: {
    kind: "yes_no",
    default: true,
    means: "Refuses clients without a token; else only ids that came with one need it",
  },
};

const keyNames = ["secret", "secretFile", "publicKeyFile", "jwksFile"] as const;

/** Whether clients' tokens are looked at. */
export function isJwtOn(jwt: JwtConfig): boolean {
  return keyNames.some((name) => jwt[name] !== "");
}

/** The file that the keys come from; "" for none. */
export function keyFileOf({ secretFile, publicKeyFile, jwksFile }: JwtConfig): string {
  return secretFile || publicKeyFile || jwksFile;
}

/** Keys from two places, or signatures that the keys cannot make. */
export function jwtConflicts(jwt: JwtConfig, placeOf: (path: string) => Place): Fault[] {
  const [first, second] = keyNames.filter((name) => jwt[name] !== "");
  const refuse = (key: string, found: string, allowed: string) => [
    wrongValue({ ...placeOf(`gateway.jwt.${key}`), found, allowed }),
  ];
  if (second !== undefined) {
    return refuse(second, "another source of keys", `absent beside ${first}`);
  }
  const { algorithms } = jwt;
  if (first === undefined) {
    const only = "absent without secret, secretFile, publicKeyFile or jwksFile";
    return algorithms.length === 0 ? [] : refuse("algorithms", "a list", only);
  }
  if (first === "jwksFile") return [];
  const isSecret = first === "secret" || first === "secretFile";
  const wrong = algorithms.find((name) => (name === "HS256") !== isSecret);
  if (wrong === undefined) return [];
  const fitting = isSecret ? "HS256 alone" : "RS256 or EdDSA";
  return refuse("algorithms", wrong, `${fitting} with ${first}`);
}
