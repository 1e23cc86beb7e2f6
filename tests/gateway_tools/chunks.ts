import { createHash } from "node:crypto";

/** Data of one chunk, at most. */
export const chunkBytesMax = 1_048_576;

/** The frames of a large message, written anew here from the protocol's page. */
export function chunkFrames(
  messageId: string,
  data: Uint8Array,
  { chunkBytes = chunkBytesMax, start = {}, checksum = sha256Hex(data) }: {
    chunkBytes?: number;
    /** More members of the start, or other ones. */
    start?: Record<string, unknown>;
    checksum?: string;
  } = {},
): { start: Uint8Array; chunks: Uint8Array[]; end: Uint8Array } {
  const chunkCount = Math.ceil(data.length / chunkBytes);
  const chunks = Array.from({ length: chunkCount }, (_, index) => {
    const part = data.subarray(index * chunkBytes, (index + 1) * chunkBytes);
    return chunkFrame(index, hashOf(messageId), part);
  });
  return {
    start: jsonFrame(1, { messageId, totalSize: data.length, chunkCount, ...start }),
    chunks,
    end: jsonFrame(3, { messageId, checksum }),
  };
}

export function chunkFrame(index: number, hash: number, data: Uint8Array): Uint8Array {
  const frame = new Uint8Array(13 + data.length);
  const view = new DataView(frame.buffer);
  frame[0] = 2;
  view.setUint32(1, index);
  view.setUint32(5, hash);
  view.setUint32(9, data.length);
  frame.set(data, 13);
  return frame;
}

export function jsonFrame(first: number, value: unknown): Uint8Array {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return new Uint8Array([first, ...new TextEncoder().encode(text)]);
}

export function hashOf(messageId: string): number {
  let hash = 0n;
  for (const char of messageId) hash = (hash * 31n + BigInt(char.codePointAt(0) ?? 0)) % 2n ** 32n;
  return Number(hash);
}

export function sha256Hex(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** Bytes that look random and are the same each time. */
export function someBytes(count: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(count / 4));
  let state = seed >>> 0 || 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, count);
}

/** A large message that came in frames. */
export interface CollectedMessage {
  readonly start: Record<string, unknown>;
  readonly startText: string;
  readonly end: Record<string, unknown>;
  readonly data: Uint8Array;
  readonly chunkLengths: readonly number[];
}

/** Puts frames together that come in order, as they must; throws where they break a rule. */
export class ChunkCollector {
  #start: { text: string; value: Record<string, unknown> } | undefined;
  #parts: Uint8Array[] = [];

  get isOpen(): boolean {
    return this.#start !== undefined;
  }

  /** A whole message with the frame that ends it. */
  push(frame: Uint8Array): CollectedMessage | undefined {
    const json = () => new TextDecoder().decode(frame.subarray(1));
    if (frame[0] === 1) {
      this.#start = { text: json(), value: JSON.parse(json()) };
      this.#parts = [];
      return undefined;
    }
    const start = this.#start;
    if (start === undefined) throw new Error(`frame ${frame[0]} before any start`);
    const messageId = String(start.value.messageId);
    if (frame[0] === 2) {
      const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
      const [index, hash, length] = [view.getUint32(1), view.getUint32(5), view.getUint32(9)];
      const isRight = index === this.#parts.length && hash === hashOf(messageId) &&
        length === frame.length - 13 && length <= chunkBytesMax;
      if (!isRight) throw new Error(`a wrong chunk: ${index} ${hash} ${length}`);
      this.#parts.push(frame.slice(13));
      return undefined;
    }
    const end = JSON.parse(json()) as Record<string, unknown>;
    const data = new Uint8Array(Buffer.concat(this.#parts));
    const isRight = end.messageId === messageId && end.checksum === sha256Hex(data) &&
      start.value.totalSize === data.length && start.value.chunkCount === this.#parts.length;
    if (!isRight) throw new Error(`a wrong end: ${start.text} … ${json()}`);
    const chunkLengths = this.#parts.map(({ length }) => length);
    this.#start = undefined;
    return { start: start.value, startText: start.text, end, data, chunkLengths };
  }
}
