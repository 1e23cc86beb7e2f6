import { crc32Between } from "../../base/crc32.ts";
import type { Random } from "../../ports/random.ts";
import {
  putStamp,
  putU32,
  putVarint,
  putWideVarint,
  recordCrc,
  recordHeadBytesMax,
  recordKind,
  stampBytes,
  varintWidth,
  zigzag,
} from "../log/record_format.ts";
import { segmentHeaderBytes } from "../log/segment_header.ts";
import { u32At } from "../log/record_format.ts";
import type { HistoryLimits } from "./history_limits.ts";
import {
  forgottenBody,
  idHashBytes,
  nameBody,
  nameRecordBytesMax,
  putPlainRecord,
} from "./history_record.ts";
import type { HistoryBlock, HistoryClient, HistorySegment } from "./history_types.ts";

/** Texts whose UTF-8 might be longer are turned into bytes first, and then copied. */
const inPlaceUnitsMax = 8 * 1024;

/** Empty pieces of memory that are kept for the next block instead of being made again. */
const spareMax = 8;

/** A record that is to be put at the end. */
export interface RecordToPut {
  readonly client: HistoryClient;
  readonly isUp: boolean;
  readonly sequence: number;
  readonly stampMs: number;
  readonly stampNs: number;
  readonly idLow: number;
  readonly idHigh: number;
  readonly text: string | Uint8Array;
}

/**
 * The records of the history: segments of blocks, of which the newest are in memory. They are put at
 * the end, and leave with their segment, the oldest first.
 */
export class HistoryBlocks {
  /** From the oldest. */
  readonly segments: HistorySegment[] = [];
  /** A block for messages that were found damaged: there is nothing in it. */
  readonly lost: HistoryBlock;
  /** Bytes that were ever put here, in this run. */
  appended = 0;
  /** Of blocks in memory. */
  memoryBytes = 0;
  /** Of all segments. */
  diskBytes = 0;
  /** Where the last message was put. */
  block: HistoryBlock;
  at = 0;
  bytes = 0;
  readonly #limits: HistoryLimits;
  readonly #random: Random;
  readonly #isOnDisk: boolean;
  readonly #blocks: (HistoryBlock | undefined)[] = [];
  readonly #freeIndexes: number[] = [];
  readonly #spare: Uint8Array[] = [];
  readonly #encoder = new TextEncoder();
  /** Blocks in memory, and blocks with something to write, from the oldest. */
  #cached: HistoryBlock[] = [];
  #unwritten: HistoryBlock[] = [];
  #tail: HistoryBlock | undefined;
  #nextNumber = 1;

  constructor(parts: { limits: HistoryLimits; random: Random; isOnDisk: boolean }) {
    this.#limits = parts.limits;
    this.#random = parts.random;
    this.#isOnDisk = parts.isOnDisk;
    this.lost = this.#addBlock({ ...newSegment(0, 0, 0), written: 0 }, 0, undefined);
    this.block = this.lost;
  }

  get current(): HistorySegment | undefined {
    return this.#tail?.segment;
  }

