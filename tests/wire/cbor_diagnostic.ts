import { CborMap, CborSimple, CborTag, type CborValue } from "../../src/wire/cbor.ts";

/** Diagnostic notation (RFC 8949 §8) as the recordings write it; floats of 64 bits only. */
export function showCbor(value: CborValue): string {
  if (value === null || typeof value === "boolean" || typeof value === "bigint") return `${value}`;
  if (typeof value === "number") return Number.isInteger(value) ? `${value}` : `${value}_3`;
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof Uint8Array) return showBytes(value);
  if (value instanceof CborTag) return `${value.tag}(${showCbor(value.value)})`;
  if (value instanceof CborSimple) return `simple(${value.code})`;
  if (value instanceof CborMap) {
    const entries = value.entries.map(([key, item]) => `${showCbor(key)}: ${showCbor(item)}`);
    return `{${entries.join(", ")}}`;
  }
  return `[${value.map(showCbor).join(", ")}]`;
}

function showBytes(bytes: Uint8Array): string {
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  if (bytes.length === 0) return "h''";
  const text = new TextDecoder().decode(bytes);
  return /^[^\p{C}\ufffd']+$/u.test(text.replaceAll("\n", ""))
    ? `'${text.replaceAll("\n", "\\n")}'`
    : `h'${hex}'`;
}
