/** What the message log is to the rest of the gateway. `message_log.ts` implements it. */
import type { MessageBody } from "./message_body.ts";

/** Handle of a message in memory, from `append` (or recovery) to `release`; then it is used again. */
export type Slot = number;

/** In place of a slot where there is none. */
export const noSlot: Slot = -1;

/** A client as the log names it. Its owner keeps one object per client id that has messages here. */
export interface LogClient {
  readonly id: string;
  /** The owner's own small number for it. */
  readonly index: number;
  /** The log's: the segment that has named it last, and under which number. Both start at 0. */
  logSegment: number;
  logName: number;
}

export interface NewMessage {
  readonly client: LogClient;
  /** `up`: from the client to its upstream; `down`: waits for a client that is away. */
  readonly direction: "up" | "down";
  /** "" for none. Its hash alone is stored, beside the body that it stands in. */
  readonly messageId: string;
  /** Takes part in de-duplication: its id must stay known for `dedupWindowMs`. */
  readonly ackAsked: boolean;
  /** 0–9. */
  readonly priority: number;
  /** When the gateway took it: milliseconds since 1970, and nanoseconds (0–999,999) on top. */
  readonly stampMs: number;
  readonly stampNs: number;
  /** `up`: the members of the JSON object without its braces, and without those that the gateway
   * sets; `down`: the upstream's whole text. A body in bytes is the log's from then on. */
  readonly body: string | MessageBody;
}

/** An id that was acknowledged before the restart, its message delivered or not. */
export interface RecoveredId {
  readonly clientIndex: number;
  /** As `hashMessageId` makes them. */
  readonly low: number;
  readonly high: number;
  /** CRC-32 of the body, and its bytes: tells a repetition from another message. */
  readonly bodyCrc: number;
  readonly bodyBytes: number;
  readonly stampMs: number;
  /** undefined when it was delivered. */
  readonly slot: Slot | undefined;
}

/** 64 bits of a message id, as `hashMessageId` makes them. */
export interface MessageIdHash {
  readonly low: number;
  readonly high: number;
}

export interface MessageLogOwner {
  /** The client object for an id that was read back. */
  clientNamed(id: string): LogClient;
  /** The `messageId` in a stored body; "" when it has none. */
  messageIdIn(direction: "up" | "down", body: string): string;
  /** Everything appended up to and including this sequence number is as durable as `fsync` says. */
  committed(sequence: number): void;
  /** What was appended from … through … could not be written: it must not be acknowledged. The log
   * keeps it in memory and writes it when it can again. */
  notStored(from: number, through: number): void;
  /** `MessageLog.trouble` came or went. */
  troubleChanged(): void;
}

export interface MessageLog {
  /** Waiting messages, and the bytes of their bodies. */
  readonly depth: number;
  readonly bytes: number;
  /** Oldest message that is not released; noSlot when there is none. Follow with `newer`. */
  readonly oldest: Slot;
  /** Why nothing can be stored now, in a few words; undefined while all is well. */
  readonly trouble: string | undefined;
  /** Whether messages survive the end of the process at all. */
  readonly isDurable: boolean;
  /** Bytes that are kept until the disk has taken them, whatever became of their messages. */
  readonly unwrittenBytes: number;
  /** 99th percentile of the last syncs, in milliseconds. */
  readonly fsyncP99Ms: number;

  /** Takes a message in without waiting for anything; noSlot when `size` or `maxBytes` is reached. */
  append(message: NewMessage): Slot;
  /** Delivered, expired or dropped: forgets it. */
  release(slot: Slot): void;
  /** An expired or given-up message waits no longer: it is written to the dead letters, and kept in
   * the log until it is safe there. Then `done` is called; its client stays the owner's until then. */
  bury(slot: Slot, reason: string, done?: () => void): void;
  /** Whether it may be buried now: else the oldest of those that are on their way to the dead letters
   * would be lost. */
  canBury(slot: Slot): boolean;
  /** Whether the message with this sequence number still is in this slot, and waits. */
  isWaiting(slot: Slot, sequence: number): boolean;

  /** Counts up with every `append`, also over restarts. */
  sequence(slot: Slot): number;
  clientIndex(slot: Slot): number;
  isUp(slot: Slot): boolean;
  isAckAsked(slot: Slot): boolean;
  hasMessageId(slot: Slot): boolean;
  idLow(slot: Slot): number;
  idHigh(slot: Slot): number;
  bodyCrc(slot: Slot): number;
  bodyBytes(slot: Slot): number;
  priority(slot: Slot): number;
  stampMs(slot: Slot): number;
  stampNs(slot: Slot): number;
  /** Copies the UTF-8 of the body; returns the position behind it. */
  copyBody(slot: Slot, into: Uint8Array, at: number): number;
  /** Copies bytes `from` … `to` of it; returns the position behind them. */
  copyPart(slot: Slot, from: number, to: number, into: Uint8Array, at: number): number;
  /** Where a byte is in the body, from `from` on; -1: nowhere. */
  indexOf(slot: Slot, byte: number, from: number): number;
  bodyText(slot: Slot): string;
  newer(slot: Slot): Slot;

  /** Fields that belong to the owner: where the message stands in one of its queues (a doubly
   * linked list; noSlot at the ends, and after `append`), and two small numbers (0 after `append`). */
  next(slot: Slot): Slot;
  setNext(slot: Slot, next: Slot): void;
  previous(slot: Slot): Slot;
  setPrevious(slot: Slot, previous: Slot): void;
  /** 0–255. */
  tries(slot: Slot): number;
  setTries(slot: Slot, tries: number): void;
  /** 0–65,535. */
  place(slot: Slot): number;
  setPlace(slot: Slot, place: number): void;

  /** Resolves when all that was appended before is stored, or could not be. */
  flush(): Promise<void>;
  /** `flush`, then closes the files. */
  close(): Promise<void>;
}
