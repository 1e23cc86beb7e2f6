import { assert } from "../../base/assert.ts";
import { crc32Between } from "../../base/crc32.ts";
import { utf8Length } from "../../wire/utf8.ts";
import {
  copyBytes,
  finishRecord,
  putBefore,
  putHead,
  type WrittenRecord,
} from "./block_records.ts";
import type { MemoryBlock } from "./memory_blocks.ts";
import type { MessageBody } from "./message_body.ts";
import { MemoryBlocks } from "./memory_blocks.ts";
import type { NewMessage, Slot } from "./message_log_types.ts";
import type { FoundRecord } from "./segment_reader.ts";
import { MessageTable, priorityShift, rowOf, slotFlag } from "./message_table.ts";
import {
  ackAskedFlag,
  bytesBefore,
  idHashBytes,
  kindMask,
  messageKind,
  recordHeadBytesMax,
  recordKind,
  stampBytes,
  stampNsAt,
  u32At,
  u48At,
  varintWidth,
} from "./record_format.ts";

/** Of longer bodies it is counted how long their UTF-8 is, rather than room kept for the longest. */
const inPlaceUnitsMax = 8 * 1024;
const utf8BytesAUnit = 3;

/** Where a record is to stand on disk; `segment` 0: nowhere for now. */
export interface RecordPlace {
  segment: number;
  base: number;
  salt: number;
}

/** The waiting messages: their rows, and the records with their bodies in memory blocks. */
export class MessageMemory {
  readonly table = new MessageTable();
  readonly blocks = new MemoryBlocks();
  readonly #encoder = new TextEncoder();
  // A body may begin with a byte order mark; it is not ours to drop.
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  depth = 0;
  bytes = 0;
  /** Where the last record was put. */
  block: MemoryBlock = this.blocks.tail;
  from = 0;
  to = 0;

  add(message: NewMessage, sequence: number, place: RecordPlace): Slot {
    const { body } = message;
    if (typeof body !== "string") return this.#adopt(message, body, sequence, place);
    const isShort = body.length <= inPlaceUnitsMax;
    const most = isShort ? body.length * utf8BytesAUnit : utf8Length(body);
    const block = this.blocks.withRoom(recordHeadBytesMax + most);
    const { bytes } = block;
    const at = block.used;
    const width = varintWidth(recordHeadBytesMax + most);
    const bodyAt = this.#putNewHead(block, message, { width, sequence, place });
    putBefore(bytes, bodyAt, message);
    const bodyBytes = this.#encoder.encodeInto(body, bytes.subarray(bodyAt)).written;
    const bodyCrc = crc32Between(bytes, bodyAt, bodyAt + bodyBytes);
    this.#finish(block, { at, width, bodyAt, end: bodyAt + bodyBytes, bodyCrc, salt: place.salt });
    return this.#newRow(message, { sequence, place, block, bodyAt, bodyBytes, bodyCrc });
  }

