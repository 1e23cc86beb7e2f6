/** Frames of RFC 6455 as a client sends and reads them, made once and numbered in place. */

/** Any key will do: what it guards against is no matter on loopback. */
const maskKey = [0x37, 0xfa, 0x21, 0x3d] as const;

/** What a load sends as `data`. */
const dataBytes = 100;

const sequenceDigits = 9;
/** Microseconds since 1970 have 16 until the year 2286. */
const timeDigits = 16;

/** Length of a message id: tag, number, and the time at which it was due. */
const tagLength = 6;
export const messageIdLength = tagLength + 1 + sequenceDigits + 1 + timeDigits;

/** A tag that tells the messages of one measurement from those of all others. */
export function newTag(): string {
  return Math.random().toString(36).slice(2, 2 + tagLength).padEnd(tagLength, "x");
}

/** `tag-000000001-1700000000000000`; due in milliseconds since 1970. */
export function messageId(tag: string, sequence: number, dueMs: number): string {
  const number = String(sequence).padStart(sequenceDigits, "0");
  return `${tag}-${number}-${String(Math.round(dueMs * 1000)).padStart(timeDigits, "0")}`;
}

/** 100 bytes of text that are nobody's id. */
export const data: string = "the quick brown fox jumps over the lazy dog; ".repeat(3)
  .slice(0, dataBytes);

/** One masked client frame of any text. */
export function clientFrame(text: string, opcode = 1): Uint8Array {
  const payload = new TextEncoder().encode(text);
  const header = payload.length < 126
    ? [0x80 | opcode, 0x80 | payload.length]
    : [0x80 | opcode, 0x80 | 126, payload.length >> 8, payload.length & 255];
  if (payload.length > 65_535) throw new Error(`${payload.length} bytes are too many for a frame`);
  const frame = new Uint8Array(header.length + 4 + payload.length);
  frame.set(header);
  frame.set(maskKey, header.length);
  for (const [at, byte] of payload.entries()) {
    frame[header.length + 4 + at] = byte ^ (maskKey[at & 3] ?? 0);
  }
  return frame;
}

/**
 * Frames of one message of 100 bytes of data, side by side, whose numbers and times are put in
 * before each send. One object serves all connections, since a message does not name its client.
 */
export class NumberedFrames {
  private readonly bytes: Uint8Array;
  private readonly views: Uint8Array[] = [];
  private readonly frameLength: number;
  private readonly numberAt: number;
  private readonly timeAt: number;
  /** Of the payload, without the header of the frame. */
  readonly payloadLength: number;
  private next = 0;

  constructor(tag: string, atOnceMax: number) {
    const id = messageId(tag, 0, 0);
    const text = JSON.stringify({ type: 0, messageId: id, data });
    const frame = clientFrame(text);
    this.frameLength = frame.length;
    this.payloadLength = text.length;
    this.numberAt = text.indexOf(id) + tag.length + 1;
    this.timeAt = this.numberAt + sequenceDigits + 1;
    this.bytes = new Uint8Array(frame.length * atOnceMax);
    for (let count = 0; count < atOnceMax; count++) {
      this.bytes.set(frame, count * frame.length);
      this.views.push(this.bytes.subarray(0, (count + 1) * frame.length));
    }
  }

  /** The next `count` frames; valid until the next call. */
  take(count: number, dueMs = 0): Uint8Array {
    const view = this.views[count - 1];
    if (view === undefined) throw new Error(`${count} frames at once are too many`);
    const header = this.frameLength - this.payloadLength;
    for (let frame = 0; frame < count; frame++) {
      const start = frame * this.frameLength + header;
      this.putDigits(start, this.numberAt, sequenceDigits, this.next++);
      if (dueMs > 0) this.putDigits(start, this.timeAt, timeDigits, Math.round(dueMs * 1000));
    }
    return view;
  }

  private putDigits(payloadAt: number, at: number, digits: number, value: number): void {
    for (let digit = digits - 1; digit >= 0; digit--) {
      const rest = Math.floor(value / 10);
      const position = at + digit;
      this.bytes[payloadAt + position] = (48 + value - rest * 10) ^ (maskKey[position & 3] ?? 0);
      value = rest;
    }
  }
}

/** When a message was due, in milliseconds since 1970, from the first byte of its id. */
export function dueOf(bytes: Uint8Array, idAt: number): number {
  let value = 0;
  const from = idAt + messageIdLength - timeDigits;
  for (let at = from; at < from + timeDigits; at++) value = value * 10 + (bytes[at] ?? 48) - 48;
  return value / 1000;
}
