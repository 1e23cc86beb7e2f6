import { breakByte, type CborFault, CborHead, cborNestingMax, major } from "./cbor_head.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

export { type CborFault, cborNestingMax } from "./cbor_head.ts";

/**
 * A decoded CBOR item. Integers and floats are numbers, integers beyond ±(2^53 − 1) bigints; text is
 * a string and a byte string is a view into the input, so neither is mistaken for the other.
 */
export type CborValue =
  | number
  | bigint
  | string
  | boolean
  | null
  | Uint8Array
  | readonly CborValue[]
  | CborMap
  | CborTag
  | CborSimple;

/** A map in the order of its bytes; keys may repeat. */
export class CborMap {
  readonly entries: readonly (readonly [key: CborValue, value: CborValue])[];

  constructor(entries: readonly (readonly [CborValue, CborValue])[]) {
    this.entries = entries;
  }

  /** The value of a key: a text matches text and byte strings alike. Of equal keys the last counts. */
  get(key: string | number): CborValue | undefined {
    for (let at = this.entries.length - 1; at >= 0; at--) {
      const [found, value] = this.entries[at]!;
      if (found === key) return value;
      if (typeof key === "string" && found instanceof Uint8Array && decodeUtf8(found) === key) {
        return value;
      }
    }
    return undefined;
  }
}

/** A tagged item (RFC 8949 §3.4); the tag is not interpreted. */
export class CborTag {
  readonly tag: number | bigint;
  readonly value: CborValue;

  constructor(tag: number | bigint, value: CborValue) {
    this.tag = tag;
    this.value = value;
  }
}

/** A simple value other than false, true and null; 23 is `undefined`. */
export class CborSimple {
  readonly code: number;

  constructor(code: number) {
    this.code = code;
  }
}

export interface CborLimits {
  /** Levels of arrays, maps and tags; 32 when absent. */
  readonly nestingMax?: number;
  /** Items in all; 262,144 when absent, so that a megabyte of empty arrays stays small. */
  readonly itemsMax?: number;
}

const ITEMS_MAX = 262_144;

export type CborResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly fault: CborFault };

/** Decodes bytes that hold exactly one item. */
export function decodeCbor(bytes: Uint8Array, limits: CborLimits = {}): CborResult<CborValue> {
  const found = decodeCborAt(bytes, 0, limits);
  if (!found.ok) return found;
  if (found.value.end !== bytes.length) return { ok: false, fault: "trailing_bytes" };
  return { ok: true, value: found.value.item };
}

/** Decodes the item at `from` and tells where it ends; its raw bytes are `subarray(from, end)`. */
export function decodeCborAt(
  bytes: Uint8Array,
  from: number,
  limits: CborLimits = {},
): CborResult<{ readonly item: CborValue; readonly end: number }> {
  const decoder = new Decoder(bytes, from, limits);
  const item = decoder.item(limits.nestingMax ?? cborNestingMax);
  if (item === failed) return { ok: false, fault: decoder.fault };
  return { ok: true, value: { item, end: decoder.at } };
}

/**
 * The text of a text or byte string; undefined for other kinds and for bytes that are not UTF-8.
 * Clients write strings in either form.
 */
export function textOf(value: CborValue | undefined): string | undefined {
  if (typeof value === "string") return value;
  return value instanceof Uint8Array ? decodeUtf8(value) : undefined;
}

/** The content of a text or byte string as bytes; undefined for other kinds. */
export function bytesOf(value: CborValue | undefined): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  return typeof value === "string" ? encodeUtf8(value) : undefined;
}

/**
 * A whole number, also when it was written as a float; one beyond ±(2^53 − 1) becomes that bound,
 * which no limit lets pass. Undefined for other kinds.
 */
export function integerOf(value: CborValue | undefined): number | undefined {
  if (typeof value === "bigint") {
    return value > 0n ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER;
  }
  if (typeof value !== "number" || !Number.isInteger(value)) return undefined;
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value)) + 0;
}

/** Stands for "no value": `fault` says why. */
const failed = Symbol("failed");

class Decoder {
  at: number;
  fault: CborFault = "ill_formed";
  readonly #bytes: Uint8Array;
  readonly #head = new CborHead();
  #itemsLeft: number;

  constructor(bytes: Uint8Array, from: number, limits: CborLimits) {
    this.#bytes = bytes;
    this.at = from;
    this.#itemsLeft = limits.itemsMax ?? ITEMS_MAX;
  }

