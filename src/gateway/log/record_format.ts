import { crc32Between } from "../../base/crc32.ts";

/**
 * A record of a segment, little-endian: CRC-32 (4 bytes), kind and flags (1), the bytes that follow
 * (varint), then by kind
 *
 * - `client`: the client's number in this segment (varint); its id is the rest.
 * - `up`, `down`: sequence number less the segment's base (zigzag varint), the client's number
 *   (varint), stamp (6 bytes of milliseconds, 3 of nanoseconds); the body is the rest.
 * - `upWithId`, `downWithId`: the same with the hash of the message id (8 bytes) before the stamp, so
 *   that no body has to be looked into to know it.
 * - `done`: sequence numbers of messages that left (zigzag varints; the first less the base, each
 *   further one less the one before it). Behind the first, 0 and a count (varint) stand for so many
 *   numbers that go up by one.
 * - `ids`: only in files of ids: a time (6 bytes of milliseconds); then for each id the client's
 *   number (varint), id hash (8 bytes), CRC-32 of the body (4), stamp less that of the id before it
 *   or, for the first, less that time (zigzag varint of milliseconds), bytes of the body (varint).
 * - any other: nothing is known of it; it is passed over.
 *
 * The CRC goes over the body first, then the rest, so that the body's own is worked out once; the
 * segment's secret salt is mixed in between, so that no client can put a record into a body that
 * would be found there when the real one is damaged. Varints need not be of the shortest form.
 */
export const recordKind = {
  client: 1,
  up: 2,
  down: 3,
  done: 4,
  ids: 5,
  upWithId: 6,
  downWithId: 7,
} as const;

/** Flag beside the kind; the priority is in the four bits above it. */
export const ackAskedFlag = 0x08;
export const kindMask = 0x07;

/** Milliseconds in 6 bytes, nanoseconds in 3. */
export const stampBytes = 9;

/** Hash of a message id. */
export const idHashBytes = 8;

/** CRC, kind, and length, sequence and client at their longest, id hash, stamp. */
export const recordHeadBytesMax = 4 + 1 + 5 + 8 + 5 + idHashBytes + stampBytes;

/** The kind of a message's record. */
export function messageKind(isUp: boolean, hasId: boolean): number {
  if (hasId) return isUp ? recordKind.upWithId : recordKind.downWithId;
  return isUp ? recordKind.up : recordKind.down;
}

/** Bytes right before a message's body that are kept with it: stamp, and the id's hash. */
export function bytesBefore(kind: number): number {
  return (kind & kindMask) >= recordKind.upWithId ? idHashBytes + stampBytes : stampBytes;
}

/** The CRC that goes into a record whose body has `bodyCrc`. */
export function recordCrc(
  bytes: Uint8Array,
  record: { at: number; bodyAt: number; bodyCrc: number; salt: number },
): number {
  return crc32Between(bytes, record.at + 4, record.bodyAt, (record.bodyCrc ^ record.salt) >>> 0);
}

export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

export function u32At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>>
    0;
}

export function putU48(bytes: Uint8Array, at: number, value: number): void {
  putU32(bytes, at, value);
  const high = Math.floor(value / 2 ** 32);
  bytes[at + 4] = high;
  bytes[at + 5] = high >>> 8;
}

export function u48At(bytes: Uint8Array, at: number): number {
  return u32At(bytes, at) + (bytes[at + 4]! + bytes[at + 5]! * 256) * 2 ** 32;
}

export function putStamp(bytes: Uint8Array, at: number, ms: number, ns: number): void {
  putU48(bytes, at, ms);
  bytes[at + 6] = ns;
  bytes[at + 7] = ns >>> 8;
  bytes[at + 8] = ns >>> 16;
}

export function stampNsAt(bytes: Uint8Array, at: number): number {
  return bytes[at + 6]! | (bytes[at + 7]! << 8) | (bytes[at + 8]! << 16);
}

/** Writes a whole number from 0 up to 2^53; returns the position behind it. */
export function putVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  while (rest >= 2 ** 31) {
    bytes[at++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  while (rest >= 0x80) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

/** The same in exactly `width` bytes, in which it must fit. */
export function putWideVarint(bytes: Uint8Array, at: number, value: number, width: number): void {
  let rest = value;
  for (let left = width; left > 1; left--) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at] = rest;
}

/** Bytes of the length's varint when it may be up to `most`. */
export function varintWidth(most: number): number {
  return most < 0x80 ? 1 : most < 0x4000 ? 2 : most < 0x200000 ? 3 : most < 0x10000000 ? 4 : 5;
}

/** Signed numbers as unsigned: 0, −1, 1, −2 … become 0, 1, 2, 3 … */
export function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

export function unzigzag(value: number): number {
  return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
}

/** Reads numbers one after the other. */
export class RecordCursor {
  at = 0;
  end = 0;
  /** Something reached past `end`, or was no number of ours. */
  isBroken = false;

  start(at: number, end: number): void {
    this.at = at;
    this.end = end;
    this.isBroken = false;
  }

  varint(bytes: Uint8Array): number {
    // Nearly all are of up to three bytes: whole numbers of 32 bits, without the loop below.
    const at = this.at;
    if (at + 3 <= this.end) {
      const first = bytes[at]!;
      if (first < 0x80) {
        this.at = at + 1;
        return first;
      }
      const second = bytes[at + 1]!;
      if (second < 0x80) {
        this.at = at + 2;
        return (first & 0x7f) | (second << 7);
      }
      const third = bytes[at + 2]!;
      if (third < 0x80) {
        this.at = at + 3;
        return (first & 0x7f) | ((second & 0x7f) << 7) | (third << 14);
      }
    }
    return this.#longVarint(bytes);
  }

  #longVarint(bytes: Uint8Array): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 8; count++) {
      if (this.at >= this.end) break;
      const byte = bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value <= Number.MAX_SAFE_INTEGER) return value;
        break;
      }
      scale *= 128;
    }
    this.isBroken = true;
    return 0;
  }
}
