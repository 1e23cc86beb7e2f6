import { decodeUtf8 } from "./utf8.ts";
import { controlBytesMax, frameOpcode, readUint64 } from "./websocket_frame.ts";

/** What a server sends. Bytes are valid only during the call. */
export interface FrameHandlers {
  text(text: string): void;
  binary(bytes: Uint8Array): void;
  ping(payload: Uint8Array): void;
  pong(payload: Uint8Array): void;
  /** Its close frame, the last that is reported; 1005 stands for one without a code (§7.1.5). */
  close(code: number, reason: string): void;
}

/** How a peer broke the protocol, and the close code that says so (RFC 6455 §7.4.1). */
export interface FrameFault {
  readonly closeCode: 1002 | 1007 | 1009;
  /** In a few words, without any of the peer's bytes. */
  readonly message: string;
}

/** Where room for a large message is counted before it is taken. */
export interface FrameRoom {
  /** Counts so many bytes, if they may be taken. */
  reserve(bytes: number): boolean;
  /** They are no longer in use. */
  giveBack(bytes: number): void;
}

/** Head of a server's frame at its longest: 2 bytes, and 64 bits of length. */
const HEAD_BYTES_MAX = 10;

/** First room for a message that comes in several pieces and was not counted; it doubles with what
 * really comes, so that an announced length alone costs nothing. */
const FIRST_CAPACITY = 4096;

/** Memory of larger messages is given back at once. */
const FREED_BYTES_MIN = 65_536;

/** When this part of an announced frame is there, room for all of it is taken. */
const TRUSTED_SHARE = 4;

/**
 * Reads the frames of a server (RFC 6455 §5) out of a stream, however it is cut. A frame that lies
 * whole in one piece is not copied. No message of more than `messageBytesMax` bytes is ever held.
 */
export class FrameParser {
  readonly #messageBytesMax: number;
  readonly #handlers: FrameHandlers;
  readonly #room: FrameRoom | undefined;
  /** Of them counted there. */
  #reserved = 0;
  /** Head of a frame that was cut off by the end of a piece. */
  readonly #head: Uint8Array = new Uint8Array(HEAD_BYTES_MAX);
  #headBytes = 0;
  /** The frame whose payload comes in several pieces. */
  #opcode = -1;
  #isFinal = false;
  #payloadLeft = 0;
  /** Payload of a control frame that comes in several pieces. */
  #control: Uint8Array | undefined;
  #controlBytes = 0;
  /** The opcode of the message that is being put together; 0 while there is none. */
  #message = 0;
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #length = 0;
  #isOver = false;

  /** `room`: a large message that comes in one frame takes its memory at once if it is counted there:
   * growing bit by bit leaves as much again behind. Absent, or where it refuses, all of them grow. */
  constructor(
    options: { messageBytesMax: number; handlers: FrameHandlers; room?: FrameRoom | undefined },
  ) {
    this.#messageBytesMax = options.messageBytesMax;
    this.#handlers = options.handlers;
    this.#room = options.room;
  }

  /** Reads what came next. After a fault, a close frame or `stop` everything is ignored. */
  push(piece: Uint8Array): FrameFault | undefined {
    let at = 0;
    while (!this.#isOver && at < piece.length) {
      const next = this.#opcode < 0 ? this.#readFrame(piece, at) : this.#readPayload(piece, at);
      if (typeof next !== "number") {
        this.stop();
        return next;
      }
      at = next;
    }
    return undefined;
  }

  /** Nothing more is reported. */
  stop(): void {
    this.#isOver = true;
    this.#bytes = new Uint8Array(0);
    this.#giveBack();
  }

  /** Reads a head, and the payload if it is there too. Returns where to go on. */
  #readFrame(piece: Uint8Array, from: number): number | FrameFault {
    let bytes = piece;
    let at = from;
    let end = piece.length;
    if (this.#headBytes > 0) {
      const added = Math.min(HEAD_BYTES_MAX - this.#headBytes, piece.length - from);
      this.#head.set(piece.subarray(from, from + added), this.#headBytes);
      bytes = this.#head;
      at = 0;
      end = this.#headBytes + added;
    }
    if (end - at < 2) return this.#keepHead(piece, from);
    const first = bytes[at] as number;
    const opcode = first & 0x0f;
    const isFinal = first > 0x7f;
    if ((first & 0x70) !== 0) return protocolFault("a reserved bit is set");
    const second = bytes[at + 1] as number;
    if (second > 0x7f) return protocolFault("a server's frame is masked");
    const headBytes = second < 126 ? 2 : second === 126 ? 4 : 10;
    if (end - at < headBytes) return this.#keepHead(piece, from);
    let length = second;
    if (second === 126) {
      length = (bytes[at + 2] as number) << 8 | (bytes[at + 3] as number);
      if (length < 126) return protocolFault("a length is not in its shortest form");
    } else if (second === 127) {
      if ((bytes[at + 2] as number) > 0x7f) {
        return protocolFault("a length has its highest bit set");
      }
      length = readUint64(bytes, at + 2);
      if (length < 65_536) return protocolFault("a length is not in its shortest form");
    }
    const fault = this.#judge(opcode, isFinal, length);
    if (fault !== undefined) return fault;

    const payloadAt = from + headBytes - this.#headBytes;
    this.#headBytes = 0;
    if (payloadAt + length <= piece.length && (opcode !== 0 && (isFinal || opcode > 7))) {
      const payload = piece.subarray(payloadAt, payloadAt + length);
      return this.#deliver(opcode, payload) ?? payloadAt + length;
    }
    this.#opcode = opcode;
    this.#isFinal = isFinal;
    this.#payloadLeft = length;
    if (opcode > 7) {
      this.#control = new Uint8Array(length);
      this.#controlBytes = 0;
    } else if (opcode > 0) {
      this.#message = opcode;
      if (isFinal && length >= FREED_BYTES_MIN) this.#reserve(length);
    }
    return this.#readPayload(piece, payloadAt);
  }

