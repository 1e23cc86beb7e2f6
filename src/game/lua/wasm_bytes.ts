/** A cursor over the binary form of WebAssembly. */
export interface ByteReader {
  readonly at: number;
  readonly done: boolean;
  u8(): number;
  u32le(): number;
  /** LEB128 without sign, up to 32 bits. */
  leb(): number;
  /** Passes over a LEB128 of any width and sign. */
  skipLeb(): void;
  skip(count: number): void;
  take(count: number): Uint8Array;
  rest(): Uint8Array;
  /** A count and so many items. */
  vector<T>(item: () => T): T[];
}

/** Reads `bytes` from the start. Throws RangeError past the end. */
export function readerOf(bytes: Uint8Array): ByteReader {
  let at = 0;
  const reader: ByteReader = {
    get at() {
      return at;
    },
    get done() {
      return at >= bytes.length;
    },
    u8() {
      const byte = bytes[at++];
      if (byte === undefined) throw new RangeError("WebAssembly ends too early");
      return byte;
    },
    u32le() {
      return (reader.u8() | reader.u8() << 8 | reader.u8() << 16 | reader.u8() << 24) >>> 0;
    },
    leb() {
      let value = 0;
      let shift = 0;
      let byte = 0;
      do {
        byte = reader.u8();
        value |= (byte & 0x7f) << shift;
        shift += 7;
      } while (byte & 0x80);
      return value >>> 0;
    },
    skipLeb() {
      while (reader.u8() & 0x80);
    },
    skip(count) {
      at += count;
      if (at > bytes.length) throw new RangeError("WebAssembly ends too early");
    },
    take(count) {
      const from = at;
      reader.skip(count);
      return bytes.subarray(from, at);
    },
    rest() {
      return reader.take(bytes.length - at);
    },
    vector(item) {
      const count = reader.leb();
      const items = [];
      for (let i = 0; i < count; i++) items.push(item());
      return items;
    },
  };
  return reader;
}

/** Collects bytes; grows as needed. */
export class ByteWriter {
  #bytes: Uint8Array;
  #length = 0;

  constructor(expected: number) {
    this.#bytes = new Uint8Array(expected);
  }

  get length(): number {
    return this.#length;
  }

  u8(byte: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = byte;
  }

  bytes(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  leb(value: number): void {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.u8(rest & 0x7f | 0x80);
      rest >>>= 7;
    }
    this.u8(rest);
  }

  /** For values of at least 0: like `leb`, with a clear sign bit. */
  signedLeb(value: number): void {
    let rest = value;
    while (rest >= 0x40) {
      this.u8(rest & 0x7f | 0x80);
      rest >>>= 7;
    }
    this.u8(rest);
  }

  name(name: string): void {
    const bytes = new TextEncoder().encode(name);
    this.leb(bytes.length);
    this.bytes(bytes);
  }

  result(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #room(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
