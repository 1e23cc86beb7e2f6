import type { BufferConfig } from "../../config/gateway_config.ts";
import type { Clock } from "../../ports/clock.ts";
import type { DeadLetter, DeadLetters } from "./dead_letters.ts";
import type { LogUpkeep } from "./log_upkeep.ts";
import type { LogWriter } from "./log_writer.ts";
import { MemoryTidying } from "./memory_tidying.ts";
import type { MessageMemory, RecordPlace } from "./message_memory.ts";
import { type MessageLog, type NewMessage, noSlot, type Slot } from "./message_log_types.ts";
import { priorityShift, rowOf } from "./message_table.ts";

/** What keeps the messages on disk. */
export interface LogDisk {
  readonly clock: Clock;
  readonly writer: LogWriter;
  readonly upkeep: LogUpkeep;
  readonly deadLetters: DeadLetters;
  messageIdIn(direction: "up" | "down", body: string): string;
}

const nowhere: RecordPlace = { segment: 0, base: 0, salt: 0 };

/** The messages in memory, with or without a writer that keeps them on disk too. */
export class WaitingMessages implements MessageLog {
  readonly #disk: LogDisk | undefined;
  readonly #tidying: MemoryTidying;
  readonly #memory: MessageMemory;
  readonly #writer: LogWriter | undefined;
  readonly #size: number;
  readonly #bytesMax: number;
  /** Of the last message. */
  #sequence: number;

  constructor(
    parts: {
      config: BufferConfig;
      clock: Clock;
      memory: MessageMemory;
      disk: LogDisk | undefined;
    },
  ) {
    this.#tidying = new MemoryTidying(parts.memory, parts.clock);
    this.#disk = parts.disk;
    this.#memory = parts.memory;
    this.#writer = parts.disk?.writer;
    this.#size = parts.config.size;
    this.#bytesMax = parts.config.maxBytes;
    this.#sequence = parts.disk?.writer.placer.appended ?? 0;
  }

  get depth(): number {
    return this.#memory.depth;
  }

  get bytes(): number {
    return this.#memory.bytes;
  }

  /** What the messages take in memory, with the room that is free in it. */
  get memoryBytes(): number {
    return this.#memory.blocks.bytes + this.#memory.table.bytes;
  }

  get oldest(): Slot {
    return this.#memory.table.oldest;
  }

  get trouble(): string | undefined {
    return this.#writer?.trouble;
  }

  get isDurable(): boolean {
    return this.#writer !== undefined;
  }

  get unwrittenBytes(): number {
    return this.#writer?.unwrittenBytes ?? 0;
  }

  get fsyncP99Ms(): number {
    return this.#writer?.syncTimes.p99Ms ?? 0;
  }

  append(message: NewMessage): Slot {
    const memory = this.#memory;
    // UTF-8 has at least as many bytes as the text has units.
    const isFull = memory.depth >= this.#size ||
      memory.bytes + message.body.length > this.#bytesMax;
    if (isFull) return noSlot;
    this.#tidying.look();
    const sequence = ++this.#sequence;
    const writer = this.#writer;
    if (writer === undefined) return memory.add(message, sequence, nowhere);
    writer.placer.prepare(message.client);
    const slot = memory.add(message, sequence, writer.placer.place);
    writer.added(slot, sequence);
    return slot;
  }

  release(slot: Slot): void {
    const writer = this.#writer;
    if (writer !== undefined && writer.placer.leaves(slot)) writer.done(this.sequence(slot));
    this.#memory.release(slot);
  }

  bury(slot: Slot, reason: string, done: () => void = () => {}): void {
    const disk = this.#disk;
    if (disk === undefined) {
      this.release(slot);
      return done();
    }
    const direction = this.isUp(slot) ? "up" : "down";
    const message = this.bodyText(slot);
    const letter = {
      time: new Date(disk.clock.now()).toISOString(),
      reason,
      direction,
      clientId: disk.writer.placer.client(this.clientIndex(slot)).id,
      messageId: disk.messageIdIn(direction, message),
      message,
    } as const;
    this.#memory.setAside(slot);
    // Until the letter is safe its record may not go, be it with its segment: a crash between the two
    // would lose it.
    disk.deadLetters.add(letter, () => {
      if (disk.writer.placer.leaves(slot)) disk.writer.done(this.sequence(slot));
      this.#memory.forget(slot);
      done();
    });
  }

