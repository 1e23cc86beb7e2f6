import { stringIn } from "../base/json_scan.ts";
import {
  chunkHash,
  chunkJsonBytesMax,
  encodeStart,
  membersBesideChunks,
} from "../wire/gateway_chunk.ts";
import type { UpstreamMessage } from "../wire/gateway_message.ts";

/** Bytes of one chunk at most: some fit into what may wait for a client. */
export const chunkDataBytes = 196_608;

/** What makes as many bytes: characters of base64, in whole groups of four, or units of text. */
const base64Step = 262_144;
const textStep = 65_536;

/** A message that goes to its client in chunks. */
export interface ChunkSource {
  /** The frame that comes first. */
  readonly startFrame: Uint8Array;
  readonly messageId: string;
  readonly hash: number;
  /** Memory that it takes, about, in bytes. */
  readonly length: number;
  /** Writes the data of the next chunk; returns its bytes, 0 after the last. `into` has room for
   * `chunkDataBytes`. */
  next(into: Uint8Array): number;
  /** Nothing more is asked of it. */
  free(): void;
}

/**
 * A message of an upstream that goes to its client in chunks: gives the data piece by piece, out of
 * the text as it came.
 */
export class ChunkedText implements ChunkSource {
  readonly startFrame: Uint8Array;
  readonly messageId: string;
  readonly hash: number;
  readonly #data: string;
  readonly #isBase64: boolean;
  #at = 0;

  /** Undefined where the message would not be the same afterwards: a control message, data that is
   * no base64 or has lone surrogates, or much beside the data. `message` was read from the text. */
  static of(text: string, message: UpstreamMessage): ChunkedText | undefined {
    const { type, dataFrom, dataTo, messageId } = message;
    if (type === 2 || dataTo === 0) return undefined;
    if (text.length - (dataTo - dataFrom) > chunkJsonBytesMax) return undefined;
    const own = membersBesideChunks(beside(text, message));
    if (typeof own === "string") return undefined;
    const data = stringIn(text, dataFrom, dataTo);
    const isBase64 = type === 1;
    const size = isBase64 ? sizeOfBase64(data) : sizeOfText(data);
    if (size === undefined) return undefined;
    const named = own.members.includes('"messageId"') || messageId !== ""
      ? own.members
      : `"messageId":"",${own.members}`;
    const start = `{"totalSize":${size.bytes},"chunkCount":${size.chunks},"type":${type},${named}}`;
    return new ChunkedText(encodeStart(start), { messageId, data, isBase64 });
  }

  private constructor(
    startFrame: Uint8Array,
    { messageId, data, isBase64 }: { messageId: string; data: string; isBase64: boolean },
  ) {
    this.startFrame = startFrame;
    this.messageId = messageId;
    this.hash = chunkHash(messageId);
    this.#data = data;
    this.#isBase64 = isBase64;
  }

  get length(): number {
    return this.#data.length;
  }

  next(into: Uint8Array): number {
    const from = this.#at;
    if (from >= this.#data.length) return 0;
    const to = this.#isBase64 ? from + base64Step : textEnd(this.#data, from);
    this.#at = to;
    const piece = this.#data.slice(from, to);
    if (this.#isBase64) return into.setFromBase64(piece).written;
    return encoder.encodeInto(piece, into).written;
  }

  /** A text is its collector's. */
  free(): void {}
}

const encoder = new TextEncoder();

/** The members of a message, its data left empty. */
function beside(text: string, { dataFrom, dataTo, scan }: UpstreamMessage): string {
  return `${text.slice(scan.bodyFrom, dataFrom)}""${text.slice(dataTo, scan.bodyTo)}`;
}

interface DataSize {
  readonly bytes: number;
  readonly chunks: number;
}

function sizeOfBase64(data: string): DataSize | undefined {
  const scratch = new Uint8Array(chunkDataBytes);
  let bytes = 0;
  let chunks = 0;
  for (let at = 0; at < data.length; at += base64Step) {
    const piece = data.slice(at, at + base64Step);
    const written = writtenFromBase64(piece, scratch);
    const padding = piece.endsWith("==") ? 2 : piece.endsWith("=") ? 1 : 0;
    // The decoder skips white space, and padding may only stand at the end of all.
    if (written !== piece.length / 4 * 3 - padding) return undefined;
    if (padding > 0 && at + base64Step < data.length) return undefined;
    bytes += written;
    chunks++;
  }
  return { bytes, chunks };
}

function writtenFromBase64(piece: string, scratch: Uint8Array): number {
  try {
    return scratch.setFromBase64(piece, { lastChunkHandling: "strict" }).written;
  } catch {
    // The decoder has no other way to say so; the caller gets a value that cannot be.
    return -1;
  }
}

function sizeOfText(data: string): DataSize | undefined {
  if (!data.isWellFormed()) return undefined;
  const scratch = new Uint8Array(chunkDataBytes);
  let bytes = 0;
  let chunks = 0;
  for (let from = 0; from < data.length;) {
    const to = textEnd(data, from);
    bytes += encoder.encodeInto(data.slice(from, to), scratch).written;
    chunks++;
    from = to;
  }
  return { bytes, chunks };
}

/** Where the piece that begins at `from` ends: not within a pair of surrogates. */
function textEnd(data: string, from: number): number {
  const to = Math.min(data.length, from + textStep);
  const isPair = to < data.length && (data.charCodeAt(to - 1) & 0xfc00) === 0xd800;
  return isPair ? to - 1 : to;
}
