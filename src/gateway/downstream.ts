import { decodeBase64 } from "../wire/gateway_frames.ts";
import { readUpstreamMessage, UpstreamMessage } from "../wire/gateway_message.ts";
import type { Clients } from "./clients.ts";
import { hashMessageId } from "./dedup_window.ts";
import type { Client, ClientSession, GatewayCounters } from "./gateway_types.ts";
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
  /** Whether a client with that id was seen not too long ago. */
  wasSeen(id: string): boolean;
}

/** What upstreams send: acknowledgements, and messages to the clients that they serve. */
export class Downstream {
  readonly #parts: DownstreamParts;
  readonly #log: MessageLog;
  readonly #message = new UpstreamMessage();
  readonly #acknowledged = { clientIndex: -1, low: 0, high: 0 };
  /** One function for all acknowledgements rather than one for each. */
  readonly #isAcknowledged: (slot: Slot) => boolean;

  constructor(parts: DownstreamParts) {
    this.#parts = parts;
    this.#log = parts.log;
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
    } else if (this.#serves(target, client)) {
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
    if (link === undefined) return false;
    // Looking for what is not there would go through all that is on its way.
    if (client === undefined || client.pendingUp === 0) return link.acknowledged(undefined);
    const { low, high } = hashMessageId(messageId);
    const wanted = this.#acknowledged;
    wanted.clientIndex = client.index;
    wanted.low = low;
    wanted.high = high;
    return link.acknowledged(this.#isAcknowledged);
  }

  /** Whether an upstream may speak to a client: it is routed there. */
  #serves(target: UpstreamTarget, client: Client): boolean {
    if (client.upstream === target) return true;
    const route = this.#parts.upstreams.routeOf(client);
    return route !== undefined && route.upstreams.includes(target);
  }

  #keepForUnknown(target: UpstreamTarget, text: string, message: UpstreamMessage): void {
    const { clients, wasSeen, counters } = this.#parts;
    if (!wasSeen(message.clientId)) {
      counters.upstreamFramesRefused++;
      return;
    }
    const client = clients.named(message.clientId);
    if (this.#serves(target, client)) this.#deliver(client, text, message);
    else counters.upstreamFramesRefused++;
    clients.tidy(client);
  }

  #deliver(client: Client, text: string, message: UpstreamMessage): void {
    const { counters } = this.#parts;
    const { session } = client;
    // What waits goes first.
    if (session !== undefined && client.waitingCount === 0) {
      if (this.#send(session, text, message) === "sent") {
        counters.downstreamMessages++;
        return;
      }
    }
    if (!this.#keep(client, text, message)) counters.downstreamDropped++;
  }

  #send(session: ClientSession, text: string, message: UpstreamMessage): "sent" | "slow" | "gone" {
    if (session.isRaw && message.type === 1) {
      const bytes = decodeBase64(text.slice(message.dataFrom + 1, message.dataTo - 1));
      if (bytes !== undefined) return session.sendBinary(bytes);
    }
    return session.send(text);
  }

  #keep(client: Client, text: string, message: UpstreamMessage): boolean {
    const { mailbox, stamp, wasSeen } = this.#parts;
    if (message.messageId === "" || !mailbox.hasRoom(client, text.length)) return false;
    if (client.session === undefined && !wasSeen(client.id)) return false;
    stamp.take();
    const slot = this.#log.append({
      client,
      direction: "down",
      messageId: message.messageId,
      ackAsked: false,
      priority: 0,
      stampMs: stamp.ms,
      stampNs: stamp.ns,
      body: text,
    });
    if (slot === noSlot) return false;
    mailbox.push(client, slot);
    return true;
  }
}
