/** Keys of the section `gateway.api`, and the tokens in it. */
import type { ApiConfig } from "./gateway_config.ts";
import { countMax } from "./key_ranges.ts";
import type { SpecsOf } from "./key_spec.ts";

/** Each use of the API looks at all of them. */
const tokensMax = 100;

const tokenPattern = /^[A-Za-z0-9._-]{1,64}:(?:read|write):[0-9a-f]{64}$/;

/** What the first part of one may be. */
export const apiTokenName = {
  pattern: /^[A-Za-z0-9._-]{1,64}$/,
  allowed: "1–64 letters, digits, dots, hyphens and underscores",
} as const;

export const apiKeys: SpecsOf<ApiConfig> = {
  tokens: {
    kind: "texts",
    default: [],
    membersMax: tokensMax,
    // Whoever mistakes what belongs here puts the token itself.
    secret: true,
    member: {
      pattern: tokenPattern,
      allowed: 'a name, "read" or "write", and the SHA-256 of a token in 64 hexadecimal digits, ' +
        'such as "ops:write:2cf2…"',
    },
    means: "Who may use the API at /api/v1; none: it is off",
  },
  requestsPerSecond: {
    kind: "whole",
    default: 50,
    min: 1,
    max: countMax,
    means: "Its requests a second, of one token and of one address",
  },
  burstSize: {
    kind: "whole",
    default: 100,
    min: 1,
    max: countMax,
    means: "Requests that may come at once",
  },
};

/** Somebody who may use the API. */
export interface ApiToken {
  readonly name: string;
  /** Whether it may change anything, or only look. */
  readonly mayWrite: boolean;
  /** SHA-256 of the token, in lower-case hexadecimal digits. */
  readonly sha256: string;
}

/** As it stands in the configuration. */
export function showApiToken({ name, mayWrite, sha256 }: ApiToken): string {
  return `${name}:${mayWrite ? "write" : "read"}:${sha256}`;
}

/** The tokens of a checked configuration. */
export function apiTokens({ tokens }: ApiConfig): ApiToken[] {
  return tokens.map((text) => {
    const [name = "", scope, sha256 = ""] = text.split(":");
    return { name, mayWrite: scope === "write", sha256 };
  });
}
