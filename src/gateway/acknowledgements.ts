import { crc32 } from "../base/crc32.ts";
import type { Clock } from "../ports/clock.ts";
import { ackFrame, errorFrame } from "../wire/gateway_frames.ts";
import { encodeUtf8 } from "../wire/utf8.ts";
import { AckQueue } from "./ack_queue.ts";
import { type DedupWindow, hashMessageId } from "./dedup_window.ts";
import { RecentLatency } from "./gateway_counters.ts";
import type { ClientSession, GatewayCounters } from "./gateway_types.ts";
import type { MessageBody } from "./log/message_body.ts";
import type { MessageLog, Slot } from "./log/message_log_types.ts";

/** Told to a client whose message could not be stored. */
export const storeFails = "nothing can be stored now";

/**
 * Tells clients that their messages are safe: each once it is durable, and a repeated one again,
 * which goes no further.
 */
export class Acknowledgements {
  readonly latency: RecentLatency = new RecentLatency();
  readonly #clock: Clock;
  readonly #counters: GatewayCounters;
  readonly #log: MessageLog;
  readonly #known: DedupWindow;
  readonly #queue = new AckQueue();
  /** Everything appended up to here is durable. */
  #committed = 0;

  constructor(
    parts: { clock: Clock; counters: GatewayCounters; log: MessageLog; known: DedupWindow },
  ) {
    this.#clock = parts.clock;
    this.#counters = parts.counters;
    this.#log = parts.log;
    this.#known = parts.known;
  }

  /** The log says that everything up to here is safe. */
  committed(sequence: number): void {
    this.#committed = sequence;
    const now = this.#clock.monotonic();
    this.#queue.takeThrough(sequence, (asker, messageId, takenAtMs) => {
      this.latency.add(now - takenAtMs);
      this.#acknowledge(asker, messageId);
    });
  }

  /** The log could not write these: nobody is told that they are safe, and a repetition is taken. */
  notStored(through: number): void {
    this.#queue.takeThrough(through, (asker, messageId, _takenAtMs, sequence) => {
      // A repetition waits behind messages that came after the one that it repeats.
      if (sequence <= this.#committed) return this.#acknowledge(asker, messageId);
      const { client } = asker;
      this.#known.forget(client.index, hashMessageId(messageId));
      this.#counters.messagesFailed++;
      const session = asker.isApart === true ? asker : client.session;
      if (session?.isModern) session.send(errorFrame("store_unavailable", storeFails, messageId));
    });
  }

  /**
   * Whether a message with this id of this client is here already. `same` ones are acknowledged
   * when the first is durable; `unstored` ones are too, but the first is not, and nothing can be
   * stored for now.
   */
  repetition(
    session: ClientSession,
    messageId: string,
    members: string | MessageBody,
  ): "new" | "same" | "different" | "unstored" {
    const { client } = session;
    const nowMs = this.#clock.monotonic();
    const { low, high } = hashMessageId(messageId);
    if (!this.#known.has(client.index, { low, high, nowMs })) return "new";
    const body = typeof members === "string" ? encodeUtf8(members) : members;
    const bodyCrc = body instanceof Uint8Array ? crc32(body) : body.crc;
    const key = { low, high, bodyCrc, bodyBytes: body.length, nowMs };
    const found = this.#known.look(client.index, key);
    if (found.kind !== "same") return found.kind;
    const isDurable = found.sequence <= this.#committed;
    if (!isDurable && this.#log.trouble !== undefined) return "unstored";
    this.#counters.duplicatesDropped++;
    if (isDurable) this.#acknowledge(session, messageId);
    else this.#queue.push(found.sequence, session, { id: messageId, takenAtMs: nowMs });
    return "same";
  }

  /** From now on a repetition of the message is known; it is acknowledged when it is durable. */
  remember(session: ClientSession, slot: Slot, messageId: string): void {
    const log = this.#log;
    const { client } = session;
    const takenAtMs = this.#clock.monotonic();
    const sequence = log.sequence(slot);
    const key = {
      low: log.idLow(slot),
      high: log.idHigh(slot),
      bodyCrc: log.bodyCrc(slot),
      bodyBytes: log.bodyBytes(slot),
      nowMs: takenAtMs,
    };
    if (this.#known.add(client.index, key, sequence)) client.knownIds++;
    this.#queue.push(sequence, session, { id: messageId, takenAtMs });
  }

  /** Tells the client's present connection; one that knows nothing of acknowledgements only if it
   * asked for this one itself. */
  #acknowledge(asker: ClientSession, messageId: string): void {
    if (asker.isApart === true) {
      asker.send(ackFrame(messageId));
      return;
    }
    const { session } = asker.client;
    if (session === undefined || (session !== asker && !session.isModern)) return;
    session.send(ackFrame(messageId));
    this.#counters.acksSent++;
  }
}
