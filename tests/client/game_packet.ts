import { type CborRead, CborReader, encode, itemEnd } from "./cbor.ts";
import { diagnose, diagnoseText } from "./diagnosis.ts";

/** Types that a client sends and gets (game server, "Wire"). */
export const packetType = {
  serverNotification: 0x421,
  serverRequest: 0x121,
  notification: 0x412,
  reply: 0x212,
} as const;

/** Commands of the server whose data is bare text. */
const bareText = new Set("ErrorDlg ErrorMsg ServerMessage UpdateAvatar UpdatePassword".split(" "));

/** Of what is not a packet. */
const shownBytes = 32;

/** A packet as it came; what its data says is read when asked for. */
export class GamePacket {
  readonly id: number;
  readonly type: number;
  readonly command: string;
  readonly data: Uint8Array;
  /** Seconds; only requests have it, and the timestamp (epoch ms). */
  readonly timeout: number | undefined;
  readonly timestamp: number | undefined;
  /** All of its bytes. */
  readonly bytes: Uint8Array;

  /** `bytes` hold exactly one packet; throws TypeError when they hold something else. */
  constructor(bytes: Uint8Array) {
    const reader = new CborReader(bytes);
    const { major, argument } = reader.head();
    const items = Number(argument);
    if (major !== 4 || (items !== 4 && items !== 6)) {
      throw new TypeError(`not a packet: ${diagnose(bytes.subarray(0, shownBytes))}`);
    }
    this.id = Number(reader.read());
    this.type = Number(reader.read());
    const command = reader.read();
    const data = reader.read();
    if (!(command instanceof Uint8Array && data instanceof Uint8Array)) {
      throw new TypeError(`not a packet: ${diagnose(bytes.subarray(0, shownBytes))}`);
    }
    this.command = textDecoder.decode(command);
    this.data = data;
    this.timeout = items === 6 ? Number(reader.read()) : undefined;
    this.timestamp = items === 6 ? Number(reader.read()) : undefined;
    this.bytes = bytes;
  }

  /** The first item of the data; undefined when there is none. */
  get value(): CborRead {
    return this.data.length === 0 ? undefined : new CborReader(this.data).read();
  }

  get isBareText(): boolean {
    return bareText.has(this.command) && (this.type & 0x020) !== 0;
  }

  /** The data as bare text. */
  get text(): string {
    return textDecoder.decode(this.data);
  }

  /** The data in the notation of the recordings. */
  get diag(): string {
    return this.isBareText ? diagnoseText(this.data) : diagnose(this.data);
  }
}

/** The bytes of a packet of 4 items, or of 6 when it has a timeout. */
export function packetBytes(
  packet: {
    readonly id: number;
    readonly type: number;
    readonly command: string;
    readonly data: Uint8Array;
    readonly timeout?: number | undefined;
    readonly timestamp?: number | undefined;
  },
): Uint8Array {
  const { id, type, timeout, timestamp, data } = packet;
  const head = [
    Uint8Array.of(timeout === undefined ? 0x84 : 0x86),
    encode(id),
    encode(type),
    encode(new TextEncoder().encode(packet.command)),
    stringHead(data.length),
    data,
  ];
  if (timeout !== undefined) head.push(encode(timeout), encode(timestamp ?? 0));
  return joined(head);
}

/** Cuts a stream into packets; a packet that is not there in full waits for the rest. */
export class PacketStream {
  #pending: Uint8Array = new Uint8Array(0);

  /** The packets that are complete with these bytes, in order. */
  push(chunk: Uint8Array): GamePacket[] {
    let bytes = this.#pending.length === 0 ? chunk : joined([this.#pending, chunk]);
    const packets: GamePacket[] = [];
    for (let end = itemEnd(bytes, 0); end !== undefined && bytes.length > 0;) {
      packets.push(new GamePacket(bytes.subarray(0, end)));
      bytes = bytes.subarray(end);
      end = bytes.length === 0 ? undefined : itemEnd(bytes, 0);
    }
    this.#pending = bytes;
    return packets;
  }

  /** Bytes of a packet that has begun. */
  get pendingBytes(): number {
    return this.#pending.length;
  }
}

const textDecoder = new TextDecoder();

function stringHead(length: number): Uint8Array {
  if (length < 24) return Uint8Array.of(0x40 | length);
  if (length < 0x100) return Uint8Array.of(0x58, length);
  if (length < 0x1_0000) return Uint8Array.of(0x59, length >> 8, length & 255);
  return Uint8Array.of(
    0x5a,
    length >>> 24,
    (length >> 16) & 255,
    (length >> 8) & 255,
    length & 255,
  );
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
