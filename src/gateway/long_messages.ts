import type { Sha256 } from "../ports/crypto.ts";
import {
  chunkHash,
  chunkHeadBytes,
  chunkJsonBytesMax,
  encodeEnd,
  encodeStart,
  membersBesideChunks,
  writeChunkHead,
} from "../wire/gateway_chunk.ts";
import { quoteJson } from "../wire/gateway_frames.ts";
import { ClientMessage, messageIdInMembers } from "../wire/gateway_message.ts";
import { decodeUtf8Lossy } from "../wire/utf8.ts";
import { type FrameBatch, frameOpcode } from "../wire/websocket_frame.ts";
import type { MessageLog, Slot } from "./log/message_log_types.ts";
import { binaryDataStart } from "./transfer_sinks.ts";

/** Messages above this are put on a link piece by piece: else each would be copied whole, and what
 * the system does not take at once a second time. */
export const longBytesMin = 1 << 20;

/** Of one piece, before its head: half of a batch, the other half of which may be others'. In
 * base64 it is 131,072 bytes; a multiple of 3. */
const pieceBytes = 98_304;

/** A message that goes to its upstream piece by piece. */
export interface LongMessage {
  /** All that is sent for it, about. */
  readonly bytes: number;
  /** Whether whole messages of other clients may go between two pieces. */
  readonly letsOthersPass: boolean;
  /** Puts the next piece behind what is in a batch; answers whether it was the last. */
  put(frames: FrameBatch): boolean;
}

/** A message of the log, with what is written before its members: `{"clientId":…,"route":…`. */
export interface LongSource {
  readonly log: MessageLog;
  readonly slot: Slot;
  readonly head: Uint8Array;
  readonly clientId: string;
}

/** One text message in fragments (RFC 6455 §5.4): control frames may come between them. */
export class FragmentedMessage implements LongMessage {
  readonly letsOthersPass = false;
  readonly bytes: number;
  readonly #source: LongSource;
  /** With the comma before the members. */
  readonly #headBytes: number;
  readonly #bodyBytes: number;
  #at = 0;

  constructor(source: LongSource) {
    this.#source = source;
    this.#headBytes = source.head.length + 1;
    this.#bodyBytes = source.log.bodyBytes(source.slot);
    this.bytes = this.#headBytes + this.#bodyBytes + 1;
  }

