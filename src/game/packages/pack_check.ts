import type { GitIo } from "../../ports/git_io.ts";
import { packageLimits } from "./package_limits.ts";
import { PackageError } from "./package_error.ts";

/** Kinds of objects in a pack (gitformat-pack(5)). */
const OFS_DELTA = 6;
const REF_DELTA = 7;

const HEADER_BYTES = 12;
const HASH_BYTES = 20;

/**
 * Goes through a pack before git's library does, which inflates whatever it finds: each object and
 * each result of a delta must be within `packageLimits`. Throws PackageError.
 */
export function checkPack(io: Pick<GitIo, "inflateAt">, pack: Uint8Array): void {
  const view = new DataView(pack.buffer, pack.byteOffset, pack.byteLength);
  if (pack.length < HEADER_BYTES + HASH_BYTES || view.getUint32(0) !== 0x5041434b) {
    throw new PackageError("its repository sent something that is no pack of objects");
  }
  const count = view.getUint32(8);
  if (count > packageLimits.packObjectsMax) {
    throw tooBig(`${count} objects, allowed are ${packageLimits.packObjectsMax}`);
  }
  let at = HEADER_BYTES;
  let unpacked = 0;
  for (let i = 0; i < count; i++) {
    const header = readHeader(pack, at);
    const bytesMax = packageLimits.fileBytesMax;
    if (header.bytes > bytesMax) throw tooBig(`an object of ${header.bytes} bytes`);
    const inflated = io.inflateAt(pack, header.end, { outputBytesMax: header.bytes });
    if (inflated === undefined || inflated.output.length !== header.bytes) throw damaged();
    const bytes = header.isDelta ? resultBytes(inflated.output) : header.bytes;
    if (bytes > bytesMax) throw tooBig(`an object of ${bytes} bytes`);
    unpacked += bytes;
    if (unpacked > packageLimits.packUnpackedBytesMax) {
      throw tooBig(`objects of over ${packageLimits.packUnpackedBytesMax} bytes together`);
    }
    at = inflated.end;
  }
  if (at + HASH_BYTES !== pack.length) throw damaged();
}

/** Kind and size of the object at `at`, and where its zlib stream begins. */
function readHeader(
  pack: Uint8Array,
  at: number,
): { isDelta: boolean; bytes: number; end: number } {
  let byte = byteAt(pack, at++);
  const kind = (byte >> 4) & 7;
  let bytes = byte & 15;
  let unit = 16;
  while (byte & 128) {
    byte = byteAt(pack, at++);
    bytes += (byte & 127) * unit;
    unit *= 128;
    if (unit > Number.MAX_SAFE_INTEGER) throw damaged();
  }
  if (kind === OFS_DELTA) { while (byteAt(pack, at++) & 128); }
  else if (kind === REF_DELTA) at += HASH_BYTES;
  return { isDelta: kind === OFS_DELTA || kind === REF_DELTA, bytes, end: at };
}

/** How long what a delta makes is: its second number, after the length of what it starts from. */
function resultBytes(delta: Uint8Array): number {
  let at = 0;
  while (byteAt(delta, at++) & 128);
  let bytes = 0;
  for (let unit = 1;; unit *= 128) {
    const byte = byteAt(delta, at++);
    bytes += (byte & 127) * unit;
    if (unit > Number.MAX_SAFE_INTEGER) throw damaged();
    if ((byte & 128) === 0) return bytes;
  }
}

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw damaged();
  return byte;
}

function damaged(): PackageError {
  return new PackageError("what its repository sent is damaged");
}

function tooBig(found: string): PackageError {
  return new PackageError(`its repository is too big: it has ${found}`);
}
