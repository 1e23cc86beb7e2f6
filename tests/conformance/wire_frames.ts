import type { FrameStep } from "./case_types.ts";

/** Which side of a connection the runner plays. */
export type Side = "client" | "server";

/** A frame as it came, with all that its head said. */
export interface ReadFrame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly reserved: number;
  readonly payload: Uint8Array;
}

const mask = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);
const maskWord = new Uint32Array(mask.buffer)[0]!;

/** The bytes of a frame as this side sends it. */
export function encodeStep(step: FrameStep, side: Side): Uint8Array {
  const isMasked = (side === "client") !== step.isWronglyMasked;
  const { payload } = step;
  const length = step.announced ?? BigInt(payload.length);
  const extended = step.lengthBytes ?? (length < 126n ? 0 : length < 65_536n ? 2 : 8);
  const headBytes = 2 + extended + (isMasked ? 4 : 0);
  // So that the payload begins at a multiple of four, and masking goes by words.
  const front = (4 - headBytes % 4) % 4;
  const buffer = new Uint8Array(front + headBytes + payload.length);
  const frame = buffer.subarray(front);
  const view = new DataView(frame.buffer, front);
  frame[0] = (step.fin ? 128 : 0) | (step.reserved << 4) | step.opcode;
  frame[1] = (isMasked ? 128 : 0) | (extended === 0 ? Number(length) : extended === 2 ? 126 : 127);
  if (extended === 2) view.setUint16(2, Number(length));
  if (extended === 8) view.setBigUint64(2, length);
  frame.set(payload, headBytes);
  if (isMasked) {
    frame.set(mask, headBytes - 4);
    applyMask(buffer, front + headBytes);
  }
  return frame;
}

/** More payload of a frame of which `sent` bytes have gone out before. */
export function continueStep(payload: Uint8Array, sent: number, side: Side): Uint8Array {
  if (side === "server") return payload;
  return payload.map((byte, index) => byte ^ mask[(sent + index) & 3]!);
}

/** Cuts a stream into frames and holds the sender to RFC 6455 §5.1, §5.2 and §5.5. */
export class StrictFrameReader {
  readonly #expectsMask: boolean;
  #bytes = new Uint8Array(4_096);
  #start = 0;
  #end = 0;

  constructor(reader: Side) {
    this.#expectsMask = reader === "server";
  }

  push(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#bytes.length) this.#makeRoom(bytes.length);
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** The next frame, what is wrong with it, or undefined when it is not there yet. */
  next(): ReadFrame | { readonly fault: string } | undefined {
    const bytes = this.#bytes;
    const from = this.#start;
    const has = this.#end - from;
    if (has < 2) return undefined;
    const first = bytes[from]!;
    const second = bytes[from + 1]!;
    const short = second & 127;
    const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
    const isMasked = second > 127;
    const headBytes = 2 + extended + (isMasked ? 4 : 0);
    if (has < headBytes) return undefined;
    const view = new DataView(bytes.buffer, from);
    const size = extended === 0
      ? short
      : extended === 2
      ? view.getUint16(2)
      : Number(view.getBigUint64(2));
    const opcode = first & 15;
    const fin = first > 127;
    if (isMasked !== this.#expectsMask) return { fault: "sent a frame that is wrongly masked" };
    if (extended > 0 && size < (extended === 2 ? 126 : 65_536)) {
      return { fault: `sent a length of ${size} in ${extended * 8} bits` };
    }
    if (opcode > 7 && (!fin || size > 125)) return { fault: "sent a wrong control frame" };
    if (has < headBytes + size) return undefined;
    const payload = bytes.slice(from + headBytes, from + headBytes + size);
    if (isMasked) {
      const key = bytes.subarray(from + headBytes - 4, from + headBytes);
      for (let i = 0; i < payload.length; i++) payload[i]! ^= key[i & 3]!;
    }
    this.#start = from + headBytes + size;
    return { opcode, fin, reserved: first >> 4 & 7, payload };
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

export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export function equalBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && Buffer.compare(one, other) === 0;
}

/** `from` is a multiple of four. */
function applyMask(buffer: Uint8Array, from: number): void {
  const words = new Uint32Array(buffer.buffer, from, (buffer.length - from) >> 2);
  for (let i = 0; i < words.length; i++) words[i]! ^= maskWord;
  for (let at = from + words.length * 4; at < buffer.length; at++) {
    buffer[at]! ^= mask[(at - from) & 3]!;
  }
}
