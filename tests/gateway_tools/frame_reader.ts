/** One frame of RFC 6455 §5.2 as it came, unmasked. */
export interface ReadFrame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly masked: boolean;
  readonly payload: Uint8Array;
}

/** Cuts a stream of bytes into frames; takes what a correct peer may send, and judges nothing. */
export class FrameReader {
  #bytes = new Uint8Array(4_096);
  #start = 0;
  #end = 0;

  push(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#bytes.length) this.#makeRoom(bytes.length);
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** The next whole frame; its payload is a copy. */
  next(): ReadFrame | undefined {
    const has = this.#end - this.#start;
    if (has < 2) return undefined;
    const first = this.#bytes[this.#start] ?? 0;
    const second = this.#bytes[this.#start + 1] ?? 0;
    const short = second & 127;
    const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
    const masked = second > 127;
    const headSize = 2 + extended + (masked ? 4 : 0);
    if (has < headSize) return undefined;
    let size = extended === 0 ? short : 0;
    for (let i = 0; i < extended; i++) {
      size = size * 256 + (this.#bytes[this.#start + 2 + i] ?? 0);
    }
    if (has < headSize + size) return undefined;
    const from = this.#start + headSize;
    const payload = this.#bytes.slice(from, from + size);
    if (masked) unmask(payload, this.#bytes.subarray(from - 4, from));
    this.#start = from + size;
    return { opcode: first & 15, fin: first > 127, masked, payload };
  }

  #makeRoom(more: number): void {
    const has = this.#end - this.#start;
    let size = this.#bytes.length;
    while (size < has + more) size *= 2;
    const bytes = size === this.#bytes.length ? this.#bytes : new Uint8Array(size);
    bytes.set(this.#bytes.subarray(this.#start, this.#end));
    this.#bytes = bytes;
    this.#start = 0;
    this.#end = has;
  }
}

function unmask(payload: Uint8Array, mask: Uint8Array): void {
  for (let i = 0; i < payload.length; i++) payload[i] = (payload[i] ?? 0) ^ (mask[i & 3] ?? 0);
}
