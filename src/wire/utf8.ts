const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lossy = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** Up to here a loop over ASCII is cheaper than a call of the decoder. */
const SHORT_BYTES = 32;

/** Of a text that is looked at in pieces: they fit the cache of a processor. */
const PIECE_UNITS = 16_384;
const BYTES_A_UNIT = 3;

/** The text of UTF-8 bytes; undefined when they are none (RFC 3629). */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  const short = decodeShortAscii(bytes);
  if (short !== undefined) return short;
  try {
    return strict.decode(bytes);
  } catch {
    // The decoder has no other way to say so; the caller gets a value.
    return undefined;
  }
}

/** The text of bytes that ought to be UTF-8, with U+FFFD for what is not. */
export function decodeUtf8Lossy(bytes: Uint8Array): string {
  return decodeShortAscii(bytes) ?? lossy.decode(bytes);
}

/** UTF-8 of a text; a lone surrogate becomes U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** How long `encodeUtf8` makes a text, without making it. */
export function utf8Length(text: string): number {
  const scratch = new Uint8Array(Math.min(text.length, PIECE_UNITS) * BYTES_A_UNIT);
  let bytes = 0;
  for (let from = 0; from < text.length;) {
    const to = pieceEnd(text, from);
    bytes += encoder.encodeInto(text.slice(from, to), scratch).written;
    from = to;
  }
  return bytes;
}

/** Whether the bytes are the UTF-8 of an ASCII text. */
export function equalsAscii(bytes: Uint8Array, text: string): boolean {
  if (bytes.length !== text.length) return false;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] !== text.charCodeAt(at)) return false;
  }
  return true;
}

/** Where the piece that begins at `from` ends: not within a pair of surrogates. */
function pieceEnd(text: string, from: number): number {
  const to = Math.min(text.length, from + PIECE_UNITS);
  const isPair = to < text.length && (text.charCodeAt(to - 1) & 0xfc00) === 0xd800;
  return isPair ? to - 1 : to;
}

function decodeShortAscii(bytes: Uint8Array): string | undefined {
  if (bytes.length > SHORT_BYTES) return undefined;
  let text = "";
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x80) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}
