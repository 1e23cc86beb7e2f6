const alphabet = new TextEncoder().encode(
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
);
const padding = 0x3d;

/** Characters of base64 (RFC 4648 §4) for so many bytes. */
export function base64Length(bytes: number): number {
  return Math.ceil(bytes / 3) * 4;
}

/**
 * Writes bytes `from` … `to` as base64 with its padding; returns the position behind it. The
 * runtime's own encoder makes a text each time, which for large data is more garbage than data.
 */
export function writeBase64(
  bytes: Uint8Array,
  { from, to }: { from: number; to: number },
  into: Uint8Array,
  at: number,
): number {
  const end = to - (to - from) % 3;
  let index = from;
  for (; index < end; index += 3) {
    const group = (bytes[index]! << 16) | (bytes[index + 1]! << 8) | bytes[index + 2]!;
    into[at] = alphabet[group >> 18]!;
    into[at + 1] = alphabet[(group >> 12) & 63]!;
    into[at + 2] = alphabet[(group >> 6) & 63]!;
    into[at + 3] = alphabet[group & 63]!;
    at += 4;
  }
  if (index === to) return at;
  const isOne = to - index === 1;
  const group = (bytes[index]! << 16) | (isOne ? 0 : bytes[index + 1]! << 8);
  into[at] = alphabet[group >> 18]!;
  into[at + 1] = alphabet[(group >> 12) & 63]!;
  into[at + 2] = isOne ? padding : alphabet[(group >> 6) & 63]!;
  into[at + 3] = padding;
  return at + 4;
}
