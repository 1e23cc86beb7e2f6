import { parseAddressBlock } from "../base/address.ts";
import type { GatewayConfig } from "../config/gateway_config.ts";
import type { HttpPeer, UpgradeRequest } from "../ports/http.ts";
import { AddressLimit } from "./address_limit.ts";
import { clientAddress, limitKey } from "./client_address.ts";
import type { ClientLedger } from "./client_ledger.ts";
import type { AddressOf } from "./gateway_types.ts";
import { TakeOverLimit } from "./take_over_limit.ts";
import type { UpgradeQuery } from "./upgrade_query.ts";

/** When to come back to a server that is stopping: its successor needs about that long. */
const drainingSeconds = 2;

/** Why somebody may not connect. */
export interface Refusal {
  readonly status: 400 | 401 | 403 | 429 | 503;
  readonly error: string;
  readonly retryAfterSeconds?: number;
}

/** How things stand when somebody asks. */
export interface AdmissionFacts {
  readonly nowMs: number;
  readonly isFull: boolean;
  readonly isDraining: boolean;
  isConnected(id: string): boolean;
}

/** Decides who may connect, in the order in which the answers are documented. */
export class Admission {
  readonly takeOvers: TakeOverLimit = new TakeOverLimit();
  readonly addresses: AddressLimit;
  readonly #ledger: ClientLedger;
  #config: GatewayConfig;
  #addressOf: AddressOf;
  #origins: ReadonlySet<string> | undefined;

  constructor(config: GatewayConfig, ledger: ClientLedger) {
    this.#config = config;
    this.#ledger = ledger;
    this.addresses = new AddressLimit(rateOf(config));
    this.#addressOf = addressOfBehind(config);
    this.#origins = allowedOrigins(config);
  }

  /** The client's address, behind the proxies that are believed now. */
  addressOf(peer: HttpPeer, headers: Headers): string {
    return this.#addressOf(peer, headers);
  }

  /** Other limits, for whoever comes from now on. */
  configure(config: GatewayConfig): void {
    this.#config = config;
    this.addresses.configure(rateOf(config));
    this.#addressOf = addressOfBehind(config);
    this.#origins = allowedOrigins(config);
  }

  /** What needs no look at who it is; undefined: so far, come in. To be asked once. */
  refusal(
    request: UpgradeRequest,
    query: UpgradeQuery,
    facts: AdmissionFacts,
  ): Refusal | undefined {
    const { clientId } = query;
    if (clientId === undefined) return { status: 400, error: "clientId required" };
    const wait = this.#addressWait(request, facts.nowMs);
    if (wait > 0) return { status: 429, error: "rate limit exceeded", retryAfterSeconds: wait };
    if (facts.isFull) return { status: 503, error: "max connections reached" };
    if (!this.#isOriginAllowed(request.headers)) {
      return { status: 403, error: "origin not allowed" };
    }
    return undefined;
  }

  /** The rest, once it is known whether a token proved who it is; undefined: come in. */
  refusalOf(
    { clientId = "", hasIdentity, resume }: UpgradeQuery,
    facts: AdmissionFacts,
    { isProven }: { isProven: boolean },
  ): Refusal | undefined {
    // Others may have come in while the token was looked at.
    if (facts.isFull) return { status: 503, error: "max connections reached" };
    if (!isProven && this.#config.requireIdentity && !hasIdentity) {
      return { status: 401, error: "identity required" };
    }
    if (!isProven && this.#ledger.check(clientId, resume) === "stranger") {
      return { status: 401, error: "resume token required" };
    }
    if (facts.isDraining) {
      return { status: 503, error: "draining", retryAfterSeconds: drainingSeconds };
    }
    const takeOverWait = this.takeOvers.wait(clientId, facts.nowMs);
    if (takeOverWait > 0 && facts.isConnected(clientId)) {
      return { status: 429, error: "too many take-overs", retryAfterSeconds: takeOverWait };
    }
    return undefined;
  }

  #addressWait(request: UpgradeRequest, nowMs: number): number {
    if (!this.#config.rateLimit.enabled) return 0;
    return this.addresses.take(limitKey(this.addressOf(request, request.headers)), nowMs);
  }

  /** Clients that are no browsers name none. */
  #isOriginAllowed(headers: Headers): boolean {
    if (this.#origins === undefined) return true;
    const origin = headers.get("origin");
    return origin === null || this.#origins.has(plainOrigin(origin));
  }
}

/** The answer that carries a refusal. */
export function refusalResponse({ status, error, retryAfterSeconds }: Refusal): Response {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (retryAfterSeconds !== undefined) headers["retry-after"] = String(retryAfterSeconds);
  return new Response(JSON.stringify({ error }), { status, headers });
}

function rateOf({ rateLimit }: GatewayConfig): { perSecond: number; burst: number } {
  return { perSecond: rateLimit.requestsPerSecond, burst: rateLimit.burstSize };
}

function addressOfBehind({ trustedProxies }: GatewayConfig): AddressOf {
  // The configuration was checked: what is no block was refused at start.
  return clientAddress(trustedProxies.flatMap((text) => parseAddressBlock(text) ?? []));
}

/** undefined: any. */
function allowedOrigins({ security }: GatewayConfig): ReadonlySet<string> | undefined {
  const origins = security.allowedOrigins.map(plainOrigin);
  if (origins.length === 0 || origins.includes("*")) return undefined;
  return new Set([...origins, ...origins.map(asBrowsersWrite)]);
}

/** Browsers leave out the port that is the scheme's own, and write names in ASCII. */
function asBrowsersWrite(origin: string): string {
  const written = URL.parse(origin)?.origin ?? "null";
  return written === "null" ? origin : written;
}

function plainOrigin(origin: string): string {
  const lower = origin.toLowerCase();
  return lower.endsWith("/") ? lower.slice(0, -1) : lower;
}
