import { CborReader } from "./cbor.ts";

/**
 * Diagnostic notation (RFC 8949 §8) as the recordings write it: `"text"`, `'bytes'` that are
 * printable, `h'..'` others. With `marks`, an item whose head is longer than it needs to be gets a
 * `_`, so that equal notations mean equal bytes.
 */
export function diagnose(bytes: Uint8Array, options: { readonly marks?: boolean } = {}): string {
  if (bytes.length === 0) return "(empty)";
  const reader = new CborReader(bytes);
  const items: string[] = [];
  try {
    while (reader.at < bytes.length) items.push(item(reader, options.marks === true));
  } catch {
    // Not CBOR, or cut short.
    return `!h'${hexOf(bytes)}'`;
  }
  return items.join(" ; ");
}

/** `raw "..."`: how the recordings write bare text. */
export function diagnoseText(bytes: Uint8Array): string {
  return `raw ${JSON.stringify(new TextDecoder().decode(bytes))}`;
}

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

function item(reader: CborReader, marks: boolean): string {
  const start = reader.at;
  const { major, info, argument, isLonger } = reader.head();
  const mark = marks && isLonger && major !== 7 ? "_" : "";
  switch (major) {
    case 0:
      return `${argument}${mark}`;
    case 1:
      return `${-1n - BigInt(argument)}${mark}`;
    case 2:
      return bytesText(reader.take(Number(argument))) + mark;
    case 3: {
      const content = reader.take(Number(argument));
      const text = new TextDecoder().decode(content);
      // Bytes that are not UTF-8 must not pass for the sign that stands in their place.
      return JSON.stringify(text) +
        (marks && text.includes("\ufffd") ? `!${hexOf(content)}` : mark);
    }
    case 4:
      return `[${many(Number(argument), () => item(reader, marks))}]${mark}`;
    case 5: {
      const entry = () => `${item(reader, marks)}: ${item(reader, marks)}`;
      return `{${many(Number(argument), entry)}}${mark}`;
    }
    case 6:
      return `${argument}${mark}(${item(reader, marks)})`;
  }
  if (info >= 25) {
    const value = new CborReader(reader.bytes, start).read();
    return Number.isInteger(value) ? `${value}.0_${info - 24}` : `${value}_${info - 24}`;
  }
  const word = { 20: "false", 21: "true", 22: "null" }[Number(argument)];
  return word ?? `simple(${argument})`;
}

function many(count: number, one: () => string): string {
  return Array.from({ length: count }, one).join(", ");
}

function bytesText(bytes: Uint8Array): string {
  if (bytes.length === 0) return "h''";
  const text = new TextDecoder().decode(bytes);
  const isPrintable = /^[^\p{C}\ufffd']+$/u.test(text.replaceAll("\n", ""));
  return isPrintable ? `'${text.replaceAll("\n", "\\n")}'` : `h'${hexOf(bytes)}'`;
}
