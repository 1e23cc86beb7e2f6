import type { Clock } from "../ports/clock.ts";
import { errorFrame } from "../wire/gateway_frames.ts";
import { ClientMessage, readClientMessage } from "../wire/gateway_message.ts";
import type { ClientConnection } from "./client_connection.ts";

/** A flood is this many times the rate, for this long. */
const floodFactor = 10;
const floodMs = 5_000;

/** Of a refused message up to this length the id is read, so that its sender knows which it was. */
const readLengthMax = 65_536;

/** What becomes of a message over the rate: dropped as a heartbeat, dropped with this answer, or the
 * last one before the connection is closed. */
export type RateVerdict =
  | { readonly kind: "ping" }
  | { readonly kind: "refused"; readonly frame: string }
  | { readonly kind: "flood" };

/** The message rate of each connection, which carries its own two numbers for it; 0 a second: no
 * limit. */
export class MessageRate {
  #perSecond = 0;
  #burst = 1;
  readonly #clock: Clock;
  readonly #message = new ClientMessage();
  /** Connections that were refused something not long ago. */
  readonly #refused = new Map<ClientConnection, { sinceMs: number; count: number }>();

  constructor({ perSecond, burst, clock }: { perSecond: number; burst: number; clock: Clock }) {
    this.#clock = clock;
    this.configure({ perSecond, burst });
  }

  /** Another rate, also for those that are connected. */
  configure({ perSecond, burst }: { perSecond: number; burst: number }): void {
    this.#perSecond = perSecond;
    this.#burst = Math.max(1, burst);
  }

  fill(connection: ClientConnection): void {
    connection.credit = this.#burst;
    connection.creditAtMs = this.#clock.monotonic();
  }

  /** Whether one more message may pass. `coarseMs` is the clock's time some while ago: it is asked
   * only when that has moved, or nothing is left. */
  take(connection: ClientConnection, coarseMs: number): boolean {
    if (this.#perSecond === 0) return true;
    const { credit, creditAtMs } = connection;
    // More than the burst: that was lowered since.
    if (credit < 1 || credit > this.#burst || creditAtMs < coarseMs) {
      const now = this.#clock.monotonic();
      const seconds = (now - connection.creditAtMs) / 1_000;
      connection.credit = Math.min(this.#burst, connection.credit + seconds * this.#perSecond);
      connection.creditAtMs = now;
    }
    if (connection.credit < 1) return false;
    connection.credit--;
    return true;
  }

  /** A message did not pass. Heartbeats are no flood, however many they are. */
  refuse(connection: ClientConnection, message: string | Uint8Array): RateVerdict {
    const isRead = typeof message === "string" && message.length <= readLengthMax &&
      readClientMessage(message, this.#message) === undefined;
    if (isRead && this.#message.isPing) return { kind: "ping" };
    if (this.#isFlood(connection)) return { kind: "flood" };
    const messageId = isRead ? this.#message.messageId : "";
    return {
      kind: "refused",
      frame: errorFrame(
        "rate_limited",
        `more than ${this.#perSecond} messages a second`,
        messageId,
      ),
    };
  }

  forget(connection: ClientConnection): void {
    this.#refused.delete(connection);
  }

  #isFlood(connection: ClientConnection): boolean {
    const now = this.#clock.monotonic();
    const refused = this.#refused.get(connection);
    if (refused === undefined || now - refused.sinceMs > floodMs) {
      this.#refused.set(connection, { sinceMs: now, count: 1 });
      return false;
    }
    return ++refused.count > floodFactor * this.#perSecond * floodMs / 1_000;
  }
}
