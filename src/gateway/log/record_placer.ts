import type { Clock } from "../../ports/clock.ts";
import type { Random } from "../../ports/random.ts";
import { type LogLimits, stepBytes, stepSlots } from "./log_limits.ts";
import type { MessageMemory, RecordPlace } from "./message_memory.ts";
import type { LogClient, Slot } from "./message_log_types.ts";
import { rowOf, slotFlag } from "./message_table.ts";
import { putVarint, recordKind, u32At } from "./record_format.ts";
import { newSegment, type Segment, SegmentList } from "./segment.ts";
import type { Range } from "./segment_file.ts";
import { segmentHeaderBytes } from "./segment_header.ts";

/** Clients of a segment that are named twice, so that one damaged record costs no other message.
 * Beyond that the second name would cost more than it saves. */
const namedTwiceMax = 4_096;

/** Decides which segment each record goes to, names clients there, and keeps account of what is
 * live in which segment. It touches no file. */
export class RecordPlacer {
  readonly segments = new SegmentList();
  /** For the next record; `prepare` makes it right. */
  readonly place: RecordPlace = { segment: 0, base: 0, salt: 0 };
  readonly #memory: MessageMemory;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limits: LogLimits;
  /** By the owner's number; of clients that have messages here, and of some that had. */
  readonly #clients: LogClient[] = [];
  #current: Segment | undefined;
  #isStopped = false;
  #nextNumber = 1;
  #ranges: Range[] = [];
  #lastRange: Range | undefined;
  /** Highest sequence number so far, and that up to which a `tail` in doubt is stored. */
  appended = 0;
  #trusted = 0;
  /** Records of older messages were put in since the last sync. */
  hasCopies = false;
  /** Of the stretches that wait. */
  waitingBytes = 0;

  constructor(
    parts: { memory: MessageMemory; clock: Clock; random: Random; limits: LogLimits },
  ) {
    this.#memory = parts.memory;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#limits = parts.limits;
  }

  /** Nothing waits to be written. */
  get isEmpty(): boolean {
    return this.#ranges.length === 0;
  }

  /** What was read back at start; the next segment gets the next number. */
  resume(
    start: {
      segments: readonly Segment[];
      nextNumber: number;
      sequence: number;
      clients: readonly LogClient[];
    },
  ): void {
    for (const client of start.clients) this.#clients[client.index] = client;
    for (const segment of start.segments) this.segments.add(segment);
    this.#nextNumber = start.nextNumber;
    this.appended = start.sequence;
  }

  /** The client with a number that a message carries. */
  client(index: number): LogClient {
    return this.#clients[index]!;
  }

