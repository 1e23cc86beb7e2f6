import { decodeCbor, integerOf } from "./cbor.ts";
import { CborHead, major } from "./cbor_head.ts";
import { itemEnd } from "./cbor_scan.ts";
import { decodeUtf8 } from "./utf8.ts";

/**
 * The content of bytes that are exactly one text or byte string, without looking whether it is
 * UTF-8; undefined for anything else. Mostly a view, a copy when the string came in chunks.
 */
export function stringBytes(item: Uint8Array): Uint8Array | undefined {
  if (item.length === 0) return undefined;
  const head = new CborHead();
  let at = head.read(item, 0);
  if (head.status !== "whole") return undefined;
  if (head.major !== major.bytes && head.major !== major.text) return undefined;
  if (!head.indefinite) return at + head.argument === item.length ? item.subarray(at) : undefined;
  if (itemEnd(item, 0) !== item.length) return undefined;
  const chunks: number[] = [];
  for (at = head.read(item, at); !head.indefinite; at = head.read(item, at)) {
    const end = at + head.argument;
    for (; at < end; at++) chunks.push(item[at]!);
  }
  return Uint8Array.from(chunks);
}

/** The text of one text or byte string: clients write either. Undefined when it is not UTF-8. */
export function stringText(item: Uint8Array): string | undefined {
  const content = stringBytes(item);
  return content === undefined ? undefined : decodeUtf8(content);
}

/** A whole number, be it an integer or a float; saturated at ±(2^53 − 1). */
export function integerItem(item: Uint8Array): number | undefined {
  const first = item[0] ?? 0;
  if (item.length === 1 && first < 24) return first;
  const kind = first >> 5;
  if (kind !== major.unsigned && kind !== major.negative && kind !== major.simple) return undefined;
  const decoded = decodeCbor(item);
  return decoded.ok ? integerOf(decoded.value) : undefined;
}
