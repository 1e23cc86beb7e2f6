import type { Clock } from "../../ports/clock.ts";
import { type KnownId, KnownIds } from "./known_ids.ts";
import type { MessageMemory } from "./message_memory.ts";
import {
  type LogClient,
  type MessageLogOwner,
  noSlot,
  type RecoveredId,
  type Slot,
} from "./message_log_types.ts";
import { rowOf } from "./message_table.ts";
import {
  ackAskedFlag,
  bytesBefore,
  idHashBytes,
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

/** No more messages than this leave one after the other within one batch: a larger number was never
 * written. */
const runMax = 2 ** 26;

/** Puts the records of the segments into memory, from the oldest segment to the newest. */
export class SegmentRecovery {
  readonly #memory: MessageMemory;
  readonly #owner: MessageLogOwner;
  readonly #windowMs: number;
  readonly #idsMax: number;
  /** When reading began: by the wall clock, and monotonic. */
  readonly #nowMs: number;
  readonly #nowMonotonicMs: number;
  /** Slots of messages that wait; of delivered ones, whose ids stay known, −2 less the id's row. */
  readonly #index = new SequenceIndex();
  readonly #cursor = new RecordCursor();
  readonly #clientsById = new Map<string, LogClient>();
  /** Of files of ids, and of messages that were delivered, in the order in which they were found. */
  readonly #filedIds: KnownIds;
  readonly #deliveredIds: KnownIds;
  readonly #id: KnownId = {
    clientIndex: 0,
    low: 0,
    high: 0,
    bodyCrc: 0,
    bodyBytes: 0,
    stampMs: 0,
  };
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
    this.#windowMs = parts.windowMs;
    this.#idsMax = parts.idsMax;
    this.#nowMs = parts.clock.now();
    this.#nowMonotonicMs = parts.clock.monotonic();
    this.#filedIds = new KnownIds(parts.idsMax);
    this.#deliveredIds = new KnownIds(parts.idsMax);
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
      case recordKind.upWithId:
      case recordKind.downWithId:
        return this.#message(found);
      case recordKind.done:
        return this.#done(found);
      case recordKind.ids:
        return this.#ids(found);
    }
  }

  /** To be called when all is read: puts the messages into the list from the oldest on. */
  link(): void {
    const { table } = this.#memory;
    this.#index.each((value) => {
      if (value >= 0) table.link(value);
    });
  }

  /** Visits the ids that stay known, oldest first, before any message is released. The object is
   * the same each time. */
  eachId(visit: (id: RecoveredId) => void): void {
    const filed = this.#filedIds;
    const delivered = this.#deliveredIds;
    let count = filed.end - filed.from;
    this.#index.each((value) => {
      if (value < noSlot ? noSlot - 1 - value >= delivered.from : this.#hasKnownId(value)) count++;
    });
    let skipped = Math.max(0, count - this.#idsMax);
    const id = { ...this.#id, slot: undefined as Slot | undefined };
    const show = (slot: Slot | undefined): void => {
      id.slot = slot;
      if (skipped > 0) skipped--;
      else visit(id);
    };
    for (let row = filed.from; row < filed.end; row++) {
      filed.read(row, id);
      show(undefined);
    }
    this.#index.each((value) => {
      if (value >= 0) {
        if (!this.#hasKnownId(value)) return;
        this.#readId(value, id);
        show(value);
      } else if (noSlot - 1 - value >= delivered.from) {
        delivered.read(noSlot - 1 - value, id);
        show(undefined);
      }
    });
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
    const { kind, bodyCrc, delta, name } = found;
    const bodyAt = bytesBefore(kind);
    const bytes = found.bytes.slice(found.bodyAt - bodyAt, found.end);
    const record = { kind, bodyCrc, delta, name, bytes, bodyAt, end: bytes.length };
    this.#orphans.set(sequence, { record, sequence });
  }

  #restore(found: FoundRecord, client: LogClient, sequence: number): void {
    const segment = this.#segment!;
    if (isIdKnown(found.kind)) {
      this.#noteId(segment, u48At(found.bytes, found.bodyAt - stampBytes));
    }
    // A message that was written again counts as where it was first: that segment cannot go before
    // the later one, whose last sync may have failed.
    if (this.#index.get(sequence) >= 0) return;
    const slot = this.#memory.restore(found, sequence, client.index, segment.number);
    this.#index.set(sequence, slot);
    segment.live++;
    segment.liveBytes += found.end - found.bodyAt;
  }

  /** Notes in the segment that it has an id that is to stay known; false when it is too old. */
  #noteId(segment: Segment, stampMs: number): boolean {
    if (!this.#isInWindow(stampMs)) return false;
    segment.acked++;
    const ageMs = Math.max(0, this.#nowMs - stampMs);
    segment.ackedAtMs = Math.max(segment.ackedAtMs, this.#nowMonotonicMs - ageMs);
    return true;
  }

  /** A clock that was set back does not make ids stay for longer than the window. */
  #isInWindow(stampMs: number): boolean {
    return this.#nowMs - stampMs < this.#windowMs;
  }

  #hasKnownId(slot: Slot): boolean {
    const memory = this.#memory;
    return memory.isAckAsked(slot) && memory.hasMessageId(slot) &&
      this.#isInWindow(memory.stampMs(slot));
  }

  #readId(slot: Slot, into: KnownId): void {
    const memory = this.#memory;
    const page = memory.table.page(slot);
    const row = rowOf(slot);
    into.clientIndex = page.clientIndex[row]!;
    into.low = memory.idLow(slot);
    into.high = memory.idHigh(slot);
    into.bodyCrc = page.bodyCrc[row]!;
    into.bodyBytes = page.bodyBytes[row]!;
    into.stampMs = memory.stampMs(slot);
  }

  #done(found: FoundRecord): void {
    const cursor = this.#cursor;
    cursor.start(found.bodyAt, found.end);
    let sequence = this.#segment!.base;
    for (let isFirst = true; cursor.at < cursor.end; isFirst = false) {
      const step = unzigzag(cursor.varint(found.bytes));
      const isRun = step === 0 && !isFirst;
      const count = isRun ? cursor.varint(found.bytes) : 1;
      if (cursor.isBroken || count > runMax) return;
      for (let n = 0; n < count; n++) {
        sequence += isRun ? 1 : step;
        this.#left(sequence);
      }
    }
  }

  #left(sequence: number): void {
    this.sequence = Math.max(this.sequence, sequence);
    this.#orphans.delete(sequence);
    const slot = sequence > 0 ? this.#index.get(sequence) : noSlot;
    if (slot >= 0) this.#leave(slot, sequence);
  }

  #leave(slot: Slot, sequence: number): void {
    const page = this.#memory.table.page(slot);
    const row = rowOf(slot);
    const segment = this.#segments.get(page.segment[row]!)!;
    segment.live--;
    segment.liveBytes -= page.bodyBytes[row]!;
    if (this.#hasKnownId(slot)) {
      this.#readId(slot, this.#id);
      this.#index.set(sequence, noSlot - 1 - this.#deliveredIds.add(this.#id));
    } else {
      this.#index.delete(sequence);
    }
    this.#memory.discard(slot);
  }

  #ids(found: FoundRecord): void {
    const { bytes } = found;
    const cursor = this.#cursor;
    const id = this.#id;
    cursor.start(found.bodyAt + 6, found.end);
    id.stampMs = u48At(bytes, found.bodyAt);
    while (cursor.at < cursor.end) {
      const client = this.#names[cursor.varint(bytes)];
      const at = cursor.at;
      cursor.at += idHashBytes + 4;
      id.stampMs += unzigzag(cursor.varint(bytes));
      id.bodyBytes = cursor.varint(bytes);
      if (cursor.isBroken) return;
      if (client === undefined || !this.#noteId(this.#segment!, id.stampMs)) continue;
      id.clientIndex = client.index;
      id.low = u32At(bytes, at);
      id.high = u32At(bytes, at + 4);
      id.bodyCrc = u32At(bytes, at + idHashBytes);
      this.#filedIds.add(id);
    }
  }
}

/** Whether the id of such a message has to stay known. */
export function isIdKnown(kind: number): boolean {
  return (kind & ackAskedFlag) !== 0 && (kind & kindMask) >= recordKind.upWithId;
}