  #judge(opcode: number, isFinal: boolean, length: number): FrameFault | undefined {
    if (opcode > 7) {
      if (opcode > frameOpcode.pong) return protocolFault("an opcode is not known");
      if (!isFinal) return protocolFault("a control frame is fragmented");
      if (length > controlBytesMax) return protocolFault("a control frame is over 125 bytes");
      return undefined;
    }
    if (opcode > frameOpcode.binary) return protocolFault("an opcode is not known");
    if (opcode === frameOpcode.continuation) {
      if (this.#message === 0) return protocolFault("a fragment continues no message");
    } else if (this.#message !== 0) {
      return protocolFault("a message begins within another one");
    }
    if (this.#length + length <= this.#messageBytesMax) return undefined;
    return { closeCode: 1009, message: `a message is over ${this.#messageBytesMax} bytes` };
  }

  #keepHead(piece: Uint8Array, from: number): number {
    if (this.#headBytes === 0) this.#head.set(piece.subarray(from));
    this.#headBytes += piece.length - from;
    return piece.length;
  }

  #readPayload(piece: Uint8Array, from: number): number | FrameFault {
    const to = Math.min(piece.length, from + this.#payloadLeft);
    const part = piece.subarray(from, to);
    this.#payloadLeft -= part.length;
    const opcode = this.#opcode;
    if (this.#control !== undefined) {
      this.#control.set(part, this.#controlBytes);
      this.#controlBytes += part.length;
      if (this.#payloadLeft > 0) return to;
      const payload = this.#control;
      this.#control = undefined;
      this.#opcode = -1;
      return this.#deliver(opcode, payload) ?? to;
    }
    this.#append(part);
    if (this.#payloadLeft > 0) return to;
    this.#opcode = -1;
    if (!this.#isFinal) return to;
    const message = this.#bytes.subarray(0, this.#length);
    const { buffer } = this.#bytes;
    const kind = this.#message;
    this.#message = 0;
    this.#length = 0;
    // It is the handler's only during the call, but what comes next must not overwrite it there.
    this.#bytes = new Uint8Array(0);
    if (message.length < FREED_BYTES_MIN) return this.#deliver(kind, message) ?? to;
    // A collector would not hurry, and a text is as large as its bytes: no need for both.
    if (kind === frameOpcode.text) {
      const text = decodeUtf8(message);
      buffer.transfer(0);
      this.#giveBack();
      return this.#deliverText(text) ?? to;
    }
    const fault = this.#deliver(kind, message);
    buffer.transfer(0);
    this.#giveBack();
    return fault ?? to;
  }

  #reserve(bytes: number): void {
    if (this.#room?.reserve(bytes) !== true) return;
    this.#reserved = bytes;
    this.#bytes = new Uint8Array(bytes);
  }

  #giveBack(): void {
    if (this.#reserved === 0) return;
    this.#room?.giveBack(this.#reserved);
    this.#reserved = 0;
  }

  #append(part: Uint8Array): void {
    const length = this.#length + part.length;
    if (length > this.#bytes.length) {
      const needed = this.#length + part.length + this.#payloadLeft;
      const more = this.#bytes.length * (length * TRUSTED_SHARE < needed ? 2 : TRUSTED_SHARE);
      const capacity = Math.min(
        Math.max(FIRST_CAPACITY, length, more),
        Math.max(length, this.#isFinal ? needed : this.#messageBytesMax),
      );
      // The old memory goes at once: of a large message all of them together are larger than it.
      this.#bytes = new Uint8Array(this.#bytes.buffer.transfer(capacity));
    }
    this.#bytes.set(part, this.#length);
    this.#length = length;
  }

  #deliver(opcode: number, payload: Uint8Array): FrameFault | undefined {
    if (opcode === frameOpcode.text) {
      return this.#deliverText(decodeUtf8(payload));
    } else if (opcode === frameOpcode.binary) this.#handlers.binary(payload);
    else if (opcode === frameOpcode.ping) this.#handlers.ping(payload);
    else if (opcode === frameOpcode.pong) this.#handlers.pong(payload);
    else return this.#deliverClose(payload);
    return undefined;
  }

  #deliverText(text: string | undefined): FrameFault | undefined {
    if (text === undefined) return { closeCode: 1007, message: "a text is not UTF-8" };
    this.#handlers.text(text);
    return undefined;
  }

  #deliverClose(payload: Uint8Array): FrameFault | undefined {
    if (payload.length === 1) return protocolFault("a close frame has half a code");
    const code = payload.length === 0 ? 1005 : (payload[0] as number) << 8 | (payload[1] as number);
    if (payload.length > 0 && !mayBeSent(code)) return protocolFault("a close code is not allowed");
    const reason = decodeUtf8(payload.subarray(2));
    if (reason === undefined) return { closeCode: 1007, message: "a close reason is not UTF-8" };
    this.stop();
    this.#handlers.close(code, reason);
    return undefined;
  }
}

function protocolFault(message: string): FrameFault {
  return { closeCode: 1002, message };
}

/** Close codes that a frame may carry: those of RFC 6455 §7.4 and of its registry at IANA. */
function mayBeSent(code: number): boolean {
  if (code < 3000) return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
  return code < 5000;
}