  /** To be called before a record of that client is put into memory. */
  prepare(client: LogClient): void {
    this.#clients[client.index] = client;
    let segment = this.#current;
    if (segment === undefined || segment.bytes >= this.#limits.segmentBytes) {
      if (this.#isStopped) return;
      segment = this.#roll();
    }
    if (client.logSegment !== segment.number) {
      client.logSegment = segment.number;
      client.logName = ++segment.names << 1;
      this.#name(client);
    } else if ((client.logName & 1) === 0 && segment.names <= namedTwiceMax) {
      client.logName |= 1;
      this.#name(client);
    }
  }

  /** A new message was put into memory; false when it is not to be written for now. */
  added(slot: Slot, sequence: number): boolean {
    this.appended = sequence;
    if (this.#current === undefined) return false;
    this.#account(slot, this.#current);
    return true;
  }

  /** A message leaves; returns whether it may be on disk. */
  leaves(slot: Slot): boolean {
    const page = this.#memory.table.page(slot);
    const row = rowOf(slot);
    const number = page.segment[row]!;
    if (number === 0) return false;
    const segment = this.segments.at(number);
    if (segment !== undefined) {
      segment.live--;
      segment.liveBytes -= page.bodyBytes[row]!;
    }
    return true;
  }

  currentOrNew(): Segment {
    return this.#current ?? this.#roll();
  }

  /** A record that is no message's, for the current segment. */
  putRecord(kind: number, body: Uint8Array): void {
    const segment = this.currentOrNew();
    this.#memory.putRecord(kind, body, segment.salt);
    this.#extend(segment);
  }

  /** Puts messages into the current segment once more, from a slot on, until it is enough for one
   * step; returns the slot to go on with. */
  rewriteFrom(from: Slot, isMeant: (slot: Slot) => boolean): Slot {
    const { table } = this.#memory;
    const end = Math.min(table.end, from + stepSlots);
    let bytes = 0;
    let slot = from;
    for (; slot < end && bytes < stepBytes; slot++) {
      if (!this.#memory.isLive(slot) || !isMeant(slot)) continue;
      this.#rewrite(slot);
      bytes += table.page(slot).bodyBytes[rowOf(slot)]!;
    }
    return slot;
  }

  takeRanges(): readonly Range[] {
    const ranges = this.#ranges;
    this.#ranges = [];
    this.#lastRange = undefined;
    this.waitingBytes = 0;
    return ranges;
  }

  /** Nothing more is written to the current segment; new messages stay in memory. */
  stop(): void {
    this.#current = undefined;
    this.#isStopped = true;
    this.place.segment = 0;
  }

  /** New messages are written again, into a new segment. */
  start(): Segment {
    this.#isStopped = false;
    return this.currentOrNew();
  }

  /** A segment failed; none after it was begun. Messages after `durable` in it are not stored. */
  doubt(failed: Segment | undefined, all: boolean, durable: number): void {
    this.#trusted = durable;
    if (failed === undefined) return;
    for (const segment of this.segments.all()) {
      if (segment.number < failed.number) continue;
      const isWhole = all || segment !== failed || segment.doubt === "all";
      segment.doubt = isWhole ? "all" : "tail";
    }
  }

  /** Whether a message may not be on disk. */
  isInDoubt(slot: Slot): boolean {
    const page = this.#memory.table.page(slot);
    const row = rowOf(slot);
    const segment = this.segments.at(page.segment[row]!);
    if (segment === undefined || segment.doubt === "all") return true;
    return segment.doubt === "tail" && page.sequence[row]! > this.#trusted;
  }

  /** All is stored again. */
  trustAll(): void {
    for (const segment of this.segments.all()) segment.doubt = "none";
  }

  #rewrite(slot: Slot): void {
    const page = this.#memory.table.page(slot);
    const row = rowOf(slot);
    const client = this.#clients[page.clientIndex[row]!]!;
    this.prepare(client);
    const current = this.currentOrNew();
    this.leaves(slot);
    this.#memory.rewrite(slot, client.logName >>> 1, this.place);
    this.#account(slot, current);
    this.hasCopies = true;
  }

  #roll(): Segment {
    const salt = u32At(this.#random.bytes(4), 0);
    const segment = newSegment({ number: this.#nextNumber++, base: this.appended + 1, salt });
    segment.bytes = segmentHeaderBytes;
    this.segments.add(segment);
    this.#current = segment;
    this.place.segment = segment.number;
    this.place.base = segment.base;
    this.place.salt = salt;
    return segment;
  }

  #name(client: LogClient): void {
    const id = this.#memory.utf8(client.id);
    const body = new Uint8Array(8 + id.length);
    const at = putVarint(body, 0, client.logName >>> 1);
    body.set(id, at);
    this.putRecord(recordKind.client, body.subarray(0, at + id.length));
  }

  #account(slot: Slot, segment: Segment): void {
    const page = this.#memory.table.page(slot);
    const row = rowOf(slot);
    segment.live++;
    segment.liveBytes += page.bodyBytes[row]!;
    if ((page.flags[row]! & slotFlag.ackAsked) !== 0) {
      segment.acked++;
      segment.ackedAtMs = this.#clock.monotonic();
    }
    this.#extend(segment);
  }

  /** What was last put into memory is to be written. */
  #extend(segment: Segment): void {
    const { block, from, to } = this.#memory;
    const last = this.#lastRange;
    segment.bytes += to - from;
    this.waitingBytes += to - from;
    if (
      last !== undefined && last.block === block && last.to === from && last.segment === segment
    ) {
      last.to = to;
      return;
    }
    block.pins++;
    this.#lastRange = { segment, block, from, to };
    this.#ranges.push(this.#lastRange);
  }
}
