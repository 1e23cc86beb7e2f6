const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lossy = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** Up to here a loop over ASCII is cheaper than a call of the decoder. */
const SHORT_BYTES = 32;

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

/** Whether the bytes are the UTF-8 of an ASCII text. */
export function equalsAscii(bytes: Uint8Array, text: string): boolean {
  if (bytes.length !== text.length) return false;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] !== text.charCodeAt(at)) return false;
  }
  return true;
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
