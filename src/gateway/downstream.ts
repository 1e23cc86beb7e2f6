import type { Clock } from "../ports/clock.ts";
import { decodeBase64 } from "../wire/gateway_frames.ts";
import { readUpstreamMessage, UpstreamMessage } from "../wire/gateway_message.ts";
import type { Clients } from "./clients.ts";
import { hashMessageId } from "./dedup_window.ts";
import type { Client, ClientSession, GatewayCounters } from "./gateway_types.ts";
import type { MessageHistory } from "./history/message_history.ts";
import { type HeldMessage, HistoryReplays } from "./history_replays.ts";
import { type MessageLog, noSlot, type Slot } from "./log/message_log_types.ts";
import type { Mailbox } from "./mailbox.ts";
import type { StampClock } from "./stamp_clock.ts";
import type { UpstreamTarget } from "./upstream_target.ts";
import type { Upstreams } from "./upstreams.ts";

export interface DownstreamParts {
  readonly log: MessageLog;
  readonly clients: Clients;
  readonly upstreams: Upstreams;
  readonly mailbox: Mailbox;
  readonly counters: GatewayCounters;
  readonly stamp: StampClock;
  readonly clock: Clock;
  readonly history: MessageHistory;
  /** What may be held for a client whose history is on its way. */
  readonly heldBytesMax: number;
  /** Whether a client with that id was seen not too long ago. */
  wasSeen(id: string): boolean;
}

/** What upstreams send: acknowledgements, and messages to the clients that they serve. */
export class Downstream {
  readonly replays: HistoryReplays;
  readonly #parts: DownstreamParts;
  readonly #log: MessageLog;
  readonly #message = new UpstreamMessage();
  readonly #acknowledged = { clientIndex: -1, low: 0, high: 0 };
  /** One function for all acknowledgements rather than one for each. */
  readonly #isAcknowledged: (slot: Slot) => boolean;

  constructor(parts: DownstreamParts) {
    this.#parts = parts;
    this.#log = parts.log;
    this.replays = new HistoryReplays({
      ...parts,
      sendWaiting: (client) => this.sendWaiting(client),
      sendOne: (session, text) => this.#sendOne(session, text),
      keep: (client, message) => this.#keepHeld(client, message),
    });
    const wanted = this.#acknowledged;
    const log = parts.log;
    this.#isAcknowledged = (slot) =>
      log.clientIndex(slot) === wanted.clientIndex && log.idLow(slot) === wanted.low &&
      log.idHigh(slot) === wanted.high;
  }

  /** One text frame of an upstream. */
  text(target: UpstreamTarget, text: string): void {
    const message = this.#message;
    if (readUpstreamMessage(text, message) !== undefined) {
      this.#parts.counters.upstreamFramesRefused++;
      return;
    }
    const client = this.#parts.clients.get(message.clientId);
    if (message.type === 2 && message.action === "ack") {
      this.#acknowledge(target, client, message.messageId);
    } else if (client === undefined) {
      this.#keepForUnknown(target, text, message);
    } else if (this.#parts.upstreams.serves(target, client)) {
      this.#deliver(client, text, message);
    } else {
      this.#parts.counters.upstreamFramesRefused++;
    }
  }

