import type { Clock } from "../ports/clock.ts";
import { historyCompleteFrame, nanosecondsLiteral, quoteJson } from "../wire/gateway_frames.ts";
import {
  ClientMessage,
  messageIdInMembers,
  readUpstreamMessage,
  UpstreamMessage,
} from "../wire/gateway_message.ts";
import { doorClose } from "./door_close.ts";
import type { Client, ClientSession, GatewayCounters } from "./gateway_types.ts";
import type { HistorySlice } from "./history/history_slice.ts";
import type { HistoryRecord } from "./history/history_types.ts";
import { historyCountDefault, type MessageHistory } from "./history/message_history.ts";
import { type MessageLog, noSlot, type Slot } from "./log/message_log_types.ts";
import type { Mailbox } from "./mailbox.ts";

/** Of a piece that is read and sent at once. */
const pieceBytes = 128 * 1024;
const pieceMessages = 256;
/** Sent in one turn of the event loop; then others have theirs. */
const turnPieces = 4;
/** Pieces that are read from disk at the same time: when all clients come back at once, what is read
 * for them must not fill the memory. */
const readsMax = 8;
/** UTF-8 of a text has at most so many bytes for each of its units. */
const utf8BytesAUnit = 3;
/** A longer message goes out by itself: it may have to be taken apart. */
const joinedUnitsMax = 64 * 1024;

/** A message that came for a client while its history was on its way. */
export interface HeldMessage {
  readonly text: string;
  readonly stampMs: number;
  readonly stampNs: number;
}

export interface HistoryReplaysParts {
  readonly history: MessageHistory;
  readonly log: MessageLog;
  readonly mailbox: Mailbox;
  readonly clock: Clock;
  readonly counters: GatewayCounters;
  /** What may be held for one client. */
  heldBytesMax(): number;
  /** Sends what waits for a client, as far as it takes it. */
  sendWaiting(client: Client): void;
  /** Sends one message of an upstream, in the form that the client asked for. `origin`: where it
   * waits, which it leaves by itself if it goes in pieces, or what is kept if its connection breaks. */
  sendOne(
    session: ClientSession,
    text: string,
    origin: Slot | HeldMessage | undefined,
  ): "sent" | "slow" | "gone";
  /** Whether a message goes to it in pieces: nothing else may come in between, and `drained`
   * follows. */
  isBusy(session: ClientSession): boolean;
  /** Keeps it until the client, which went, comes back. */
  keep(client: Client, message: HeldMessage): void;
}

interface Replay {
  readonly session: ClientSession;
  readonly slice: HistorySlice;
  /** Messages of the slice that are dealt with, and the next ones where they were read already. */
  at: number;
  loaded: (HistoryRecord | undefined)[] | undefined;
  state: "going" | "reading" | "resting" | "complete" | "over";
  sent: number;
  hasGap: boolean;
  first: HistoryRecord | undefined;
  last: HistoryRecord | undefined;
  held: HeldMessage[];
  heldBytes: number;
}

/**
 * Sends clients their history when they join, then what waited for them and was not in it, then what
 * came meanwhile. As long as that lasts, nothing that an upstream sends may pass it.
 */
export class HistoryReplays {
  readonly #parts: HistoryReplaysParts;
  readonly #replays = new Map<Client, Replay>();
  readonly #waitingToRead: Replay[] = [];
  readonly #clientMessage = new ClientMessage();
  readonly #upstreamMessage = new UpstreamMessage();
  #reading = 0;
  /** Of all that is held. */
  heldBytes = 0;

  constructor(parts: HistoryReplaysParts) {
    this.#parts = parts;
  }

  /** Clients whose history is on its way. */
  get size(): number {
    return this.#replays.size;
  }

  /** A session is open: it gets what is for it. */
  joined(session: ClientSession): void {
    const { history, sendWaiting } = this.#parts;
    const { client, history: request } = session;
    if (request === undefined) return sendWaiting(client);
    const { limit, lastMessageId: after } = request;
    const isLimit = limit >= 1 && limit <= history.countMax;
    const range = { limit: isLimit ? limit : historyCountDefault, after, before: "" };
    const slice = history.slice(client.id, range);
    const replay: Replay = {
      session,
      slice,
      at: 0,
      loaded: undefined,
      state: "going",
      sent: 0,
      hasGap: slice.hasGap,
      first: undefined,
      last: undefined,
      held: [],
      heldBytes: 0,
    };
    this.#replays.set(client, replay);
    this.#go(replay);
  }