  item(depth: number): CborValue | typeof failed {
    const fault = this.#readHead();
    if (fault !== undefined) return this.#fail(fault);
    const head = this.#head;
    switch (head.major) {
      case major.unsigned:
        return integer(head);
      case major.negative:
        return negative(head);
      case major.bytes:
        return head.indefinite ? this.#chunks(major.bytes) : this.#string(head.argument);
      case major.text:
        return this.#text(head.indefinite ? this.#chunks(major.text) : this.#string(head.argument));
      case major.simple:
        return this.#simple();
    }
    if (depth <= 0) return this.#fail("nested_too_deep");
    const count = head.indefinite ? undefined : head.argument;
    if (head.major === major.array) return this.#array(count, depth - 1);
    if (head.major === major.map) return this.#map(count, depth - 1);
    const tag = integer(head);
    const value = this.item(depth - 1);
    return value === failed ? failed : new CborTag(tag, value);
  }

  #readHead(): CborFault | undefined {
    if (this.at >= this.#bytes.length) return "cut_short";
    this.at = this.#head.read(this.#bytes, this.at);
    if (this.#head.status === "begun") return "cut_short";
    if (this.#head.status === "ill_formed") return "ill_formed";
    return this.#itemsLeft-- > 0 ? undefined : "too_many_items";
  }

  #fail(fault: CborFault): typeof failed {
    this.fault = fault;
    return failed;
  }

  #string(length: number): Uint8Array | typeof failed {
    const end = this.at + length;
    if (end > this.#bytes.length) return this.#fail("cut_short");
    const content = this.#bytes.subarray(this.at, end);
    this.at = end;
    return content;
  }

  /** The chunks of a string of indefinite length, joined (RFC 8949 §3.2.3). */
  #chunks(kind: number): Uint8Array | typeof failed {
    const chunks: Uint8Array[] = [];
    let length = 0;
    while (!this.#takeBreak()) {
      const fault = this.#readHead();
      if (fault !== undefined) return this.#fail(fault);
      if (this.#head.major !== kind || this.#head.indefinite) return this.#fail("ill_formed");
      const chunk = this.#string(this.#head.argument);
      if (chunk === failed) return failed;
      chunks.push(chunk);
      length += chunk.length;
    }
    const joined = new Uint8Array(length);
    let to = 0;
    for (const chunk of chunks) {
      joined.set(chunk, to);
      to += chunk.length;
    }
    return joined;
  }

  #text(content: Uint8Array | typeof failed): string | typeof failed {
    if (content === failed) return failed;
    return decodeUtf8(content) ?? this.#fail("bad_utf8");
  }

  #array(count: number | undefined, depth: number): CborValue | typeof failed {
    if (count !== undefined && count > this.#bytes.length - this.at) return this.#fail("cut_short");
    const items: CborValue[] = [];
    while (count === undefined ? !this.#takeBreak() : items.length < count) {
      const item = this.item(depth);
      if (item === failed) return failed;
      items.push(item);
    }
    return items;
  }

  #map(count: number | undefined, depth: number): CborValue | typeof failed {
    if (count !== undefined && count * 2 > this.#bytes.length - this.at) {
      return this.#fail("cut_short");
    }
    const entries: [CborValue, CborValue][] = [];
    while (count === undefined ? !this.#takeBreak() : entries.length < count) {
      const key = this.item(depth);
      if (key === failed) return failed;
      const value = this.item(depth);
      if (value === failed) return failed;
      entries.push([key, value]);
    }
    return new CborMap(entries);
  }

  #takeBreak(): boolean {
    if (this.#bytes[this.at] !== breakByte) return false;
    this.at++;
    return true;
  }

  #simple(): CborValue | typeof failed {
    const { info, low } = this.#head;
    if (info > 24) {
      if (info === 31) return this.#fail("ill_formed");
      return float(this.#bytes, this.at, info);
    }
    if (low === 20) return false;
    if (low === 21) return true;
    if (low === 22) return null;
    return new CborSimple(low);
  }
}

function integer(head: CborHead): number | bigint {
  if (head.argument <= Number.MAX_SAFE_INTEGER) return head.argument;
  return (BigInt(head.high) << 32n) | BigInt(head.low);
}

function negative(head: CborHead): number | bigint {
  if (head.argument < Number.MAX_SAFE_INTEGER) return -1 - head.argument;
  return -1n - ((BigInt(head.high) << 32n) | BigInt(head.low));
}

/** The float whose bytes end at `end`; `info` tells its width (25: 16 bits, 26: 32, 27: 64). */
function float(bytes: Uint8Array, end: number, info: number): number {
  const size = 1 << (info - 24);
  const view = new DataView(bytes.buffer, bytes.byteOffset + end - size, size);
  if (size === 8) return view.getFloat64(0);
  if (size === 4) return view.getFloat32(0);
  const half = view.getUint16(0);
  const exponent = (half >> 10) & 31;
  const mantissa = half & 1023;
  const sign = half & 0x8000 ? -1 : 1;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}