  /** Bytes that wait for the disk. */
  get unwrittenBytes(): number {
    let bytes = 0;
    for (const block of this.#unwritten) bytes += block.used - block.written;
    return bytes;
  }

  /** Blocks with something to write. */
  get unwrittenBlocks(): number {
    return this.#unwritten.length;
  }

  /** Whether so much waits for the disk that no more should be taken. */
  get isFull(): boolean {
    return this.#unwritten.length > 1 && this.unwrittenBytes > this.#limits.unwrittenBytes;
  }

  blockAt(index: number): HistoryBlock {
    return this.#blocks[index]!;
  }

  /** A segment that was read back; its records are on disk. */
  restore(segment: HistorySegment): HistoryBlock {
    this.segments.push(segment);
    this.diskBytes += segment.bytes;
    const block = this.#addBlock(segment, 0, undefined);
    block.used = block.written = segment.bytes;
    return block;
  }

  /** The number of the next segment is at least this. */
  startAt(number: number): void {
    this.#nextNumber = number;
  }

  /** Puts a message at the end; `block`, `at` and `bytes` say where it is. */
  put(record: RecordToPut): void {
    const { client, text } = record;
    let encoded = typeof text === "string" ? undefined : text;
    let most: number;
    if (typeof text === "string" && text.length <= inPlaceUnitsMax) {
      most = text.length * 3;
    } else {
      encoded ??= this.#encoder.encode(text as string);
      most = encoded.length;
    }
    most += recordHeadBytesMax + idHashBytes;
    const block = this.#withRoom(most + nameRecordBytesMax, record.sequence);
    const { segment } = block;
    if (client.segment !== segment.number) this.#putName(block, client);
    const bytes = block.bytes!;
    const at = block.used;
    const width = varintWidth(most);
    bytes[at + 4] = record.isUp ? recordKind.up : recordKind.down;
    const nameAt = putVarint(bytes, at + 5 + width, zigzag(record.sequence - segment.base));
    const stampAt = putVarint(bytes, nameAt, client.name);
    putStamp(bytes, stampAt, record.stampMs, record.stampNs);
    const bodyAt = stampAt + stampBytes;
    putU32(bytes, bodyAt, record.idLow);
    putU32(bytes, bodyAt + 4, record.idHigh);
    let end = bodyAt + idHashBytes;
    if (encoded === undefined) {
      end += this.#encoder.encodeInto(text as string, bytes.subarray(end)).written;
    } else {
      bytes.set(encoded, end);
      end += encoded.length;
    }
    putWideVarint(bytes, at + 5, end - (at + 5 + width), width);
    const bodyCrc = crc32Between(bytes, bodyAt, end);
    putU32(bytes, at, recordCrc(bytes, { at, bodyAt, bodyCrc, salt: segment.salt }));
    this.#used(block, end);
    segment.live++;
    this.block = block;
    this.at = at;
    this.bytes = end - at;
  }

  /** Notes that nothing of a client is kept up to a sequence number. */
  putForgotten(client: HistoryClient, through: number): void {
    const block = this.#withRoom(2 * nameRecordBytesMax, through + 1);
    const { segment } = block;
    if (client.segment !== segment.number) this.#putName(block, client);
    const body = forgottenBody(client.name, through);
    const record = { kind: recordKind.done, body, salt: segment.salt };
    this.#used(block, putPlainRecord(block.bytes!, block.used, record));
  }

  /** A message of a block left the index, or its record is elsewhere now. */
  left(block: HistoryBlock): void {
    block.segment.live--;
  }

  /** The next block with something to write, up to which byte; undefined when there is none. */
  nextToWrite(): HistoryBlock | undefined {
    return this.#unwritten[0];
  }

  isTail(block: HistoryBlock): boolean {
    return block === this.#tail;
  }

  /** A block was written up to a byte. */
  wrote(block: HistoryBlock, to: number): void {
    block.segment.written += to - block.written;
    block.written = to;
    if (block !== this.#tail && block.written === block.used && this.#unwritten[0] === block) {
      this.#unwritten.shift();
      this.#trim();
    }
  }

  /** Lets a segment go with its blocks. No message of the index is in it. */
  remove(segment: HistorySegment): void {
    this.segments.splice(this.segments.indexOf(segment), 1);
    this.diskBytes -= segment.bytes;
    for (const block of this.#blocks) {
      if (block === undefined || block.segment !== segment) continue;
      this.#blocks[block.index] = undefined;
      this.#freeIndexes.push(block.index);
      if (block.bytes !== undefined) this.#uncache(block);
    }
    this.#cached = this.#cached.filter((block) => block.segment !== segment);
    this.#unwritten = this.#unwritten.filter((block) => block.segment !== segment);
    if (this.#tail?.segment === segment) this.#tail = undefined;
  }

  #putName(block: HistoryBlock, client: HistoryClient): void {
    const { segment } = block;
    client.segment = segment.number;
    client.name = ++segment.names;
    const body = nameBody(client.name, this.#encoder.encode(client.id));
    const record = { kind: recordKind.client, body, salt: segment.salt };
    this.#used(block, putPlainRecord(block.bytes!, block.used, record));
  }

  #used(block: HistoryBlock, end: number): void {
    const bytes = end - block.used;
    block.used = end;
    block.segment.bytes += bytes;
    this.diskBytes += bytes;
    this.appended += bytes;
  }

  #withRoom(bytes: number, sequence: number): HistoryBlock {
    const tail = this.#tail;
    if (tail !== undefined && tail.used + bytes <= tail.bytes!.length) return tail;
    let segment = tail?.segment;
    if (segment === undefined || segment.bytes >= this.#limits.segmentBytes) {
      segment = this.#addSegment(sequence);
    }
    const size = Math.max(bytes, this.#limits.blockBytes);
    const memory = size === this.#limits.blockBytes ? this.#spare.pop() : undefined;
    const block = this.#addBlock(segment, segment.bytes, memory ?? new Uint8Array(size));
    this.memoryBytes += size;
    this.#cached.push(block);
    this.#tail = block;
    if (this.#isOnDisk) {
      const first = this.#unwritten[0];
      if (first !== undefined && first.written === first.used) this.#unwritten.shift();
      this.#unwritten.push(block);
      this.#trim();
    }
    return block;
  }

  #addSegment(base: number): HistorySegment {
    const [a = 0, b = 0, c = 0, d = 0] = this.#random.bytes(4);
    const salt = u32At(Uint8Array.of(a, b, c, d), 0);
    const segment = newSegment(this.#nextNumber++, base, salt);
    this.segments.push(segment);
    this.diskBytes += segment.bytes;
    return segment;
  }

  #addBlock(
    segment: HistorySegment,
    fileAt: number,
    bytes: Uint8Array | undefined,
  ): HistoryBlock {
    const index = this.#freeIndexes.pop() ?? this.#blocks.length;
    const block = { index, segment, fileAt, bytes, used: 0, written: 0 };
    this.#blocks[index] = block;
    return block;
  }

  /** Keeps no more in memory than may be: what is on disk goes, the oldest first. */
  #trim(): void {
    while (this.memoryBytes > this.#limits.cachedBytes) {
      const block = this.#cached[0];
      if (block === undefined || block === this.#tail || block.written < block.used) return;
      this.#cached.shift();
      this.#uncache(block);
    }
  }

  #uncache(block: HistoryBlock): void {
    const bytes = block.bytes!;
    this.memoryBytes -= bytes.length;
    block.bytes = undefined;
    if (bytes.length === this.#limits.blockBytes && this.#spare.length < spareMax) {
      this.#spare.push(bytes);
    }
  }
}

/** A segment in which nothing is but its header. */
export function newSegment(number: number, base: number, salt: number): HistorySegment {
  return {
    number,
    base,
    salt,
    bytes: segmentHeaderBytes,
    written: 0,
    live: 0,
    pins: 0,
    names: 0,
    removableAt: undefined,
  };
}
