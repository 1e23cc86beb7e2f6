import { visibleText } from "../base/terminal_text.ts";
import type { Clock } from "../ports/clock.ts";
import { webSocketCloseByAdapter } from "../ports/http.ts";
import type { Logger } from "../ports/log.ts";
import type { ClientConnection } from "./client_connection.ts";
import { doorClose } from "./door_close.ts";

/** Why a connection is over; one word for logs and metrics. */
export type ConnectionEnd =
  /** The client closed it, whatever it said. */
  | "left"
  /** It broke off without a close frame. */
  | "lost"
  | "replaced"
  | "silent"
  | "flood"
  | "slow"
  | "token_expired"
  | "full"
  | "going_away"
  | "kicked"
  | "too_big"
  | "memory"
  | "protocol_error"
  | "invalid_text"
  | "owner_failed";

/** How often each came about. */
export class ConnectionEnds {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #counts = new Map<ConnectionEnd, number>(allEnds.map((end) => [end, 0]));

  constructor(parts: { clock: Clock; logger: Logger }) {
    this.#clock = parts.clock;
    this.#logger = parts.logger;
  }

  /** Since the start, of all of them, also those that never came. */
  get counts(): ReadonlyMap<ConnectionEnd, number> {
    return this.#counts;
  }

  /** One is over, by a code and reason of ours, the adapter's or the client's. To be called while its
   * client and what waits for it are still known. */
  ended(connection: ClientConnection, { code, reason }: { code: number; reason: string }): void {
    const { client, openedAtMs, bufferedBytes } = connection;
    const end = this.#count(code, reason);
    this.#logger.debug({
      client: visibleText(client.id),
      end,
      code,
      seconds: Math.round(this.#clock.monotonic() - openedAtMs) / 1_000,
      // What of it is still to be done: nothing is counted for each message.
      pending: client.pendingUp,
      waiting: client.waitingCount,
      buffered_bytes: bufferedBytes,
    }, "client gone");
  }

  /** One was closed before it was anybody's. */
  refused(clientId: string, { code, reason }: { code: number; reason: string }): void {
    const end = this.#count(code, reason);
    this.#logger.debug({ client: visibleText(clientId), end, code, seconds: 0 }, "client gone");
  }

  #count(code: number, reason: string): ConnectionEnd {
    const end = ours.get(`${code} ${reason}`) ?? (code === brokenOff ? "lost" : "left");
    this.#counts.set(end, (this.#counts.get(end) ?? 0) + 1);
    return end;
  }
}

/** RFC 6455 §7.1.5. */
const brokenOff = 1006;

/** A client that closes with one of these itself counts as if we had: it fools nobody but our
 * statistics. */
const ours: ReadonlyMap<string, ConnectionEnd> = new Map<string, ConnectionEnd>(
  ([
    [doorClose.replaced, "replaced"],
    [doorClose.silent, "silent"],
    [doorClose.flood, "flood"],
    [doorClose.slow, "slow"],
    [doorClose.tokenExpired, "token_expired"],
    [doorClose.full, "full"],
    [doorClose.goingAway, "going_away"],
    [doorClose.kicked, "kicked"],
    [webSocketCloseByAdapter.tooBig, "too_big"],
    [webSocketCloseByAdapter.flood, "flood"],
    [webSocketCloseByAdapter.slowConsumer, "slow"],
    [webSocketCloseByAdapter.memory, "memory"],
    [webSocketCloseByAdapter.protocolError, "protocol_error"],
    [webSocketCloseByAdapter.invalidText, "invalid_text"],
    [webSocketCloseByAdapter.ownerFailed, "owner_failed"],
    [webSocketCloseByAdapter.serverClosed, "going_away"],
  ] as const).map(([{ code, reason }, end]) => [`${code} ${reason}`, end]),
);

const allEnds: readonly ConnectionEnd[] = ["left", "lost", ...new Set(ours.values())];