  /** A session is over. What was held for it waits for the next one. */
  left(session: ClientSession): void {
    const { client } = session;
    const replay = this.#replays.get(client);
    if (replay?.session !== session) return;
    this.#end(replay);
    for (const message of replay.held) this.#parts.keep(client, message);
  }

  /** A session for which there was no room takes more. */
  drained(session: ClientSession): void {
    const replay = this.#replays.get(session.client);
    if (replay?.session !== session) this.#parts.sendWaiting(session.client);
    else if (replay.state === "going" || replay.state === "complete") this.#go(replay);
  }

  /** Whether a message has to wait because the client's history is on its way; then it is kept here.
   * A client that lets too much come together is closed. */
  hold(client: Client, message: HeldMessage): boolean {
    const replay = this.#replays.get(client);
    if (replay === undefined) return false;
    const bytes = message.text.length;
    if (replay.held.length > 0 && replay.heldBytes + bytes > this.#parts.heldBytesMax()) {
      replay.session.close(doorClose.slow.code, doorClose.slow.reason);
      return false;
    }
    replay.held.push(message);
    replay.heldBytes += bytes;
    this.heldBytes += bytes;
    return true;
  }

  #go(replay: Replay): void {
    if (replay.state !== "complete" && !this.#sendHistory(replay)) return;
    const { client } = replay.session;
    this.#parts.sendWaiting(client);
    if (replay.state === "over" || client.waitingFirst !== noSlot) return;
    if (this.#sendHeld(replay)) this.#end(replay);
  }

  /** True when all of it is sent, its end note included. */
  #sendHistory(replay: Replay): boolean {
    const { slice, session } = replay;
    for (let pieces = 0; replay.at < slice.count; pieces++) {
      if (this.#parts.isBusy(session) || !session.hasRoom()) return false;
      if (pieces === turnPieces) return this.#rest(replay);
      if (replay.loaded === undefined) {
        const count = slice.pieceFrom(replay.at, pieceBytes, pieceMessages);
        replay.loaded = slice.inMemory(replay.at, count);
        if (replay.loaded === undefined) return this.#read(replay);
      }
      if (!this.#sendLoaded(replay, replay.loaded)) return false;
    }
    if (this.#parts.isBusy(session)) return false;
    const { first, last, sent: total, hasGap } = replay;
    const note = historyCompleteFrame({
      total,
      oldestMessageId: first && this.#idOf(first),
      newestMessageId: last && this.#idOf(last),
      hasGap,
    });
    if (session.send(note) !== "sent") return false;
    replay.state = "complete";
    slice.release();
    return true;
  }

  #rest(replay: Replay): false {
    replay.state = "resting";
    this.#parts.clock.after(0, () => {
      if (replay.state !== "resting") return;
      replay.state = "going";
      this.#go(replay);
    });
    return false;
  }