  canBury(slot: Slot): boolean {
    return this.#disk?.deadLetters.hasRoom(this.bodyBytes(slot)) ?? true;
  }

  isWaiting(slot: Slot, sequence: number): boolean {
    return this.#memory.table.isLinked(slot, sequence);
  }

  deadLetters(count: number): Promise<readonly DeadLetter[]> {
    return this.#disk?.deadLetters.last(count) ?? Promise.resolve([]);
  }

  sequence(slot: Slot): number {
    return this.#memory.table.page(slot).sequence[rowOf(slot)]!;
  }

  clientIndex(slot: Slot): number {
    return this.#memory.clientIndex(slot);
  }

  isUp(slot: Slot): boolean {
    return this.#memory.isUp(slot);
  }

  isAckAsked(slot: Slot): boolean {
    return this.#memory.isAckAsked(slot);
  }

  hasMessageId(slot: Slot): boolean {
    return this.#memory.hasMessageId(slot);
  }

  idLow(slot: Slot): number {
    return this.#memory.idLow(slot);
  }

  idHigh(slot: Slot): number {
    return this.#memory.idHigh(slot);
  }

  bodyCrc(slot: Slot): number {
    return this.#memory.table.page(slot).bodyCrc[rowOf(slot)]!;
  }

  bodyBytes(slot: Slot): number {
    return this.#memory.table.page(slot).bodyBytes[rowOf(slot)]!;
  }

  priority(slot: Slot): number {
    return this.#memory.table.page(slot).flags[rowOf(slot)]! >> priorityShift;
  }

  stampMs(slot: Slot): number {
    return this.#memory.stampMs(slot);
  }

  stampNs(slot: Slot): number {
    return this.#memory.stampNs(slot);
  }

  copyBody(slot: Slot, into: Uint8Array, at: number): number {
    return this.#memory.copyBody(slot, into, at);
  }

  copyPart(slot: Slot, from: number, to: number, into: Uint8Array, at: number): number {
    return this.#memory.copyPart(slot, from, to, into, at);
  }

  indexOf(slot: Slot, byte: number, from: number): number {
    return this.#memory.indexOf(slot, byte, from);
  }

  bodyText(slot: Slot): string {
    return this.#memory.bodyText(slot);
  }

  newer(slot: Slot): Slot {
    return this.#memory.table.page(slot).newer[rowOf(slot)]!;
  }

  next(slot: Slot): Slot {
    return this.#memory.table.page(slot).next[rowOf(slot)]!;
  }

  setNext(slot: Slot, next: Slot): void {
    this.#memory.table.page(slot).next[rowOf(slot)] = next;
  }

  previous(slot: Slot): Slot {
    return this.#memory.table.page(slot).previous[rowOf(slot)]!;
  }

  setPrevious(slot: Slot, previous: Slot): void {
    this.#memory.table.page(slot).previous[rowOf(slot)] = previous;
  }

  tries(slot: Slot): number {
    return this.#memory.table.page(slot).tries[rowOf(slot)]!;
  }

  setTries(slot: Slot, tries: number): void {
    this.#memory.table.page(slot).tries[rowOf(slot)] = tries;
  }

  place(slot: Slot): number {
    return this.#memory.table.page(slot).place[rowOf(slot)]!;
  }

  setPlace(slot: Slot, place: number): void {
    this.#memory.table.page(slot).place[rowOf(slot)] = place;
  }

  async flush(): Promise<void> {
    await this.#disk?.deadLetters.flush();
    await this.#writer?.flush();
  }

  async close(): Promise<void> {
    this.#tidying.close();
    await this.#disk?.upkeep.close();
    await this.#disk?.deadLetters.close();
    await this.#writer?.close();
  }
}
