/**
 * CBOR for the headless client, written for it alone, so that a mistake of the server's own codec
 * cannot hide on both ends. Strings become text and byte arrays byte strings.
 */
export type CborItem =
  | number
  | bigint
  | string
  | boolean
  | null
  | Uint8Array
  | readonly CborItem[]
  | { readonly [key: string]: CborItem };

/** What was read: maps with text or byte keys are objects, `undefined` is every other simple value. */
export type CborRead =
  | number
  | bigint
  | string
  | boolean
  | null
  | undefined
  | Uint8Array
  | CborRead[]
  | { [key: string]: CborRead };

/** The shortest encoding. */
export function encode(item: CborItem): Uint8Array {
  const out: number[] = [];
  write(out, item);
  return Uint8Array.from(out);
}

/** Items one after another, from bytes that may be read in any order of calls. */
export class CborReader {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  /** The next item; throws RangeError when the bytes end within it. */
  read(): CborRead {
    const { major, info, argument } = this.head();
    switch (major) {
      case 0:
        return asNumber(argument);
      case 1:
        return asNumber(-1n - BigInt(argument));
      case 2:
        return this.take(Number(argument));
      case 3:
        return textDecoder.decode(this.take(Number(argument)));
      case 4:
        return Array.from({ length: Number(argument) }, () => this.read());
      case 5: {
        const map: { [key: string]: CborRead } = {};
        for (let left = Number(argument); left > 0; left--) {
          const key = this.read();
          map[key instanceof Uint8Array ? textDecoder.decode(key) : String(key)] = this.read();
        }
        return map;
      }
      case 6:
        return this.read();
    }
    if (info >= 25) return floatOf(info, argument);
    return { 20: false, 21: true, 22: null }[Number(argument)];
  }

  /** A head (RFC 8949 §3); `isLonger`: a shorter one would have done. */
  head(): { major: number; info: number; argument: number | bigint; isLonger: boolean } {
    const first = this.#byte();
    const major = first >> 5;
    const info = first & 31;
    if (info < 24) return { major, info, argument: info, isLonger: false };
    if (info > 27) throw new TypeError(`no length that this reader knows: 0x${first.toString(16)}`);
    const size = 1 << (info - 24);
    let argument: number | bigint = 0;
    if (size === 8) {
      const bytes = this.take(size);
      argument = new DataView(bytes.buffer, bytes.byteOffset, size).getBigUint64(0);
    } else {
      for (let left = size; left > 0; left--) argument = argument * 0x100 + this.#byte();
    }
    const least = { 1: 24, 2: 0x100, 4: 0x1_0000, 8: 0x1_0000_0000 }[size] as number;
    return { major, info, argument, isLonger: argument < least };
  }

  take(length: number): Uint8Array {
    const from = this.at;
    this.skip(length);
    return this.bytes.subarray(from, this.at);
  }

  skip(length: number): void {
    const end = this.at + length;
    if (end > this.bytes.length) throw new RangeError("the bytes end within an item");
    this.at = end;
  }

  #byte(): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) throw new RangeError("the bytes end within an item");
    this.at++;
    return byte;
  }
}

/** Where the item at `at` ends; undefined when it has not arrived in full. */
export function itemEnd(bytes: Uint8Array, at: number): number | undefined {
  const reader = new CborReader(bytes, at);
  try {
    for (let left = 1; left > 0; left--) {
      const { major, argument } = reader.head();
      if (major === 2 || major === 3) reader.skip(Number(argument));
      if (major === 4) left += Number(argument);
      if (major === 5) left += 2 * Number(argument);
      if (major === 6) left++;
    }
    return reader.at;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

const textDecoder = new TextDecoder();
const textEncoder = new TextEncoder();

function write(out: number[], item: CborItem): void {
  if (item === null || typeof item === "boolean") {
    out.push(item === null ? 0xf6 : item ? 0xf5 : 0xf4);
  } else if (typeof item === "number" && !Number.isInteger(item)) {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, item);
    out.push(0xfb, ...bytes);
  } else if (typeof item === "number" || typeof item === "bigint") {
    const whole = BigInt(item);
    writeHead(out, whole < 0n ? 1 : 0, whole < 0n ? -1n - whole : whole);
  } else if (typeof item === "string") {
    const bytes = textEncoder.encode(item);
    writeHead(out, 3, BigInt(bytes.length));
    for (const byte of bytes) out.push(byte);
  } else if (item instanceof Uint8Array) {
    writeHead(out, 2, BigInt(item.length));
    for (const byte of item) out.push(byte);
  } else if (Array.isArray(item)) {
    writeHead(out, 4, BigInt(item.length));
    for (const one of item as readonly CborItem[]) write(out, one);
  } else {
    const entries = Object.entries(item as { readonly [key: string]: CborItem });
    writeHead(out, 5, BigInt(entries.length));
    for (const [key, value] of entries) {
      write(out, key);
      write(out, value);
    }
  }
}

function writeHead(out: number[], major: number, argument: bigint): void {
  const size = argument < 24n
    ? 0
    : argument < 0x100n
    ? 1
    : argument < 0x1_0000n
    ? 2
    : argument < 0x1_0000_0000n
    ? 4
    : 8;
  out.push(major << 5 | (size === 0 ? Number(argument) : 24 + Math.log2(size)));
  for (let shift = size - 1; shift >= 0; shift--) {
    out.push(Number((argument >> BigInt(shift * 8)) & 0xffn));
  }
}

function asNumber(value: number | bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : BigInt(value);
}

function floatOf(info: number, bits: number | bigint): number {
  const view = new DataView(new ArrayBuffer(8));
  if (info === 27) {
    view.setBigUint64(0, BigInt(bits));
    return view.getFloat64(0);
  }
  if (info === 26) {
    view.setUint32(0, Number(bits));
    return view.getFloat32(0);
  }
  const half = Number(bits);
  const [sign, exponent, fraction] = [half & 0x8000 ? -1 : 1, (half >> 10) & 31, half & 1023];
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign *
    (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}
