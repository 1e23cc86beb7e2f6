import type { Clock } from "../ports/clock.ts";
import type { CryptoPort } from "../ports/crypto.ts";
import { decodeBase64 } from "../wire/gateway_frames.ts";
import type { TransferStart } from "../wire/gateway_chunk.ts";
import { readUpstreamMessage, UpstreamMessage } from "../wire/gateway_message.ts";
import type { Clients } from "./clients.ts";
import { hashMessageId } from "./dedup_window.ts";
import type { Client, ClientSession, GatewayCounters } from "./gateway_types.ts";
import type { MessageHistory } from "./history/message_history.ts";
import { type HeldMessage, HistoryReplays } from "./history_replays.ts";
import { type MessageLog, noSlot, type Slot } from "./log/message_log_types.ts";
import { LongDeliveries, type LongOrigin, wholeBytesMax } from "./long_deliveries.ts";
import type { Mailbox } from "./mailbox.ts";
import type { MemoryAccount } from "./memory_account.ts";
import type { StampClock } from "./stamp_clock.ts";
import type { UpstreamTarget } from "./upstream_target.ts";
import type { Upstreams } from "./upstreams.ts";
import { textOf, UpstreamTransfers, type WholeUpstreamMessage } from "./upstream_transfers.ts";

export interface DownstreamParts {
  readonly log: MessageLog;
  readonly clients: Clients;
  readonly upstreams: Upstreams;
  readonly mailbox: Mailbox;
  readonly counters: GatewayCounters;
  readonly stamp: StampClock;
  readonly clock: Clock;
  readonly crypto: CryptoPort;
  readonly memory: MemoryAccount;
  /** Bytes of one message. */
  readonly maxMessageSize: number;
  readonly history: MessageHistory;
  /** What may be held for a client whose history is on its way. */
  heldBytesMax(): number;
  /** Whether a client with that id was seen not too long ago. */
  wasSeen(id: string): boolean;
}

/** Shorter texts need not be measured: none has more than three bytes for each unit. */
const longUnitsMin = Math.floor(wholeBytesMax / 3);

