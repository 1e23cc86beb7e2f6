import { crc32Between } from "../../base/crc32.ts";
import {
  kindMask,
  putU32,
  putVarint,
  putWideVarint,
  recordCrc,
  RecordCursor,
  recordHeadBytesMax,
  recordKind,
  stampBytes,
  stampNsAt,
  u32At,
  u48At,
  unzigzag,
  varintWidth,
} from "../log/record_format.ts";

/**
 * The history's records are those of the message log (`record_format.ts`), with this in their
 * bodies: in `up` and `down` a hash of the message id (8 bytes), then the text; in `done` a client's
 * number and a sequence number (varints): up to that, nothing of the client is kept any more.
 */
export const idHashBytes = 8;

/** Of a record that names a client with the longest id. */
export const nameRecordBytesMax = recordHeadBytesMax + 256;

/** A message as it stands in a record. */
export interface ReadRecord {
  readonly isUp: boolean;
  readonly sequence: number;
  readonly stampMs: number;
  readonly stampNs: number;
  readonly idLow: number;
  readonly idHigh: number;
  /** The text, which goes up to the end. */
  readonly textAt: number;
}

/** Puts a record that is no message's; returns the position behind it. */
export function putPlainRecord(
  bytes: Uint8Array,
  at: number,
  record: { kind: number; body: Uint8Array; salt: number },
): number {
  const { kind, body, salt } = record;
  const width = varintWidth(body.length);
  bytes[at + 4] = kind;
  putWideVarint(bytes, at + 5, body.length, width);
  const bodyAt = at + 5 + width;
  bytes.set(body, bodyAt);
  const end = bodyAt + body.length;
  const bodyCrc = crc32Between(bytes, bodyAt, end);
  putU32(bytes, at, recordCrc(bytes, { at, bodyAt, bodyCrc, salt }));
  return end;
}

/** The body of a record that names a client. */
export function nameBody(name: number, id: Uint8Array): Uint8Array {
  const body = new Uint8Array(id.length + 5);
  const at = putVarint(body, 0, name);
  body.set(id, at);
  return body.subarray(0, at + id.length);
}

/** The body of a record that ends a client's history up to a sequence number. */
export function forgottenBody(name: number, through: number): Uint8Array {
  const body = new Uint8Array(16);
  return body.subarray(0, putVarint(body, putVarint(body, 0, name), through));
}

/** Reads a message's record; undefined when it is not whole, or not checked out by its CRC. */
export function readRecord(
  bytes: Uint8Array,
  record: { at: number; end: number; salt: number; base: number; isChecked: boolean },
): ReadRecord | undefined {
  const { at, end, salt, base, isChecked } = record;
  if (end > bytes.length || end - at < 6) return undefined;
  const cursor = new RecordCursor();
  cursor.start(at + 5, end);
  const length = cursor.varint(bytes);
  if (cursor.isBroken || cursor.at + length !== end) return undefined;
  const delta = unzigzag(cursor.varint(bytes));
  cursor.varint(bytes);
  const stampAt = cursor.at;
  const bodyAt = stampAt + stampBytes;
  if (cursor.isBroken || bodyAt + idHashBytes > end) return undefined;
  if (!isChecked) {
    const bodyCrc = crc32Between(bytes, bodyAt, end);
    if (recordCrc(bytes, { at, bodyAt, bodyCrc, salt }) !== u32At(bytes, at)) return undefined;
  }
  return {
    isUp: (bytes[at + 4]! & kindMask) === recordKind.up,
    sequence: base + delta,
    stampMs: u48At(bytes, stampAt),
    stampNs: stampNsAt(bytes, stampAt),
    idLow: u32At(bytes, bodyAt),
    idHigh: u32At(bytes, bodyAt + 4),
    textAt: bodyAt + idHashBytes,
  };
}
