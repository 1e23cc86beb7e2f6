import { CborHead, major } from "./cbor_head.ts";
import type { Packet } from "./packet_types.ts";
import { decodeUtf8Lossy } from "./utf8.ts";

/** Why bytes cannot be a packet; the connection that sent them is closed. */
export type PacketFault =
  /** Something else than an array: text, a map, a tag, a float, a lone break. */
  | "packet_not_array"
  /** An array of other than 4 or 6 items. */
  | "packet_item_count"
  /** An array or string of indefinite length. */
  | "packet_indefinite"
  /** An encoding that CBOR reserves. */
  | "packet_reserved_encoding"
  | "packet_integer_expected"
  | "packet_bytes_expected"
  /** A declared length over the limit, refused before its bytes come. */
  | "packet_too_large";

/** Bytes of a command that are kept: more than any known one has, so that the data field alone can
 * come near the packet limit. */
const COMMAND_BYTES_MAX = 128;

/** First size of the buffer for a string that comes in pieces; it grows with what came, not with
 * what was announced. */
const GATHER_BYTES_MIN = 64;

/** What the framer waits for, in the order of the wire. */
const step = { array: 0, id: 1, type: 2, command: 3, data: 4, timeout: 5, timestamp: 6 } as const;

/**
 * Cuts a stream into packets (game server, "Wire"): give it bytes with `push`, take packets with
 * `next` until there is none. Each byte is looked at once and each data field copied once; no more
 * is held than the limit allows.
 */
export class PacketFramer {
  /** The longest declared length that is let in; may be raised between packets. */
  packetBytesMax: number;
  #bytes: Uint8Array = nothing;
  #at = 0;
  readonly #head = new CborHead();
  #step: number = step.array;
  #itemCount = 0;
  #requestId = 0;
  #type = 0;
  #timeoutSeconds = 0;
  #timestampMs = 0;
  #command = "";
  #data: Uint8Array = nothing;
  /** Bytes of the string at hand that are still to come; −1 outside of a string. */
  #contentLeft = -1;
  /** How many of them are to be kept. */
  #keptLeft = 0;
  #gathered: Uint8Array = nothing;
  #gatheredLength = 0;
  #fault: PacketFault | undefined;

  constructor(options: { readonly packetBytesMax: number }) {
    this.packetBytesMax = options.packetBytesMax;
  }

  /** Bytes held: pushed but not looked at yet, and of the packet that is not complete. */
  get heldBytes(): number {
    return this.#bytes.length - this.#at + this.#gathered.length + this.#data.length;
  }

