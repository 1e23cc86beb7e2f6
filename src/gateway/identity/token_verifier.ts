import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from "jose";
import type { JwtConfig } from "../../config/gateway_config.ts";
import type { TokenKey } from "./token_keys.ts";

/** Characters of a token: URLs and headers have little more room. */
export const tokenLengthMax = 8_192;

/** Beginnings of client ids that one token may list. */
const prefixesMax = 100;

/** What a good token says. */
export interface TokenClaims {
  /** `exp`: seconds since 1970. */
  readonly exp: number;
  /** The highest priority that its client may ask for, 0–9. */
  readonly priorityMax: number;
}

/** Why a token is of no use, in the words of the answer to it. */
export type TokenProblem =
  | "invalid token"
  | "token expired"
  | "token of another client"
  | "token required";

export type TokenVerdict =
  | { readonly ok: true; readonly claims: TokenClaims }
  | { readonly ok: false; readonly problem: TokenProblem };

/**
 * Whether a token (RFC 7519, signed and compact) lets somebody be a client: its signature is by one
 * of the keys and the algorithm of that key, it has an `exp` that is not over, `nbf`, `aud` and `iss`
 * allow it, and the id claim is the client id, or `clientIdPrefixes` (a list of texts that are not
 * empty) has a beginning of it. Never rejects.
 */
export async function verifyToken(
  token: string,
  { clientId, keys, config, nowMs }: {
    readonly clientId: string;
    readonly keys: readonly TokenKey[];
    readonly config: JwtConfig;
    readonly nowMs: number;
  },
): Promise<TokenVerdict> {
  if (token.length > tokenLengthMax) return refused("invalid token");
  let payload: JWTPayload | undefined;
  try {
    payload = await payloadOf(token, { keys, config, nowMs });
  } catch (error) {
    // Whatever a stranger's token makes the library throw says no more than that it is none.
    return refused(error instanceof errors.JWTExpired ? "token expired" : "invalid token");
  }
  const { exp, priority = 9 } = payload ?? {};
  if (payload === undefined || !isNumber(exp) || !isNumber(priority)) {
    return refused("invalid token");
  }
  if (!Number.isInteger(priority) || priority < 0 || priority > 9) return refused("invalid token");
  if (!isFor(payload, clientId, config)) return refused("token of another client");
  return { ok: true, claims: { exp, priorityMax: priority } };
}

async function payloadOf(
  token: string,
  { keys, config, nowMs }: { keys: readonly TokenKey[]; config: JwtConfig; nowMs: number },
): Promise<JWTPayload | undefined> {
  const { alg, kid } = decodeProtectedHeader(token);
  for (const { algorithm, id, key } of keys) {
    if (algorithm !== alg || (id !== undefined && kid !== undefined && id !== kid)) continue;
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: [algorithm],
        requiredClaims: ["exp"],
        clockTolerance: config.leewaySeconds,
        currentDate: new Date(nowMs),
        ...(config.audience === "" ? {} : { audience: config.audience }),
        ...(config.issuer === "" ? {} : { issuer: config.issuer }),
      });
      return payload;
    } catch (error) {
      // Another key may be the right one.
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  return undefined;
}

function isFor(payload: JWTPayload, clientId: string, { clientIdClaim }: JwtConfig): boolean {
  if (Object.hasOwn(payload, clientIdClaim) && payload[clientIdClaim] === clientId) return true;
  const prefixes: unknown = payload.clientIdPrefixes;
  // An empty one would let its holder be anybody: nobody means that.
  return Array.isArray(prefixes) && prefixes.length <= prefixesMax &&
    prefixes.some((prefix) =>
      typeof prefix === "string" && prefix !== "" && clientId.startsWith(prefix)
    );
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function refused(problem: TokenProblem): TokenVerdict {
  return { ok: false, problem };
}
