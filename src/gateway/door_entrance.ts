import type { UpgradeDecision, UpgradeRequest } from "../ports/http.ts";
import { type Admission, type AdmissionFacts, type Refusal, refusalResponse } from "./admission.ts";
import { bearerOffer, bearerProtocol } from "./bearer_offer.ts";
import type { ClientConnection } from "./client_connection.ts";
import type { GatewayCounters } from "./gateway_types.ts";
import type { ClientIdentity } from "./identity/client_identity.ts";
import type { TokenClaims } from "./identity/token_verifier.ts";
import { parseUpgradeQuery, pathOf, type UpgradeQuery } from "./upgrade_query.ts";

export interface DoorEntranceParts {
  readonly admission: Admission;
  readonly counters: GatewayCounters;
  /** undefined where no tokens are in use, for the time being. */
  identity(): ClientIdentity | undefined;
  facts(): AdmissionFacts;
  /** The connection of one that is let in. */
  newConnection(query: UpgradeQuery): ClientConnection;
}

/** Decides about requests for a WebSocket, and remembers what those that are let in have said until
 * they open, which they may never do. */
export class DoorEntrance {
  readonly #parts: DoorEntranceParts;
  readonly #arriving = new WeakMap<ClientConnection, UpgradeQuery>();
  /** What the tokens of some of them say. */
  readonly #claims = new WeakMap<ClientConnection, TokenClaims>();

  constructor(parts: DoorEntranceParts) {
    this.#parts = parts;
  }

  upgrade(
    request: UpgradeRequest,
  ): UpgradeDecision<ClientConnection> | Promise<UpgradeDecision<ClientConnection>> {
    if (pathOf(request.href) !== "/ws") {
      const response = new Response(`{"error":"not found"}`, {
        status: 404,
        headers: { "content-type": "application/json" },
      });
      return { accept: false, response };
    }
    const query = parseUpgradeQuery(request.href);
    const { admission, facts } = this.#parts;
    const refusal = admission.refusal(request, query, facts());
    if (refusal !== undefined) return this.#refused(refusal);
    const offered = bearerOffer(request.headers);
    // Browsers end a connection on which no protocol of theirs was taken.
    const protocol = offered === undefined ? {} : { protocol: bearerProtocol };
    const identity = this.#parts.identity();
    const token = offered || query.token;
    if (identity === undefined || (token === "" && !identity.isRequired)) {
      return this.#admit(query, protocol);
    }
    if (token === "") return this.#refused({ status: 401, error: "token required" });
    return this.#prove(identity, token, { query, protocol });
  }

  /** Of one that has not opened yet. */
  queryOf(connection: ClientConnection): UpgradeQuery | undefined {
    return this.#arriving.get(connection);
  }

  /** Of one that has not opened yet, and came with a token. */
  claimsOf(connection: ClientConnection): TokenClaims | undefined {
    return this.#claims.get(connection);
  }

  /** One is open: what it said is of no use any more. */
  opened(connection: ClientConnection): void {
    this.#arriving.delete(connection);
    this.#claims.delete(connection);
  }

  async #prove(
    identity: ClientIdentity,
    token: string,
    { query, protocol }: { query: UpgradeQuery; protocol: { protocol?: string } },
  ): Promise<UpgradeDecision<ClientConnection>> {
    const verdict = await identity.prove(token, query.clientId ?? "");
    if (!verdict.ok) return this.#refused({ status: 401, error: verdict.problem });
    return this.#admit(query, protocol, verdict.claims);
  }

  #admit(
    query: UpgradeQuery,
    protocol: { protocol?: string },
    claims?: TokenClaims,
  ): UpgradeDecision<ClientConnection> {
    const isProven = claims !== undefined;
    const { admission, facts, newConnection } = this.#parts;
    const refusal = admission.refusalOf(query, facts(), { isProven });
    if (refusal !== undefined) return this.#refused(refusal);
    const connection = newConnection(query);
    this.#arriving.set(connection, query);
    if (isProven) this.#claims.set(connection, claims);
    return { accept: true, data: connection, ...protocol };
  }

  #refused(refusal: Refusal): UpgradeDecision<ClientConnection> {
    if (refusal.error === "rate limit exceeded") this.#parts.counters.rateLimitExceeded++;
    return { accept: false, response: refusalResponse(refusal) };
  }
}