  /** `bytes` are not copied: take what they hold with `next`, or call `keep` before they change. */
  push(bytes: Uint8Array): void {
    if (this.#fault !== undefined) return;
    if (this.#at === this.#bytes.length) {
      this.#bytes = bytes;
    } else {
      const held = this.#bytes.subarray(this.#at);
      const joined = new Uint8Array(held.length + bytes.length);
      joined.set(held);
      joined.set(bytes, held.length);
      this.#bytes = joined;
    }
    this.#at = 0;
  }

  /** The next packet; undefined when more bytes are needed; a fault, which stays for good. */
  next(): Packet | PacketFault | undefined {
    while (this.#fault === undefined) {
      if (this.#contentLeft >= 0 && !this.#gather()) break;
      if (this.#isComplete()) return this.#takePacket();
      if (this.#at >= this.#bytes.length) break;
      this.#at = this.#head.read(this.#bytes, this.#at);
      if (this.#head.status === "begun") break;
      this.#fault = this.#head.status === "ill_formed"
        ? "packet_reserved_encoding"
        : this.#takeHead();
    }
    if (this.#fault !== undefined) this.#data = nothing;
    this.#bytes = nothing;
    this.#at = 0;
    return this.#fault;
  }

  /** Copies what was not taken, for a caller that stops taking before there is none. */
  keep(): void {
    this.#bytes = this.#at === this.#bytes.length
      ? nothing
      : copyOf(this.#bytes.subarray(this.#at));
    this.#at = 0;
  }

  #isComplete(): boolean {
    return this.#step > (this.#itemCount === 6 ? step.timestamp : step.data);
  }

  #takePacket(): Packet {
    const packet = {
      requestId: this.#requestId,
      type: this.#type,
      command: this.#command,
      data: this.#data,
    };
    this.#data = nothing;
    this.#step = step.array;
    if (this.#itemCount === 4) return packet;
    return { ...packet, timeoutSeconds: this.#timeoutSeconds, timestampMs: this.#timestampMs };
  }

  /** Takes the head just read as what the next item must be. */
  #takeHead(): PacketFault | undefined {
    switch (this.#step) {
      case step.array:
        return this.#takeArray();
      case step.command:
        return this.#takeString(COMMAND_BYTES_MAX);
      case step.data:
        return this.#takeString(Infinity);
    }
    return this.#takeInteger();
  }

  #takeArray(): PacketFault | undefined {
    const { major: kind, indefinite, argument } = this.#head;
    if (kind !== major.array) return "packet_not_array";
    if (indefinite) return "packet_indefinite";
    if (argument !== 4 && argument !== 6) return "packet_item_count";
    this.#itemCount = argument;
    this.#step = step.id;
    return undefined;
  }

  #takeInteger(): PacketFault | undefined {
    const { major: kind, argument } = this.#head;
    if (kind !== major.unsigned && kind !== major.negative) return "packet_integer_expected";
    const value = kind === major.unsigned ? argument : -1 - argument;
    if (this.#step === step.id) this.#requestId = value;
    else if (this.#step === step.type) this.#type = value;
    else if (this.#step === step.timeout) this.#timeoutSeconds = value;
    else this.#timestampMs = value;
    this.#step++;
    return undefined;
  }

  #takeString(keptMax: number): PacketFault | undefined {
    const { major: kind, indefinite, argument } = this.#head;
    if (kind !== major.bytes) return "packet_bytes_expected";
    if (indefinite) return "packet_indefinite";
    if (argument > this.packetBytesMax) return "packet_too_large";
    this.#contentLeft = argument;
    this.#keptLeft = Math.min(argument, keptMax);
    return undefined;
  }

  /** Takes what there is of the string at hand; true when it is whole. */
  #gather(): boolean {
    const taken = Math.min(this.#contentLeft, this.#bytes.length - this.#at);
    const kept = Math.min(taken, this.#keptLeft);
    const piece = this.#bytes.subarray(this.#at, this.#at + kept);
    this.#at += taken;
    this.#keptLeft -= kept;
    const whole = taken === this.#contentLeft;
    if (whole && this.#gatheredLength === 0) {
      this.#finishString(this.#step === step.data ? copyOf(piece) : piece);
      return true;
    }
    this.#append(piece);
    this.#contentLeft -= taken;
    if (whole) this.#finishString(this.#gathered);
    return whole;
  }

  #append(piece: Uint8Array): void {
    const length = this.#gatheredLength + piece.length;
    if (length > this.#gathered.length) {
      const wanted = Math.max(GATHER_BYTES_MIN, length, this.#gathered.length * 2);
      const larger = new Uint8Array(Math.min(wanted, length + this.#keptLeft));
      larger.set(this.#gathered.subarray(0, this.#gatheredLength));
      this.#gathered = larger;
    }
    this.#gathered.set(piece, this.#gatheredLength);
    this.#gatheredLength = length;
  }

  #finishString(content: Uint8Array): void {
    if (this.#step === step.command) this.#command = decodeUtf8Lossy(content);
    else this.#data = content;
    this.#step++;
    this.#contentLeft = -1;
    this.#gathered = nothing;
    this.#gatheredLength = 0;
  }
}

/** A copy even of a Buffer, whose `slice` is a view. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

const nothing = new Uint8Array(0);
