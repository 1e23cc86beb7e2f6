import type { Clock } from "../../ports/clock.ts";
import { hashMessageId } from "../dedup_window.ts";
import { KnownIds } from "./known_ids.ts";
import type { MessageMemory } from "./message_memory.ts";
import { type LogClient, type MessageLogOwner, noSlot, type Slot } from "./message_log_types.ts";
import { rowOf } from "./message_table.ts";
import {
  ackAskedFlag,
  kindMask,
  RecordCursor,
  recordKind,
  stampBytes,
  u32At,
  u48At,
  unzigzag,
} from "./record_format.ts";
import type { Segment } from "./segment.ts";
import type { FoundRecord } from "./segment_reader.ts";
import { SequenceIndex } from "./sequence_index.ts";

/** A message whose client is not known, because the record that names it is damaged: it may be
 * named again further on. */
interface Orphan {
  readonly record: FoundRecord;
  readonly sequence: number;
}

/** Longest id of a client that is believed; the gateway takes 256 bytes. */
const clientIdBytesMax = 4_096;

/** Puts the records of the segments into memory, from the oldest segment to the newest. */
export class SegmentRecovery {
  readonly #memory: MessageMemory;
  readonly #owner: MessageLogOwner;
  readonly #clock: Clock;
  readonly #windowMs: number;
  readonly #index = new SequenceIndex();
  readonly #cursor = new RecordCursor();
  readonly #clientsById = new Map<string, LogClient>();
  readonly ids: KnownIds;
  readonly clients: LogClient[] = [];
  readonly #segments = new Map<number, Segment>();
  #segment: Segment | undefined;
  #names: (LogClient | undefined)[] = [];
  #orphans = new Map<number, Orphan>();
  /** Highest sequence number that was seen. */
  sequence = 0;
  /** Messages that belong to nobody any more. */
  orphaned = 0;

  constructor(
    parts: {
      memory: MessageMemory;
      owner: MessageLogOwner;
      clock: Clock;
      windowMs: number;
      idsMax: number;
    },
  ) {
    this.#memory = parts.memory;
    this.#owner = parts.owner;
    this.#clock = parts.clock;
    this.#windowMs = parts.windowMs;
    this.ids = new KnownIds(parts.idsMax);
  }

  begin(segment: Segment): void {
    this.#segment = segment;
    this.#segments.set(segment.number, segment);
    this.#names = [];
    this.sequence = Math.max(this.sequence, segment.base - 1);
  }

  end(): void {
    this.orphaned += this.#orphans.size;
    this.#orphans.clear();
  }

  record(found: FoundRecord): void {
    switch (found.kind & kindMask) {
      case recordKind.client:
        return this.#client(found);
      case recordKind.up:
      case recordKind.down:
        return this.#message(found);
      case recordKind.done:
        return this.#done(found);
      case recordKind.id:
        return this.#id(found);
    }
  }

  /** To be called when all is read: the messages, oldest first. */
  *inOrder(): Generator<Slot> {
    yield* this.#index.inOrder();
  }

  slotOf(sequence: number): Slot {
    return this.#index.get(sequence);
  }

