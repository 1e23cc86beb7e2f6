import { hashMessageId } from "../dedup_window.ts";
import type { MemoryBlock } from "./memory_blocks.ts";
import type { NewMessage } from "./message_log_types.ts";
import {
  bytesBefore,
  idHashBytes,
  putStamp,
  putU32,
  putVarint,
  putWideVarint,
  recordCrc,
  stampBytes,
  zigzag,
} from "./record_format.ts";

/** A record that is in a memory block but for its length and CRC. */
export interface WrittenRecord {
  /** Where it begins, where its body does, and where it ends. */
  readonly at: number;
  readonly bodyAt: number;
  readonly end: number;
  /** Bytes that are kept for its length. */
  readonly width: number;
  readonly bodyCrc: number;
  readonly salt: number;
}

/** Puts the head of a message's record where the block is used up to, all but CRC and length; returns
 * where the body goes, with room for what stands right before it. */
export function putHead(
  block: MemoryBlock,
  head: { kind: number; width: number; delta: number; name: number },
): number {
  const { bytes } = block;
  const at = block.used;
  bytes[at + 4] = head.kind;
  const nameAt = putVarint(bytes, at + 5 + head.width, zigzag(head.delta));
  return putVarint(bytes, nameAt, head.name) + bytesBefore(head.kind);
}

/** Puts what stands before a message's body: its stamp, and the hash of its id. */
export function putBefore(bytes: Uint8Array, bodyAt: number, message: NewMessage): void {
  const stampAt = bodyAt - stampBytes;
  putStamp(bytes, stampAt, message.stampMs, message.stampNs);
  if (message.messageId === "") return;
  const { low, high } = hashMessageId(message.messageId);
  putU32(bytes, stampAt - idHashBytes, low);
  putU32(bytes, stampAt - idHashBytes + 4, high);
}

/** Puts length and CRC; the block is used up to the record's end then. */
export function finishRecord(block: MemoryBlock, record: WrittenRecord): void {
  const { at, width, end } = record;
  putWideVarint(block.bytes, at + 5, end - (at + 5 + width), width);
  putU32(block.bytes, at, recordCrc(block.bytes, record));
  block.used = end;
}

/** Below this, bytes are copied sooner than a view of them is made. */
const shortBytes = 256;

/** Copies bytes `start` … `end` to where the block is used up to, in which there is room. */
export function copyBytes(block: MemoryBlock, from: Uint8Array, start: number, end: number): void {
  const into = block.bytes;
  let used = block.used;
  if (end - start > shortBytes) into.set(from.subarray(start, end), used);
  else for (let at = start; at < end; at++) into[used++] = from[at]!;
  block.used += end - start;
}
