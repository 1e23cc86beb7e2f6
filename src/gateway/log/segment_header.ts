import { crc32Between } from "../../base/crc32.ts";
import { putU32, putU48, u32At, u48At } from "./record_format.ts";

/** What stands at the start of a file of the log. */
export interface SegmentHeader {
  readonly kind: "segment" | "ids";
  readonly number: number;
  /** Sequence numbers in it are relative to this. */
  readonly base: number;
  readonly salt: number;
}

const copyBytes = 32;
const copies = 2;
export const segmentHeaderBytes = copies * copyBytes;

const formatVersion = 2;
const magic = [0x66, 0x6b, 0x67, 0x77, 0x6c, 0x6f, 0x67] as const;
const kindLetters = { segment: 0x73, ids: 0x69 } as const;

/**
 * `fkgwlog`, a letter for the kind, version, 3 bytes of 0, file number (4), base (6), 2 bytes of 0,
 * salt (4), CRC-32 of all that (4); and the same again, because without the base nothing in the file
 * could be read.
 */
export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(segmentHeaderBytes);
  bytes.set(magic);
  bytes[7] = kindLetters[header.kind];
  bytes[8] = formatVersion;
  putU32(bytes, 12, header.number);
  putU48(bytes, 16, header.base);
  putU32(bytes, 24, header.salt);
  putU32(bytes, 28, crc32Between(bytes, 0, 28));
  bytes.copyWithin(copyBytes, 0, copyBytes);
  return bytes;
}

/** `empty`: a file that a power loss left before anything was in it. */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader | "empty" | "foreign" {
  for (let at = 0; at + copyBytes <= bytes.length && at < segmentHeaderBytes; at += copyBytes) {
    const header = decodeCopy(bytes, at);
    if (header !== undefined) return header;
  }
  const head = bytes.subarray(0, segmentHeaderBytes);
  if (head.every((byte) => byte === 0)) return "empty";
  const isOurs = magic.every((byte, at) => at >= bytes.length || bytes[at] === byte);
  return isOurs && bytes.length < segmentHeaderBytes ? "empty" : "foreign";
}

function decodeCopy(bytes: Uint8Array, at: number): SegmentHeader | undefined {
  if (u32At(bytes, at + 28) !== crc32Between(bytes, at, at + 28)) return undefined;
  if (magic.some((byte, index) => bytes[at + index] !== byte)) return undefined;
  if (bytes[at + 8] !== formatVersion) return undefined;
  const kind = bytes[at + 7] === kindLetters.ids ? "ids" : "segment";
  return {
    kind,
    number: u32At(bytes, at + 12),
    base: u48At(bytes, at + 16),
    salt: u32At(bytes, at + 24),
  };
}