  #client(found: FoundRecord): void {
    const { bytes, end } = found;
    const cursor = this.#cursor;
    cursor.start(found.bodyAt, end);
    const name = cursor.varint(bytes);
    if (cursor.isBroken || end - cursor.at > clientIdBytesMax || name > bytes.length * 1e3) return;
    const client = this.#clientNamed(this.#memory.text(bytes.subarray(cursor.at, end)));
    this.#names[name] = client;
    for (const orphan of this.#orphans.values()) {
      if (orphan.record.name !== name) continue;
      this.#orphans.delete(orphan.sequence);
      this.#restore(orphan.record, client, orphan.sequence);
    }
  }

  #clientNamed(id: string): LogClient {
    let client = this.#clientsById.get(id);
    if (client === undefined) {
      client = this.#owner.clientNamed(id);
      this.#clientsById.set(id, client);
      this.clients.push(client);
    }
    return client;
  }

  #message(found: FoundRecord): void {
    const sequence = this.#segment!.base + found.delta;
    if (!(sequence > 0 && sequence < Number.MAX_SAFE_INTEGER)) return;
    this.sequence = Math.max(this.sequence, sequence);
    const client = this.#names[found.name];
    if (client !== undefined) return this.#restore(found, client, sequence);
    const from = found.bodyAt - stampBytes;
    const { kind, bodyCrc, delta, name } = found;
    const bytes = found.bytes.slice(from, found.end);
    const record = { kind, bodyCrc, delta, name, bytes, bodyAt: stampBytes, end: bytes.length };
    this.#orphans.set(sequence, { record, sequence });
  }

  #restore(found: FoundRecord, client: LogClient, sequence: number): void {
    const segment = this.#segment!;
    const isCopy = this.#index.get(sequence) !== noSlot;
    const stampMs = u48At(found.bytes, found.bodyAt - stampBytes);
    const isKnown = (found.kind & ackAskedFlag) !== 0 && this.#keepsIds(segment, stampMs);
    // A message that was written again counts as where it was first: that segment cannot go before
    // the later one, whose last sync may have failed.
    if (isCopy) return;
    const slot = this.#memory.restore({
      sequence,
      clientIndex: client.index,
      kind: found.kind,
      bodyCrc: found.bodyCrc,
      segment: segment.number,
      from: found.bytes,
      stampAt: found.bodyAt - stampBytes,
      end: found.end,
    });
    this.#index.set(sequence, slot);
    segment.live++;
    segment.liveBytes += found.end - found.bodyAt;
    if (isKnown) this.#keepId(found, { client, slot, sequence, stampMs });
  }

  /** Notes in the segment that it has an id that is to stay known; false when it is too old. */
  #keepsIds(segment: Segment, stampMs: number): boolean {
    // A clock that was set back must not make ids stay for longer than the window.
    const ageMs = Math.max(0, this.#clock.now() - stampMs);
    if (ageMs >= this.#windowMs) return false;
    segment.acked++;
    segment.ackedAtMs = Math.max(segment.ackedAtMs, this.#clock.monotonic() - ageMs);
    return true;
  }

  #keepId(
    found: FoundRecord,
    message: { client: LogClient; slot: Slot; sequence: number; stampMs: number },
  ): void {
    const { client, slot, sequence, stampMs } = message;
    const isUp = (found.kind & kindMask) === recordKind.up;
    const direction = isUp ? "up" : "down";
    const messageId = this.#owner.messageIdIn(direction, this.#memory.bodyText(slot));
    if (messageId === "") return;
    const { low, high } = hashMessageId(messageId);
    const bodyBytes = found.end - found.bodyAt;
    this.ids.add({ client, low, high, bodyCrc: found.bodyCrc, bodyBytes, stampMs, sequence });
  }

  #done(found: FoundRecord): void {
    const cursor = this.#cursor;
    cursor.start(found.bodyAt, found.end);
    let sequence = this.#segment!.base;
    while (cursor.at < cursor.end) {
      sequence += unzigzag(cursor.varint(found.bytes));
      if (cursor.isBroken) return;
      this.sequence = Math.max(this.sequence, sequence);
      this.#orphans.delete(sequence);
      const slot = sequence > 0 ? this.#index.get(sequence) : noSlot;
      if (slot === noSlot) continue;
      this.#leave(slot);
      this.#index.delete(sequence);
    }
  }

  #leave(slot: Slot): void {
    const page = this.#memory.table.page(slot);
    const row = rowOf(slot);
    const segment = this.#segments.get(page.segment[row]!)!;
    segment.live--;
    segment.liveBytes -= page.bodyBytes[row]!;
    this.#memory.discard(slot);
  }

  #id(found: FoundRecord): void {
    const { bytes } = found;
    const cursor = this.#cursor;
    cursor.start(found.bodyAt, found.end);
    const client = this.#names[cursor.varint(bytes)];
    const at = cursor.at;
    cursor.at += 18;
    const bodyBytes = cursor.varint(bytes);
    if (cursor.isBroken || client === undefined) return;
    const stampMs = u48At(bytes, at + 12);
    if (!this.#keepsIds(this.#segment!, stampMs)) return;
    this.ids.add({
      client,
      low: u32At(bytes, at),
      high: u32At(bytes, at + 4),
      bodyCrc: u32At(bytes, at + 8),
      bodyBytes,
      stampMs,
      sequence: 0,
    });
  }
}
