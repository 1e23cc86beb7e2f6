import type { Clock } from "../ports/clock.ts";
import { authOkFrame, errorFrame } from "../wire/gateway_frames.ts";
import type { ClientConnection } from "./client_connection.ts";
import { type DoorClose, doorClose } from "./door_close.ts";
import type { GatewayCounters, GatewayErrorCode } from "./gateway_types.ts";
import type { ClientIdentity } from "./identity/client_identity.ts";
import type { TokenClaims } from "./identity/token_verifier.ts";

/** One timer looks after the tokens of all connections. */
const sweepMs = 1_000;

export interface TokenSessionsOptions {
  /** What is in use now; undefined where tokens are not: then nobody is ended for one. */
  identity(): ClientIdentity | undefined;
  readonly clock: Clock;
  readonly counters: GatewayCounters;
  end(connection: ClientConnection, close: DoorClose): void;
}

/**
 * The connections that came with a token: ends them when it is over, unless a new one came. Those
 * without cost nothing here.
 */
export class TokenSessions {
  readonly #options: TokenSessionsOptions;
  /** Until when the token of each holds, as `exp` says it: seconds since 1970. */
  readonly #expiries = new Map<ClientConnection, number>();
  /** Those whose new token is being looked at. */
  readonly #checking = new Set<ClientConnection>();
  /** No token is over before that: seconds since 1970. */
  #earliest = Infinity;
  #stop: (() => void) | undefined;

  constructor(options: TokenSessionsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#expiries.size;
  }

  /** A connection is open that came with a token. */
  opened(connection: ClientConnection, claims: TokenClaims): void {
    this.#take(connection, claims);
  }

  left(connection: ClientConnection): void {
    if (!this.#expiries.delete(connection) || this.#expiries.size > 0) return;
    this.#stop?.();
    this.#stop = undefined;
    this.#earliest = Infinity;
  }

  /** A connection shows a new token, in an `auth` message; it is answered, sooner or later. False
   * where no tokens are in use. */
  refresh(connection: ClientConnection, text: string): boolean {
    const identity = this.#options.identity();
    if (identity === undefined) return false;
    if (this.#checking.has(connection)) {
      this.#refuse(connection, "rate_limited", "a token is being looked at");
      return true;
    }
    this.#checking.add(connection);
    void this.#check(identity, connection, tokenIn(text));
    return true;
  }

  async #check(
    identity: ClientIdentity,
    connection: ClientConnection,
    token: string,
  ): Promise<void> {
    const verdict = await identity.prove(token, connection.client.id);
    this.#checking.delete(connection);
    if (!connection.isOpen) return;
    if (verdict.ok) connection.send(authOkFrame(this.#take(connection, verdict.claims)));
    else this.#refuse(connection, "unauthorized", verdict.problem);
  }

  /** Gives `exp` as it counts from now on: an older token takes nothing back. */
  #take(connection: ClientConnection, { exp, priorityMax }: TokenClaims): number {
    const later = Math.max(exp, this.#expiries.get(connection) ?? exp);
    this.#expiries.set(connection, later);
    this.#earliest = Math.min(this.#earliest, later);
    connection.allowPriority(priorityMax);
    this.#stop ??= this.#options.clock.every(sweepMs, () => this.#sweep());
    return later;
  }

  #sweep(): void {
    const { clock, end } = this.#options;
    const identity = this.#options.identity();
    if (identity === undefined) return;
    const now = (clock.now() - identity.leewayMs) / 1_000;
    if (now < this.#earliest) return;
    this.#earliest = Infinity;
    for (const [connection, exp] of this.#expiries) {
      if (exp <= now) end(connection, doorClose.tokenExpired);
      else if (exp < this.#earliest) this.#earliest = exp;
    }
  }

  /** Who sends `auth` understands the answer, whatever it announced. */
  #refuse(connection: ClientConnection, code: GatewayErrorCode, text: string): void {
    this.#options.counters.messagesFailed++;
    connection.send(errorFrame(code, text));
  }
}

/** The token in an `auth` message; "" for none. */
function tokenIn(text: string): string {
  try {
    const { token } = JSON.parse(text) as { token?: unknown };
    return typeof token === "string" ? token : "";
  } catch {
    // What reads messages takes some that JSON.parse does not, such as very deep ones.
    return "";
  }
}
