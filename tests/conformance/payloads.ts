/** Contents of messages; the same each time. */

/** Printable ASCII, `bytes` long. */
export function asciiText(bytes: number): Uint8Array {
  const text = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at++) text[at] = 0x30 + (at * 7 + (at >> 6)) % 75;
  return withoutEscapes(text);
}

/** Every byte value. The first one is 0xfe, so that it is nobody's marker of a chunk. */
export function binaryBytes(bytes: number): Uint8Array {
  const binary = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at++) binary[at] = 0xfe + at * 31 + (at >> 8);
  return binary;
}

/** Text of one, two, three and four bytes a character, cut to at most `bytes`, and filled up with
 * ASCII to exactly that. */
export function mixedText(bytes: number): Uint8Array {
  const unit = new TextEncoder().encode("Fähre 夜渡 \u{1f0a1} κόσμε; ");
  const text = new Uint8Array(bytes).fill(0x2e);
  for (let at = 0; at + unit.length <= bytes; at += unit.length) text.set(unit, at);
  return text;
}

/** JSON as servers send it: long keys, small numbers. */
export function jsonText(bytes: number): Uint8Array {
  const parts: string[] = [];
  for (let length = 0, i = 0; length < bytes; i++) {
    const part = `{'seat':${i % 8},'player':'p${i * 37 % 1000}','hand':[${i % 52},${i * 5 % 52}]},`;
    parts.push(part);
    length += part.length;
  }
  return new TextEncoder().encode(parts.join("")).subarray(0, bytes);
}

/** Bytes that hardly compress (a linear congruential generator). */
export function noisyBytes(bytes: number): Uint8Array {
  const noise = new Uint8Array(bytes);
  let state = 0x2545f491;
  for (let at = 0; at < bytes; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    noise[at] = state >>> 24;
  }
  if (bytes > 0) noise[0] = 0xfe;
  return noise;
}

/** One byte again and again: compresses as well as anything can. */
export function repeatedBytes(bytes: number): Uint8Array {
  return new Uint8Array(bytes).fill(0x61);
}

/** Quotes and backslashes would grow inside JSON. */
function withoutEscapes(text: Uint8Array): Uint8Array {
  for (let at = 0; at < text.length; at++) if (text[at] === 0x5c) text[at] = 0x2d;
  return text;
}