  put(frames: FrameBatch): boolean {
    const { log, slot, head } = this.#source;
    const from = this.#at;
    const isFirst = from === 0;
    // The head goes with the first piece of the body, the closing brace with the last.
    const bodyFrom = isFirst ? 0 : from - this.#headBytes;
    const bodyTo = Math.min(this.#bodyBytes, bodyFrom + pieceBytes);
    const isLast = bodyTo === this.#bodyBytes;
    const bytes = (isFirst ? this.#headBytes : 0) + bodyTo - bodyFrom + (isLast ? 1 : 0);
    const opcode = isFirst ? frameOpcode.text : frameOpcode.continuation;
    let at = frames.begin(opcode, bytes, { isFinal: isLast });
    const into = frames.array;
    if (isFirst) {
      into.set(head, at);
      at += head.length;
      into[at++] = comma;
    }
    at = log.copyPart(slot, bodyFrom, bodyTo, into, at);
    if (isLast) into[at++] = closingBrace;
    frames.finish(at);
    this.#at = from + bytes;
    return isLast;
  }
}

/** Where the data is in the body of a message that can be chunked, and what else it says. */
interface ChunkedBody {
  /** Positions of the base64 in the body. */
  readonly from: number;
  readonly to: number;
  readonly totalSize: number;
  readonly messageId: string;
  /** Members beside type, data and id; "" for none. */
  readonly members: string;
}

/** One message as start, chunks and end, in binary frames. */
export class ChunkedMessage implements LongMessage {
  readonly letsOthersPass = true;
  readonly bytes: number;
  readonly #source: LongSource;
  readonly #body: ChunkedBody;
  readonly #hash: number;
  readonly #sha256: Sha256;
  #index = -1;

  /** Undefined for a message the data of which is no base64, or not where it was put here: it can
   * only go as it is. */
  static of(source: LongSource, sha256: () => Sha256): ChunkedMessage | undefined {
    const body = chunkedBody(source);
    return body && new ChunkedMessage(source, body, sha256());
  }

  private constructor(source: LongSource, body: ChunkedBody, sha256: Sha256) {
    this.#source = source;
    this.#body = body;
    this.#sha256 = sha256;
    this.#hash = chunkHash(body.messageId);
    this.bytes = body.totalSize;
  }

  put(frames: FrameBatch): boolean {
    const index = this.#index++;
    const count = Math.ceil(this.#body.totalSize / pieceBytes);
    if (index < 0) putBinary(frames, this.#start(count));
    else if (index < count) this.#putChunk(frames, index);
    else {
      const id = quoteJson(this.#source.clientId);
      const messageId = quoteJson(this.#body.messageId);
      const sum = this.#sha256.hex();
      const json = `{"clientId":${id},"messageId":${messageId},"checksum":"${sum}"}`;
      putBinary(frames, encodeEnd(json));
      return true;
    }
    return false;
  }

  #start(count: number): Uint8Array {
    const { messageId, members, totalSize } = this.#body;
    const more = members === "" ? "" : `,${members}`;
    return encodeStart(
      `${decodeUtf8Lossy(this.#source.head)},"type":1,"messageId":${quoteJson(messageId)},` +
        `"totalSize":${totalSize},"chunkCount":${count}${more}}`,
    );
  }

  #putChunk(frames: FrameBatch, index: number): void {
    const { log, slot } = this.#source;
    const data = decodedPart(log, slot, partOf(this.#body, index));
    this.#sha256.update(data);
    const at = frames.begin(frameOpcode.binary, chunkHeadBytes + data.length);
    const chunk = { index, hash: this.#hash, length: data.length };
    const dataAt = writeChunkHead(frames.array, at, chunk);
    frames.array.set(data, dataAt);
    frames.finish(dataAt + data.length);
  }
}

function putBinary(frames: FrameBatch, bytes: Uint8Array): void {
  const at = frames.begin(frameOpcode.binary, bytes.length);
  frames.array.set(bytes, at);
  frames.finish(at + bytes.length);
}

function chunkedBody({ log, slot }: LongSource): ChunkedBody | undefined {
  const bodyBytes = log.bodyBytes(slot);
  const from = binaryDataStart.length;
  if (bodyBytes < from || partText(log, slot, 0, from) !== binaryDataStart) return undefined;
  const to = log.indexOf(slot, quote, from);
  if (to < 0 || bodyBytes - to > chunkJsonBytesMax || (to - from) % 4 !== 0) return undefined;
  const ends = partText(log, slot, Math.max(from, to - 2), to);
  const padding = ends === "==" ? 2 : ends.endsWith("=") ? 1 : 0;
  const totalSize = (to - from) / 4 * 3 - padding;
  // What a client wrote itself may hold anything.
  const count = Math.ceil(totalSize / pieceBytes);
  for (let index = 0; index < count; index++) {
    const data = decodedPartOrNone(log, slot, partOf({ from, to }, index));
    if (data?.length !== Math.min(pieceBytes, totalSize - index * pieceBytes)) return undefined;
  }
  const more = partText(log, slot, to + 1, bodyBytes).replace(/^\s*,/, "");
  const messageId = messageIdInMembers(more, new ClientMessage());
  const own = membersBesideChunks(more, ["messageId"]);
  if (typeof own === "string") return undefined;
  return { from, to, totalSize, messageId, members: own.members };
}

/** Positions of one piece of the base64. */
function partOf({ from, to }: { from: number; to: number }, index: number): [number, number] {
  const base64Bytes = pieceBytes / 3 * 4;
  const start = from + index * base64Bytes;
  return [start, Math.min(to, start + base64Bytes)];
}

function decodedPart(log: MessageLog, slot: Slot, [from, to]: [number, number]): Uint8Array {
  return Uint8Array.fromBase64(partText(log, slot, from, to));
}

function decodedPartOrNone(
  log: MessageLog,
  slot: Slot,
  part: [number, number],
): Uint8Array | undefined {
  try {
    return decodedPart(log, slot, part);
  } catch {
    // The decoder has no other way to say so; the caller gets a value.
    return undefined;
  }
}

function partText(log: MessageLog, slot: Slot, from: number, to: number): string {
  const bytes = new Uint8Array(to - from);
  log.copyPart(slot, from, to, bytes, 0);
  return decodeUtf8Lossy(bytes);
}

const quote = 0x22;
const comma = 0x2c;
const closingBrace = 0x7d;
