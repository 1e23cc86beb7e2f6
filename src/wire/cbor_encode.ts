import { major } from "./cbor_head.ts";
import { encodeUtf8 } from "./utf8.ts";

/**
 * What `encodeCbor` takes: strings become text, byte arrays byte strings, plain objects maps with
 * text keys, and a `Map` keeps keys of any of these kinds (integers, for one). Whole numbers become
 * integers, others floats.
 */
export type CborInput =
  | number
  | bigint
  | string
  | boolean
  | null
  | Uint8Array
  | readonly CborInput[]
  | ReadonlyMap<CborInput, CborInput>
  | { readonly [key: string]: CborInput };

/** The shortest encoding of a value. */
export function encodeCbor(value: CborInput): Uint8Array {
  return new CborWriter().value(value).take();
}

/** `f6`: what a packet without anything to say carries. */
export function cborNull(): Uint8Array {
  return Uint8Array.of(0xf6);
}

const STARTING_BYTES = 128;

/** Writes items one after another in their shortest form; whoever opens an array or a map of n then
 * writes n items, or n keys and values. */
export class CborWriter {
  #bytes = new Uint8Array(STARTING_BYTES);
  #length = 0;

  /** What was written; the writer is empty again. */
  take(): Uint8Array {
    const written = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return written;
  }

  /** From −2^64 up to 2^64 − 1, in whole numbers; throws RangeError for others. */
  integer(value: number | bigint): this {
    const negative = value < 0;
    if (typeof value === "number" && Number.isSafeInteger(value)) {
      return this.#head(negative ? major.negative : major.unsigned, negative ? -1 - value : value);
    }
    // BigInt() refuses what is not whole with a RangeError of its own.
    const wide = BigInt(value);
    const argument = negative ? -1n - wide : wide;
    if (argument >> 64n !== 0n) {
      throw new RangeError(`Cannot encode ${value} as an integer: more than 64 bits`);
    }
    if (argument <= BigInt(Number.MAX_SAFE_INTEGER)) {
      return this.#head(negative ? major.negative : major.unsigned, Number(argument));
    }
    const view = this.#reserve(9);
    view.setUint8(0, (negative ? major.negative : major.unsigned) << 5 | 27);
    view.setBigUint64(1, argument);
    return this;
  }

  text(value: string): this {
    return this.#string(major.text, value);
  }

  /** A text as a byte string of its UTF-8: how Lua writes its strings. */
  textAsBytes(value: string): this {
    return this.#string(major.bytes, value);
  }

  bytes(value: Uint8Array): this {
    return this.#head(major.bytes, value.length).raw(value);
  }

  array(count: number): this {
    return this.#head(major.array, count);
  }

  map(count: number): this {
    return this.#head(major.map, count);
  }

  boolean(value: boolean): this {
    return this.#byte(value ? 0xf5 : 0xf4);
  }

  null(): this {
    return this.#byte(0xf6);
  }

  /** The shortest of the three widths that keeps the value. */
  float(value: number): this {
    const half = halfOf(value);
    if (half !== undefined) {
      const view = this.#reserve(3);
      view.setUint8(0, 0xf9);
      view.setUint16(1, half);
    } else if (Math.fround(value) === value) {
      const view = this.#reserve(5);
      view.setUint8(0, 0xfa);
      view.setFloat32(1, value);
    } else {
      const view = this.#reserve(9);
      view.setUint8(0, 0xfb);
      view.setFloat64(1, value);
    }
    return this;
  }

  /** Bytes as they are: items that were encoded before. */
  raw(bytes: Uint8Array): this {
    this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  value(value: CborInput): this {
    switch (typeof value) {
      case "string":
        return this.text(value);
      case "boolean":
        return this.boolean(value);
      case "bigint":
        return this.integer(value);
      case "number":
        return Number.isSafeInteger(value) && !Object.is(value, -0)
          ? this.integer(value)
          : this.float(value);
    }
    if (value === null) return this.null();
    if (value instanceof Uint8Array) return this.bytes(value);
    if (isArray(value)) {
      this.array(value.length);
      for (const item of value) this.value(item);
      return this;
    }
    if (value instanceof Map) return this.#entries([...value.entries()]);
    return this.#entries(Object.entries(value as { readonly [key: string]: CborInput }));
  }

  #entries(entries: readonly (readonly [CborInput, CborInput])[]): this {
    this.map(entries.length);
    for (const [key, value] of entries) this.value(key).value(value);
    return this;
  }

  #string(kind: number, value: string): this {
    if (!isShortAscii(value)) {
      const content = encodeUtf8(value);
      return this.#head(kind, content.length).raw(content);
    }
    this.#head(kind, value.length);
    this.#grow(value.length);
    for (let at = 0; at < value.length; at++) this.#bytes[this.#length++] = value.charCodeAt(at);
    return this;
  }

  /** `argument` is a whole number up to 2^53 − 1. */
  #head(kind: number, argument: number): this {
    const first = kind << 5;
    if (argument < 24) return this.#byte(first | argument);
    if (argument < 0x100) {
      this.#byte(first | 24);
      return this.#byte(argument);
    }
    if (argument < 0x1_0000) {
      const view = this.#reserve(3);
      view.setUint8(0, first | 25);
      view.setUint16(1, argument);
    } else if (argument < 0x1_0000_0000) {
      const view = this.#reserve(5);
      view.setUint8(0, first | 26);
      view.setUint32(1, argument);
    } else {
      const view = this.#reserve(9);
      view.setUint8(0, first | 27);
      view.setBigUint64(1, BigInt(argument));
    }
    return this;
  }

  #byte(byte: number): this {
    this.#grow(1);
    this.#bytes[this.#length++] = byte;
    return this;
  }

  #reserve(count: number): DataView {
    this.#grow(count);
    const view = new DataView(this.#bytes.buffer, this.#length, count);
    this.#length += count;
    return view;
  }

  #grow(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/** Above this the platform's encoder is faster than a loop. */
const SHORT_TEXT = 64;

function isShortAscii(text: string): boolean {
  if (text.length > SHORT_TEXT) return false;
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) >= 0x80) return false;
  return true;
}

function isArray(value: unknown): value is readonly CborInput[] {
  return Array.isArray(value);
}

/** The 16 bits of a value that they can hold exactly (IEEE 754 binary16). */
function halfOf(value: number): number | undefined {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size === Infinity) return sign | 0x7c00;
  if (size === 0) return sign;
  if (size > 65_504) return undefined;
  if (size < 2 ** -14) {
    const mantissa = size * 2 ** 24;
    return Number.isInteger(mantissa) ? sign | mantissa : undefined;
  }
  const exponent = Math.floor(Math.log2(size));
  const mantissa = (size / 2 ** exponent - 1) * 1024;
  return Number.isInteger(mantissa) ? sign | (exponent + 15) << 10 | mantissa : undefined;
}