/** What upstreams send: acknowledgements, and messages to the clients that they serve. */
export class Downstream {
  readonly replays: HistoryReplays;
  readonly transfers: UpstreamTransfers;
  readonly #long: LongDeliveries;
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
      sendOne: (session, text, origin) => this.#sendOne(session, text, origin),
      isBusy: (session) => this.#long.size > 0 && this.#long.isBusy(session),
      keep: (client, message) => this.#keepHeld(client, message, "last"),
    });
    this.transfers = new UpstreamTransfers({
      ...parts,
      isWanted: (target, start) => this.#isWanted(target, start),
      refused: () => parts.counters.upstreamFramesRefused++,
    });
    this.#long = new LongDeliveries({
      ...parts,
      delivered: (client, slot) => this.#delivered(client, slot),
      sendHeld: (session, held) => this.#sendHeld(session, held),
      keepFirst: (client, message) => this.#keepHeld(client, message, "first"),
      finished: (session) => this.replays.drained(session),
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
    this.#take(target, text, message);
  }

  /** One binary frame of an upstream: they are those of large messages. */
  binary(target: UpstreamTarget, bytes: Uint8Array): void {
    const whole = this.transfers.frame(target, bytes);
    if (whole === undefined || this.#passOn(target, whole)) return;
    const text = textOf(whole, this.#message);
    if (text !== undefined) this.#take(target, text, this.#message);
    else this.#parts.counters.upstreamFramesRefused++;
  }

  /** The connection to an upstream is over. */
  lost(target: UpstreamTarget): void {
    this.transfers.lost(target);
  }

  /** A connection is over; to be called before it is told to `replays`. */
  left(session: ClientSession): void {
    if (this.#long.size > 0) this.#long.left(session);
  }

  /** A connection for which there was no room takes more. */
  drained(session: ClientSession): void {
    if (this.#long.drained(session)) this.replays.drained(session);
  }

  /** Sends a large message on in chunks, if its client takes them and nothing goes before it. */
  #passOn(target: UpstreamTarget, { start, sink }: WholeUpstreamMessage): boolean {
    const { clients, upstreams, counters, history, stamp } = this.#parts;
    const { clientId, messageId, members } = start;
    const client = clients.get(clientId);
    const session = client?.session;
    const isLarge = start.totalSize > wholeBytesMax && start.type === 1;
    if (client === undefined || session === undefined || !session.takesChunks || !isLarge) {
      return false;
    }
    const isFirst = client.waitingCount === 0 && this.replays.size === 0 &&
      !this.#long.isBusy(session);
    if (!isFirst || !upstreams.serves(target, client)) return false;
    const source = sink.chunks();
    if (source === undefined) return false;
    stamp.take();
    const { ms: stampMs, ns: stampNs } = stamp;
    if (messageId !== "" && history.isEnabled) {
      const { json: text } = source;
      const metadata = `"type":1,${members}`;
      history.add({ clientId, isUp: false, messageId, stampMs, stampNs, text, metadata });
    }
    this.#long.beginWith(session, source, undefined);
    counters.downstreamMessages++;
    return true;
  }

  #take(target: UpstreamTarget, text: string, message: UpstreamMessage): void {
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

  /** A message for a client that no upstream sent; its text must name the client. */
  fromOperator(clientId: string, text: string): "sent" | "kept" | "refused" {
    const { clients, counters, wasSeen } = this.#parts;
    const message = this.#message;
    if (readUpstreamMessage(text, message) !== undefined) return "refused";
    const isKnown = clients.get(clientId)?.session !== undefined || wasSeen(clientId);
    if (!isKnown) return "refused";
    const client = clients.named(clientId);
    const { downstreamDropped, downstreamMessages } = counters;
    this.#deliver(client, text, message);
    clients.tidy(client);
    if (counters.downstreamDropped > downstreamDropped) return "refused";
    return counters.downstreamMessages > downstreamMessages ? "sent" : "kept";
  }

  /** Sends what waits for a client, as far as it takes it. */
  sendWaiting(client: Client): void {
    const log = this.#log;
    for (;;) {
      const { session, waitingFirst: slot } = client;
      if (session === undefined || slot === noSlot) return;
      if (this.#long.size > 0 && this.#long.isBusy(session)) return;
      const text = log.bodyText(slot);
      if (!this.#read(session, text)) return;
      if (this.#send(session, text, this.#message, slot) !== "sent") return;
      if (this.#long.size === 0 || !this.#long.isBusy(session)) this.#delivered(client, slot);
    }
  }

  /** Forgets a message that waits for a client. */
  drop(slot: Slot): void {
    const { clients, mailbox, counters } = this.#parts;
    const client = clients.at(this.#log.clientIndex(slot));
    this.#long.forget(slot);
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
    // Without an id it is kept nowhere, and needs no time.
    if (messageId !== "") stamp.take();
    const { ms: stampMs, ns: stampNs } = stamp;
    if (messageId !== "" && history.isEnabled) {
      history.add({ clientId: client.id, isUp: false, messageId, stampMs, stampNs, text });
    }
    if (this.replays.size > 0 && this.replays.hold(client, { text, stampMs, stampNs })) return;
    const { session } = client;
    const held = { text, stampMs, stampNs };
    // What waits goes first.
    if (session !== undefined && client.waitingCount === 0) {
      const place = this.#long.size === 0 ? "free" : this.#long.hold(session, held);
      if (place === "held") return;
      if (place === "free" && this.#send(session, text, message, held) === "sent") {
        counters.downstreamMessages++;
        return;
      }
    }
    if (!this.#keep(client, held, messageId)) counters.downstreamDropped++;
  }

  #sendOne(
    session: ClientSession,
    text: string,
    origin: LongOrigin,
  ): "sent" | "slow" | "gone" {
    if (this.#long.size > 0 && this.#long.isBusy(session)) return "slow";
    if (!this.#read(session, text)) return "gone";
    return this.#send(session, text, this.#message, origin);
  }

  /** Whether `#message` describes the text, as far as the client's connection needs that. */
  #read(session: ClientSession, text: string): boolean {
    if (!session.isRaw && !session.takesChunks) return true;
    return readUpstreamMessage(text, this.#message) === undefined;
  }

  #sendHeld(session: ClientSession, held: HeldMessage): "sent" | "slow" | "gone" {
    if (!this.#read(session, held.text)) return "gone";
    const outcome = this.#send(session, held.text, this.#message, held);
    if (outcome === "sent") this.#parts.counters.downstreamMessages++;
    return outcome;
  }

  /** A message that waited has gone out. */
  #delivered(client: Client, slot: Slot): void {
    this.#parts.mailbox.remove(client, slot);
    this.#log.release(slot);
  }

  /** Whether a large message of an upstream would go to anybody. */
  #isWanted(target: UpstreamTarget, { clientId, messageId }: TransferStart): boolean {
    const { clients, upstreams, wasSeen } = this.#parts;
    const isPresent = clients.get(clientId)?.session !== undefined;
    if (!isPresent && (messageId === "" || !wasSeen(clientId))) return false;
    const client = clients.named(clientId);
    const isServed = upstreams.serves(target, client);
    clients.tidy(client);
    return isServed;
  }

  #keepHeld(client: Client, held: HeldMessage, place: "first" | "last"): void {
    const message = this.#message;
    const isSound = readUpstreamMessage(held.text, message) === undefined;
    if (isSound && this.#keep(client, held, message.messageId, place)) return;
    this.#parts.counters.downstreamDropped++;
  }

  #send(
    session: ClientSession,
    text: string,
    message: UpstreamMessage,
    origin: LongOrigin,
  ): "sent" | "slow" | "gone" {
    if (session.takesChunks && text.length > longUnitsMin) {
      const outcome = this.#long.begin(session, text, message, origin);
      if (outcome !== "whole") return outcome === "begun" ? "sent" : "slow";
    }
    if (session.isRaw && message.type === 1) {
      const bytes = decodeBase64(text.slice(message.dataFrom + 1, message.dataTo - 1));
      if (bytes !== undefined) return session.sendBinary(bytes);
    }
    return session.send(text);
  }

  #keep(
    client: Client,
    held: HeldMessage,
    messageId: string,
    place: "first" | "last" = "last",
  ): boolean {
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
    if (place === "first") mailbox.pushFirst(client, slot);
    else mailbox.push(client, slot);
    return true;
  }
}