  /** Sends what waits for a client, as far as it takes it. */
  sendWaiting(client: Client): void {
    const { mailbox } = this.#parts;
    const log = this.#log;
    for (;;) {
      const { session, waitingFirst: slot } = client;
      if (session === undefined || slot === noSlot) return;
      const text = log.bodyText(slot);
      if (session.isRaw && readUpstreamMessage(text, this.#message) !== undefined) return;
      if (this.#send(session, text, this.#message) !== "sent") return;
      mailbox.remove(client, slot);
      log.release(slot);
    }
  }

  /** Forgets a message that waits for a client. */
  drop(slot: Slot): void {
    const { clients, mailbox, counters } = this.#parts;
    const client = clients.at(this.#log.clientIndex(slot));
    mailbox.remove(client, slot);
    this.#log.release(slot);
    counters.downstreamDropped++;
    clients.tidy(client);
  }

  #acknowledge(target: UpstreamTarget, client: Client | undefined, messageId: string): void {
    // A second acknowledgement of a message that was sent twice is nothing unusual.
    if (!this.#confirms(target, client, messageId)) this.#parts.counters.acksUnmatched++;
  }

  #confirms(target: UpstreamTarget, client: Client | undefined, messageId: string): boolean {
    const { link } = target;
    if (link === undefined || client === undefined) return false;
    // Looking for what is not there would go through all that is on its way.
    if (client.pendingUp === 0) {
      // One for a client of others does not show either that this upstream acknowledges.
      return this.#parts.upstreams.serves(target, client) && link.acknowledged(undefined);
    }
    const { low, high } = hashMessageId(messageId);
    const wanted = this.#acknowledged;
    wanted.clientIndex = client.index;
    wanted.low = low;
    wanted.high = high;
    return link.acknowledged(this.#isAcknowledged);
  }

  #keepForUnknown(target: UpstreamTarget, text: string, message: UpstreamMessage): void {
    const { clients, upstreams, wasSeen, counters } = this.#parts;
    if (!wasSeen(message.clientId)) {
      counters.upstreamFramesRefused++;
      return;
    }
    const client = clients.named(message.clientId);
    if (upstreams.serves(target, client)) this.#deliver(client, text, message);
    else counters.upstreamFramesRefused++;
    clients.tidy(client);
  }

  #deliver(client: Client, text: string, message: UpstreamMessage): void {
    const { counters, history, stamp } = this.#parts;
    const { messageId } = message;
    stamp.take();
    const { ms: stampMs, ns: stampNs } = stamp;
    if (messageId !== "" && history.isEnabled) {
      history.add({ clientId: client.id, isUp: false, messageId, stampMs, stampNs, text });
    }
    if (this.replays.size > 0 && this.replays.hold(client, { text, stampMs, stampNs })) return;
    const { session } = client;
    // What waits goes first.
    if (session !== undefined && client.waitingCount === 0) {
      if (this.#send(session, text, message) === "sent") {
        counters.downstreamMessages++;
        return;
      }
    }
    const held = { text, stampMs, stampNs };
    if (!this.#keep(client, held, messageId)) counters.downstreamDropped++;
  }

  #sendOne(session: ClientSession, text: string): "sent" | "slow" | "gone" {
    if (session.isRaw && readUpstreamMessage(text, this.#message) !== undefined) return "gone";
    return this.#send(session, text, this.#message);
  }

  #keepHeld(client: Client, held: HeldMessage): void {
    const message = this.#message;
    const isSound = readUpstreamMessage(held.text, message) === undefined;
    if (isSound && this.#keep(client, held, message.messageId)) return;
    this.#parts.counters.downstreamDropped++;
  }

  #send(session: ClientSession, text: string, message: UpstreamMessage): "sent" | "slow" | "gone" {
    if (session.isRaw && message.type === 1) {
      const bytes = decodeBase64(text.slice(message.dataFrom + 1, message.dataTo - 1));
      if (bytes !== undefined) return session.sendBinary(bytes);
    }
    return session.send(text);
  }

  #keep(client: Client, held: HeldMessage, messageId: string): boolean {
    const { mailbox, wasSeen } = this.#parts;
    const { text, stampMs, stampNs } = held;
    if (messageId === "" || !mailbox.hasRoom(client, text.length)) return false;
    if (client.session === undefined && !wasSeen(client.id)) return false;
    const slot = this.#log.append({
      client,
      direction: "down",
      messageId,
      ackAsked: false,
      priority: 0,
      stampMs,
      stampNs,
      body: text,
    });
    if (slot === noSlot) return false;
    mailbox.push(client, slot);
    return true;
  }
}