  #read(replay: Replay): false {
    replay.state = "reading";
    this.#waitingToRead.push(replay);
    this.#readNext();
    return false;
  }

  #readNext(): void {
    while (this.#reading < readsMax) {
      const replay = this.#waitingToRead.shift();
      if (replay === undefined) return;
      if (replay.state === "over") continue;
      this.#reading++;
      const { slice, at } = replay;
      const count = slice.pieceFrom(at, pieceBytes, pieceMessages);
      slice.read(at, count).then((records) => {
        this.#reading--;
        if (replay.state === "reading") {
          replay.state = "going";
          replay.loaded = records;
          this.#go(replay);
        }
        this.#readNext();
      });
    }
  }

  /** Sends messages that were read; false when the client takes no more for now. */
  #sendLoaded(replay: Replay, records: (HistoryRecord | undefined)[]): boolean {
    const { session } = replay;
    const { isBusy, sendOne } = this.#parts;
    const slots = this.#slotsOf(session.client, records);
    const head = `{"clientId":${quoteJson(session.client.id)},"timestamp":`;
    const texts: string[] = [];
    let isLarge = false;
    for (const record of records) {
      const text = record === undefined ? "" : textOf(record, head);
      texts.push(text);
      isLarge ||= text.length > joinedUnitsMax;
    }
    let done = 0;
    if (isLarge || session.isRaw) {
      for (; done < texts.length; done++) {
        const text = texts[done]!;
        const record = records[done];
        if (record === undefined) continue;
        const isOwn = record.isUp && !session.takesChunks;
        const outcome = isOwn ? session.send(text) : sendOne(session, text, slots.get(record));
        if (outcome !== "sent") break;
        if (isBusy(session)) slots.delete(record);
      }
    } else {
      const present = texts.filter((text) => text !== "");
      if (present.length === 0 || session.sendAll(present) === "sent") done = texts.length;
    }
    this.#sent(replay, records.slice(0, done), slots);
    replay.loaded = done < records.length ? records.slice(done) : undefined;
    return replay.loaded === undefined;
  }

  #sent(
    replay: Replay,
    records: readonly (HistoryRecord | undefined)[],
    slots: ReadonlyMap<HistoryRecord, Slot>,
  ): void {
    const { log, mailbox } = this.#parts;
    replay.at += records.length;
    for (const record of records) {
      if (record === undefined) {
        replay.hasGap = true;
        continue;
      }
      replay.sent++;
      replay.first ??= record;
      replay.last = record;
      // What was sent does not wait any more.
      const slot = slots.get(record);
      if (slot === undefined) continue;
      mailbox.remove(replay.session.client, slot);
      log.release(slot);
    }
  }

  /** Where messages wait that are to be sent from the history. */
  #slotsOf(
    client: Client,
    records: readonly (HistoryRecord | undefined)[],
  ): Map<HistoryRecord, Slot> {
    const { log } = this.#parts;
    const slots = new Map<HistoryRecord, Slot>();
    if (client.waitingFirst === noSlot) return slots;
    const byKey = new Map<string, HistoryRecord>();
    for (const record of records) {
      if (record === undefined || record.isUp) continue;
      byKey.set(keyOf(record.stampMs, record.stampNs, record.idLow), record);
    }
    for (let slot = client.waitingFirst; slot !== noSlot; slot = log.next(slot)) {
      const record = byKey.get(keyOf(log.stampMs(slot), log.stampNs(slot), log.idLow(slot)));
      if (record === undefined) continue;
      // Of a large message only the metadata is here: the whole still waits.
      const mayBeSame = log.bodyBytes(slot) <= record.text.length * utf8BytesAUnit;
      if (mayBeSame && log.bodyText(slot) === record.text) slots.set(record, slot);
    }
    return slots;
  }

  /** True when nothing is held any more. */
  #sendHeld(replay: Replay): boolean {
    const { counters, sendOne } = this.#parts;
    let sent = 0;
    for (const message of replay.held) {
      const { text } = message;
      if (sendOne(replay.session, text, message) !== "sent") break;
      sent++;
      counters.downstreamMessages++;
      replay.heldBytes -= text.length;
      this.heldBytes -= text.length;
    }
    replay.held.splice(0, sent);
    return replay.held.length === 0;
  }

  #end(replay: Replay): void {
    replay.state = "over";
    replay.slice.release();
    this.heldBytes -= replay.heldBytes;
    this.#replays.delete(replay.session.client);
  }

  #idOf({ isUp, text }: HistoryRecord): string {
    if (isUp) return messageIdInMembers(text, this.#clientMessage);
    const message = this.#upstreamMessage;
    return readUpstreamMessage(text, message) === undefined ? message.messageId : "";
  }
}

/** A message as its client reads it; `head` goes up to its timestamp. */
function textOf({ isUp, stampMs, stampNs, text }: HistoryRecord, head: string): string {
  return isUp ? `${head}${nanosecondsLiteral(stampMs, stampNs)},${text}}` : text;
}

/** Tells a message from all others of its client. */
function keyOf(stampMs: number, stampNs: number, idLow: number): string {
  return `${stampMs}.${stampNs}.${idLow}`;
}