  /** Takes over a body that is whole, memory and all. */
  #adopt(message: NewMessage, body: MessageBody, sequence: number, place: RecordPlace): Slot {
    assert(body.isWhole, "a message was taken over before all of it was there");
    const block = this.blocks.adopt(body.memory);
    const { from: bodyAt, length: bodyBytes, crc: bodyCrc } = body;
    const width = varintWidth(recordHeadBytesMax + bodyBytes);
    const headBytes = this.#putNewHead(block, message, { width, sequence, place });
    const at = bodyAt - headBytes;
    block.bytes.copyWithin(at, 0, headBytes);
    putBefore(block.bytes, bodyAt, message);
    this.#finish(block, { at, width, bodyAt, end: bodyAt + bodyBytes, bodyCrc, salt: place.salt });
    return this.#newRow(message, { sequence, place, block, bodyAt, bodyBytes, bodyCrc });
  }

  #putNewHead(
    block: MemoryBlock,
    message: NewMessage,
    { width, sequence, place }: { width: number; sequence: number; place: RecordPlace },
  ): number {
    const kind = messageKind(message.direction === "up", message.messageId !== "") |
      (message.ackAsked ? ackAskedFlag : 0) | (message.priority << priorityShift);
    const name = place.segment === 0 ? 0 : message.client.logName >>> 1;
    return putHead(block, { kind, width, delta: sequence - place.base, name });
  }

  #newRow(
    message: NewMessage,
    { sequence, place, block, bodyAt, bodyBytes, bodyCrc }: {
      sequence: number;
      place: RecordPlace;
      block: MemoryBlock;
      bodyAt: number;
      bodyBytes: number;
      bodyCrc: number;
    },
  ): Slot {
    const slot = this.table.take();
    const page = this.table.page(slot);
    const row = rowOf(slot);
    page.sequence[row] = sequence;
    page.clientIndex[row] = message.client.index;
    page.block[row] = block.index;
    page.bodyAt[row] = bodyAt;
    page.bodyBytes[row] = bodyBytes;
    page.bodyCrc[row] = bodyCrc;
    page.segment[row] = place.segment;
    page.flags[row] = slotFlag.live | (message.direction === "up" ? slotFlag.up : 0) |
      (message.ackAsked ? slotFlag.ackAsked : 0) |
      (message.messageId !== "" ? slotFlag.messageId : 0) | (message.priority << priorityShift);
    this.table.link(slot);
    this.#count(block, bodyBytes);
    return slot;
  }

  /** A message that was read back, with its place: its row is linked later, when all are there. */
  restore(found: FoundRecord, sequence: number, clientIndex: number, segment: number): Slot {
    const { bodyAt, end, kind } = found;
    const from = bodyAt - bytesBefore(kind);
    const block = this.blocks.withRoom(end - from);
    copyBytes(block, found.bytes, from, end);
    const slot = this.table.take();
    const page = this.table.page(slot);
    const row = rowOf(slot);
    const bodyBytes = end - bodyAt;
    page.sequence[row] = sequence;
    page.clientIndex[row] = clientIndex;
    page.block[row] = block.index;
    page.bodyAt[row] = block.used - bodyBytes;
    page.bodyBytes[row] = bodyBytes;
    page.bodyCrc[row] = found.bodyCrc;
    page.segment[row] = segment;
    const bare = kind & kindMask;
    page.flags[row] = slotFlag.live |
      (bare === recordKind.up || bare === recordKind.upWithId ? slotFlag.up : 0) |
      (bare >= recordKind.upWithId ? slotFlag.messageId : 0) |
      ((kind & ackAskedFlag) !== 0 ? slotFlag.ackAsked : 0) | (kind & 0xf0);
    this.#count(block, bodyBytes);
    return slot;
  }

  /** Writes a message's record anew, for another place on disk. */
  rewrite(slot: Slot, name: number, place: RecordPlace): void {
    const page = this.table.page(slot);
    const row = rowOf(slot);
    const bodyBytes = page.bodyBytes[row]!;
    const old = this.blocks.at(page.block[row]!);
    const oldBodyAt = page.bodyAt[row]!;
    const block = this.blocks.withRoom(recordHeadBytesMax + bodyBytes);
    const at = block.used;
    const flags = page.flags[row]!;
    const hasId = (flags & slotFlag.messageId) !== 0;
    const kind = messageKind((flags & slotFlag.up) !== 0, hasId) |
      ((flags & slotFlag.ackAsked) !== 0 ? ackAskedFlag : 0) | (flags & 0xf0);
    const width = varintWidth(recordHeadBytesMax + bodyBytes);
    const delta = page.sequence[row]! - place.base;
    const bodyAt = putHead(block, { kind, width, delta, name });
    const before = bytesBefore(kind);
    const keptFrom = oldBodyAt - before;
    block.bytes.set(old.bytes.subarray(keptFrom, oldBodyAt + bodyBytes), bodyAt - before);
    const bodyCrc = page.bodyCrc[row]!;
    this.#finish(block, { at, width, bodyAt, end: bodyAt + bodyBytes, bodyCrc, salt: place.salt });
    page.segment[row] = place.segment;
    this.#resettle(slot, old, block, bodyAt);
  }

  /** Copies a message to the newest block, so that its old one can be given back. */
  move(slot: Slot): void {
    const page = this.table.page(slot);
    const row = rowOf(slot);
    const old = this.blocks.at(page.block[row]!);
    const bodyAt = page.bodyAt[row]!;
    const bodyBytes = page.bodyBytes[row]!;
    const before = this.hasMessageId(slot) ? idHashBytes + stampBytes : stampBytes;
    const block = this.blocks.withRoom(before + bodyBytes);
    copyBytes(block, old.bytes, bodyAt - before, bodyAt + bodyBytes);
    this.#resettle(slot, old, block, block.used - bodyBytes);
  }

  /** Puts a record that is no message's; the same block may be given back once it is written. */
  putRecord(kind: number, body: Uint8Array, salt: number): void {
    const block = this.blocks.withRoom(recordHeadBytesMax + body.length);
    const at = block.used;
    const width = varintWidth(body.length);
    block.bytes[at + 4] = kind;
    const bodyAt = at + 5 + width;
    block.bytes.set(body, bodyAt);
    const end = bodyAt + body.length;
    const bodyCrc = crc32Between(block.bytes, bodyAt, end);
    this.#finish(block, { at, width, bodyAt, end, bodyCrc, salt });
  }

  release(slot: Slot): void {
    this.#countOut(slot);
    this.table.unlink(slot);
    this.forget(slot);
  }

  /** It waits no longer; its record is kept, here and on disk, until `forget`. */
  setAside(slot: Slot): void {
    this.#countOut(slot);
    this.table.setAside(slot);
  }

  /** Takes a copy of a message back that was restored and not linked yet. */
  discard(slot: Slot): void {
    this.#countOut(slot);
    this.forget(slot);
  }

  forget(slot: Slot): void {
    const page = this.table.page(slot);
    const row = rowOf(slot);
    const block = this.blocks.at(page.block[row]!);
    block.live--;
    block.liveBytes -= page.bodyBytes[row]!;
    this.table.giveBack(slot);
    if (block.live === 0) this.blocks.tidy(block);
  }

  isLive(slot: Slot): boolean {
    return (this.table.page(slot).flags[rowOf(slot)]! & slotFlag.live) !== 0;
  }

  clientIndex(slot: Slot): number {
    return this.table.page(slot).clientIndex[rowOf(slot)]!;
  }

  isUp(slot: Slot): boolean {
    return (this.table.page(slot).flags[rowOf(slot)]! & slotFlag.up) !== 0;
  }

  isAckAsked(slot: Slot): boolean {
    return (this.table.page(slot).flags[rowOf(slot)]! & slotFlag.ackAsked) !== 0;
  }

  hasMessageId(slot: Slot): boolean {
    return (this.table.page(slot).flags[rowOf(slot)]! & slotFlag.messageId) !== 0;
  }

  /** Of a message with an id; 0 else. */
  idLow(slot: Slot): number {
    return this.#idPart(slot, 0);
  }

  idHigh(slot: Slot): number {
    return this.#idPart(slot, 4);
  }

  stampMs(slot: Slot): number {
    const page = this.table.page(slot);
    const row = rowOf(slot);
    return u48At(this.blocks.at(page.block[row]!).bytes, page.bodyAt[row]! - stampBytes);
  }

  stampNs(slot: Slot): number {
    const page = this.table.page(slot);
    const row = rowOf(slot);
    return stampNsAt(this.blocks.at(page.block[row]!).bytes, page.bodyAt[row]! - stampBytes);
  }

  copyBody(slot: Slot, into: Uint8Array, at: number): number {
    const body = this.#body(slot);
    into.set(body, at);
    return at + body.length;
  }

  copyPart(slot: Slot, from: number, to: number, into: Uint8Array, at: number): number {
    into.set(this.#body(slot).subarray(from, to), at);
    return at + to - from;
  }

  indexOf(slot: Slot, byte: number, from: number): number {
    return this.#body(slot).indexOf(byte, from);
  }

  bodyText(slot: Slot): string {
    return this.#decoder.decode(this.#body(slot));
  }

  text(bytes: Uint8Array): string {
    return this.#decoder.decode(bytes);
  }

  utf8(text: string): Uint8Array {
    return this.#encoder.encode(text);
  }

  #idPart(slot: Slot, at: number): number {
    const page = this.table.page(slot);
    const row = rowOf(slot);
    if ((page.flags[row]! & slotFlag.messageId) === 0) return 0;
    const { bytes } = this.blocks.at(page.block[row]!);
    return u32At(bytes, page.bodyAt[row]! - stampBytes - idHashBytes + at);
  }

  #body(slot: Slot): Uint8Array {
    const page = this.table.page(slot);
    const row = rowOf(slot);
    const bodyAt = page.bodyAt[row]!;
    return this.blocks.at(page.block[row]!).bytes.subarray(bodyAt, bodyAt + page.bodyBytes[row]!);
  }

  #finish(block: MemoryBlock, record: WrittenRecord): void {
    finishRecord(block, record);
    this.block = block;
    this.from = record.at;
    this.to = record.end;
  }

  #countOut(slot: Slot): void {
    const page = this.table.page(slot);
    const row = rowOf(slot);
    assert((page.flags[row]! & slotFlag.live) !== 0, "a message was released twice");
    this.depth--;
    this.bytes -= page.bodyBytes[row]!;
  }

  #count(block: MemoryBlock, bodyBytes: number): void {
    block.live++;
    block.liveBytes += bodyBytes;
    this.depth++;
    this.bytes += bodyBytes;
  }

  #resettle(slot: Slot, old: MemoryBlock, block: MemoryBlock, bodyAt: number): void {
    const page = this.table.page(slot);
    const row = rowOf(slot);
    const bodyBytes = page.bodyBytes[row]!;
    page.block[row] = block.index;
    page.bodyAt[row] = bodyAt;
    block.live++;
    block.liveBytes += bodyBytes;
    old.live--;
    old.liveBytes -= bodyBytes;
    if (old.live === 0) this.blocks.tidy(old);
  }
}
