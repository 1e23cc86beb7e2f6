/**
 * CRC-32 of ISO 3309 (polynomial 0xEDB88320, as in zip and Ethernet), as an unsigned number.
 * `before` is the CRC of what comes before these bytes: the result is that of both together.
 */
export function crc32(bytes: Uint8Array, before = 0): number {
  return crc32Between(bytes, 0, bytes.length, before);
}

/** The same for the bytes from `from` up to, not including, `to`. */
export function crc32Between(bytes: Uint8Array, from: number, to: number, before = 0): number {
  let crc = ~before;
  let at = from;
  // Eight bytes at a time through eight tables ("slicing by 8"): four times as fast as one by one.
  for (const end = to - 7; at < end; at += 8) {
    const low = crc ^
      (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    crc = tables[1792 + (low & 0xff)]! ^ tables[1536 + ((low >>> 8) & 0xff)]! ^
      tables[1280 + ((low >>> 16) & 0xff)]! ^ tables[1024 + (low >>> 24)]! ^
      tables[768 + bytes[at + 4]!]! ^ tables[512 + bytes[at + 5]!]! ^
      tables[256 + bytes[at + 6]!]! ^ tables[bytes[at + 7]!]!;
  }
  for (; at < to; at++) crc = tables[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

const tables = makeTables();

/** Table k, at 256·k: what a byte does to the CRC when k more bytes follow it. */
function makeTables(): Int32Array {
  const made = new Int32Array(8 * 256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    made[n] = c;
  }
  for (let at = 256; at < made.length; at++) {
    const before = made[at - 256]!;
    made[at] = made[before & 0xff]! ^ (before >>> 8);
  }
  return made;
}
