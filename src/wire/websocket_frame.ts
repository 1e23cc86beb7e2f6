/** Opcodes of RFC 6455 §5.2. */
export const frameOpcode = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const;

/** Payload of a control frame, at most (RFC 6455 §5.5). */
export const controlBytesMax = 125;

/** First byte of a frame that is a whole message. */
const FIN = 0x80;
/** Second byte: the payload is masked, as a client's must be. */
const MASKED = 0x80;

const whole: { readonly isFinal: boolean } = { isFinal: true };

/** Longest head of a masked frame: 2 bytes, 64 bits of length, the mask. */
const HEAD_BYTES_MAX = 14;

/** Room for some dozens of usual messages; it grows with the batches. */
const FIRST_CAPACITY = 16_384;

/** A larger array, made for one large message, is not kept. */
const KEPT_CAPACITY_MAX = 1 << 20;

/** Masks made ahead: one call for 1,024 of them costs as much as for 20 singly. */
const MASKS_AHEAD = 1024;

/**
 * Frames of a client (RFC 6455 §5.2), one behind the other in one array, to be sent by one write. The
 * array is used again for each batch. Masks are unpredictable (§10.3), as far as `randomBytes` is.
 */
export class FrameBatch {
  readonly #randomBytes: (count: number) => Uint8Array;
  #bytes: Uint8Array<ArrayBuffer>;
  /** The same memory, to mask four bytes at a time. */
  #words: Int32Array<ArrayBuffer>;
  #end = 0;
  #payloadFrom = 0;
  #payloadTo = 0;
  #masks: Int32Array = new Int32Array(0);
  #masksUsed = 0;

  constructor(randomBytes: (count: number) => Uint8Array) {
    this.#randomBytes = randomBytes;
    this.#bytes = new Uint8Array(0);
    this.#words = new Int32Array(0);
  }

  /** Bytes of all frames so far. */
  get length(): number {
    return this.#end;
  }

  /** The array into which payloads are written; `begin` may change it. */
  get array(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  /** The frames; valid until the next `begin` or `clear`. */
  get frames(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#end);
  }

  /**
   * Begins a frame that is a whole message or a control frame, or a fragment that is not the last of
   * its message. Returns where in `array` its payload goes, unmasked; `finish` must follow before all
   * else.
   */
  begin(opcode: number, payloadBytes: number, { isFinal } = whole): number {
    let at = this.#end;
    const most = at + HEAD_BYTES_MAX + payloadBytes;
    if (most > this.#bytes.length) this.#grow(most);
    const bytes = this.#bytes;
    bytes[at] = isFinal ? FIN | opcode : opcode;
    if (payloadBytes < 126) {
      bytes[at + 1] = MASKED | payloadBytes;
      at += 2;
    } else if (payloadBytes < 65_536) {
      bytes[at + 1] = MASKED | 126;
      bytes[at + 2] = payloadBytes >>> 8;
      bytes[at + 3] = payloadBytes;
      at += 4;
    } else {
      bytes[at + 1] = MASKED | 127;
      writeUint64(bytes, at + 2, payloadBytes);
      at += 10;
    }
    this.#payloadFrom = at + 4;
    this.#payloadTo = at + 4 + payloadBytes;
    return this.#payloadFrom;
  }

  /** Masks the payload and ends the frame. Throws when `payloadEnd` is not where it was to end. */
  finish(payloadEnd: number): void {
    if (payloadEnd !== this.#payloadTo) {
      const written = payloadEnd - this.#payloadFrom;
      const announced = this.#payloadTo - this.#payloadFrom;
      throw new Error(`Broken invariant: ${written} bytes of a frame of ${announced} were written`);
    }
    const key = this.#nextMask();
    const bytes = this.#bytes;
    const at = this.#payloadFrom - 4;
    bytes[at] = key;
    bytes[at + 1] = key >>> 8;
    bytes[at + 2] = key >>> 16;
    bytes[at + 3] = key >>> 24;
    this.#mask(key);
    this.#end = payloadEnd;
  }

  /** A ping, pong or close frame; at most `controlBytesMax` bytes. */
  control(opcode: number, payload: Uint8Array): void {
    const at = this.begin(opcode, payload.length);
    this.#bytes.set(payload, at);
    this.finish(at + payload.length);
  }

  /** Forgets all frames, to begin the next batch. */
  clear(): void {
    this.#end = 0;
    if (this.#bytes.length <= KEPT_CAPACITY_MAX) return;
    this.#bytes = new Uint8Array(0);
    this.#words = new Int32Array(0);
  }

  /** Both runtimes are made for little-endian machines alone, so byte 0 of a mask is its lowest. */
  #mask(key: number): void {
    const bytes = this.#bytes;
    const words = this.#words;
    const to = this.#payloadTo;
    let at = this.#payloadFrom;
    let turned = key;
    while ((at & 3) !== 0 && at < to) {
      bytes[at] = (bytes[at] as number) ^ (turned & 0xff);
      turned = (turned >>> 8) | (turned << 24);
      at++;
    }
    const lastWord = to >>> 2;
    for (let word = at >>> 2; word < lastWord; word++) {
      words[word] = (words[word] as number) ^ turned;
      at += 4;
    }
    for (; at < to; at++) {
      bytes[at] = (bytes[at] as number) ^ (turned & 0xff);
      turned >>>= 8;
    }
  }

  #nextMask(): number {
    if (this.#masksUsed === this.#masks.length) {
      this.#masks = new Int32Array(this.#randomBytes(MASKS_AHEAD * 4).slice().buffer);
      this.#masksUsed = 0;
    }
    return this.#masks[this.#masksUsed++] as number;
  }

  #grow(bytesMin: number): void {
    const capacity = Math.max(FIRST_CAPACITY, bytesMin, this.#bytes.length * 2);
    const memory = new ArrayBuffer((capacity + 3) & ~3);
    const bytes = new Uint8Array(memory);
    bytes.set(this.frames);
    this.#bytes = bytes;
    this.#words = new Int32Array(memory);
  }
}

/** The payload of a close frame: a code of §7.4 and a short reason in ASCII. */
export function closePayload(code: number, reason: string): Uint8Array {
  const payload = new Uint8Array(2 + Math.min(reason.length, controlBytesMax - 2));
  payload[0] = code >>> 8;
  payload[1] = code;
  for (let i = 2; i < payload.length; i++) payload[i] = reason.charCodeAt(i - 2);
  return payload;
}

/** Writes a whole number below 2^53 in network byte order. */
export function writeUint64(into: Uint8Array, at: number, value: number): void {
  let high = Math.floor(value / 2 ** 32);
  let low = value >>> 0;
  for (let i = 3; i >= 0; i--) {
    into[at + i] = high;
    into[at + 4 + i] = low;
    high >>>= 8;
    low >>>= 8;
  }
}

/** Reads what `writeUint64` writes; more than 2^53 loses its lowest bits. */
export function readUint64(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at) * 2 ** 32 + readUint32(bytes, at + 4);
}

function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 24 | (bytes[at + 1] as number) << 16 |
    (bytes[at + 2] as number) << 8 | (bytes[at + 3] as number)) >>> 0;
}
