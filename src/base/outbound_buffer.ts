/** Room for the first bytes that wait: one page, so that a short stall costs little. */
const FIRST_CAPACITY = 4096;

/**
 * Bytes that wait for a slow peer, copied in order into one growing array, so that a million small
 * writes cost no more memory than one large one. It never holds more than its maximum.
 */
export class OutboundBuffer {
  readonly #bytesMax: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #start = 0;
  #end = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#bytes = new Uint8Array(Math.min(bytesMax, FIRST_CAPACITY));
  }

  get length(): number {
    return this.#end - this.#start;
  }

  /** Copies `bytes` from `offset` on to the end. False, and nothing kept, when they do not fit. */
  push(bytes: Uint8Array, offset = 0): boolean {
    const added = bytes.length - offset;
    const length = this.length + added;
    if (length > this.#bytesMax) return false;
    if (this.#end + added > this.#bytes.length) this.#makeRoom(length);
    this.#bytes.set(offset === 0 ? bytes : bytes.subarray(offset), this.#end);
    this.#end += added;
    return true;
  }

  /** The first bytes that wait, at most `lengthMax` of them; valid until the next `push`. */
  peek(lengthMax = this.length): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(this.#start, Math.min(this.#end, this.#start + lengthMax));
  }

  /** Forgets the first `count` bytes. */
  drop(count: number): void {
    this.#start += count;
    if (this.#start >= this.#end) this.#start = this.#end = 0;
  }

  #makeRoom(length: number): void {
    // Moving is paid for by the bytes that left: only when at least half of the array is free.
    if (length * 2 <= this.#bytes.length) {
      this.#bytes.copyWithin(0, this.#start, this.#end);
    } else {
      const capacity = Math.min(this.#bytesMax, Math.max(length, this.#bytes.length * 2));
      const grown = new Uint8Array(capacity);
      grown.set(this.#bytes.subarray(this.#start, this.#end));
      this.#bytes = grown;
    }
    this.#end -= this.#start;
    this.#start = 0;
  }
}
