import { equalInConstantTime } from "../base/constant_time.ts";
import { type ApiToken, apiTokens } from "../config/api_keys.ts";
import type { ApiConfig } from "../config/gateway_config.ts";
import { AddressLimit } from "../gateway/address_limit.ts";
import { limitKey } from "../gateway/client_address.ts";
import type { Clock } from "../ports/clock.ts";
import type { CryptoPort } from "../ports/crypto.ts";
import { ApiProblem } from "./api_problem.ts";

/** Says who may use the API, and how often. */
export class ApiGuard {
  readonly #crypto: CryptoPort;
  readonly #clock: Clock;
  readonly #addresses: AddressLimit;
  readonly #names: AddressLimit;
  #tokens: readonly ApiToken[] = [];

  constructor(config: ApiConfig, { crypto, clock }: { crypto: CryptoPort; clock: Clock }) {
    this.#crypto = crypto;
    this.#clock = clock;
    const rate = { perSecond: config.requestsPerSecond, burst: config.burstSize };
    this.#addresses = new AddressLimit(rate);
    this.#names = new AddressLimit(rate);
    this.configure(config);
  }

  /** Whether there is an API at all. */
  get isOn(): boolean {
    return this.#tokens.length > 0;
  }

  configure(config: ApiConfig): void {
    const rate = { perSecond: config.requestsPerSecond, burst: config.burstSize };
    this.#addresses.configure(rate);
    this.#names.configure(rate);
    this.#tokens = apiTokens(config);
  }

  /** Counts a request of this address. Throws ApiProblem when it is one too many. */
  count(address: string): void {
    this.#take(this.#addresses, limitKey(address));
  }

  /** Whose token that is. Throws ApiProblem for none, a wrong one, or one that is used too often. */
  tokenOf(authorization: string | undefined): ApiToken {
    const given = /^Bearer ([\x21-\x7e]{1,1024})$/i.exec(authorization ?? "")?.[1];
    if (given === undefined) {
      throw new ApiProblem(401, "a token is needed: Authorization: Bearer …");
    }
    const hash = hexOf(this.#crypto.sha256(new TextEncoder().encode(given)));
    let found: ApiToken | undefined;
    // All of them, so that the time says nothing about which it was.
    for (const token of this.#tokens) {
      if (equalInConstantTime(hash, token.sha256)) found = token;
    }
    if (found === undefined) throw new ApiProblem(401, "the token is not known");
    this.#take(this.#names, found.sha256);
    return found;
  }

  /** The same for who gets no reason. */
  isKnown(address: string, authorization: string | undefined): boolean {
    if (!this.isOn || authorization === undefined) return false;
    try {
      this.count(address);
      this.tokenOf(authorization);
      return true;
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      return false;
    }
  }

  #take(limit: AddressLimit, key: string): void {
    const seconds = limit.take(key, this.#clock.monotonic());
    if (seconds > 0) {
      throw new ApiProblem(429, `too many requests: wait ${seconds} s`, { retryAfter: seconds });
    }
  }
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
