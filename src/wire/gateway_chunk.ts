/** The binary frames in which a large message travels: a start, chunks, and an end. */
import { JsonMembers, stringIn } from "../base/json_scan.ts";
import {
  ClientMessage,
  type MessageType,
  readClientMessage,
  readUpstreamMessage,
  UpstreamMessage,
} from "./gateway_message.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

/** Data of one chunk. */
export const chunkBytesMax = 1_048_576;

/** The JSON of a start or an end: what is longer is none. */
export const chunkJsonBytesMax = 16_384;

/** First byte, index, hash and length of a chunk, before its data. */
export const chunkHeadBytes = 13;

const startByte = 1;
const chunkByte = 2;
const endByte = 3;

/** What a start announces; its numbers are judged. */
export interface TransferStart {
  /** "" for none. */
  readonly messageId: string;
  readonly hash: number;
  /** Bytes of the data, and the chunks that they come in. */
  readonly totalSize: number;
  readonly chunkCount: number;
  /** "" for none. */
  readonly checksum: string;
  /** Whom it is for, from an upstream; "" from a client. */
  readonly clientId: string;
  /** 1 from a client, whatever it said. */
  readonly type: MessageType;
  readonly ack: boolean | undefined;
  readonly priority: number;
  /** The members that the message has beside `type` and `data`, as they came; "" for none. */
  readonly members: string;
}

export type ChunkFrame =
  | { readonly kind: "start"; readonly start: TransferStart }
  /** One that breaks a rule; `fault` says which, in a few words. */
  | { readonly kind: "bad_start"; readonly messageId: string; readonly fault: string }
  /** The data is a view of the frame. */
  | {
    readonly kind: "chunk";
    readonly index: number;
    readonly hash: number;
    readonly data: Uint8Array;
  }
  | { readonly kind: "end"; readonly messageId: string; readonly checksum: string };

/**
 * Reads a binary frame. Undefined for one that is a message of its own: it begins with another byte
 * than 1, 2 or 3, or it is not built as its first byte says.
 */
export function parseChunkFrame(
  bytes: Uint8Array,
  options: { from: "client" | "upstream"; totalSizeMax: number },
): ChunkFrame | undefined {
  switch (bytes[0]) {
    case startByte:
      return parseStart(bytes, options);
    case chunkByte:
      return parseChunk(bytes);
    case endByte:
      return parseEnd(bytes);
    default:
      return undefined;
  }
}

/** Names a transfer in its chunks: over the code points of its message id, h · 31 + c modulo 2^32. */
export function chunkHash(messageId: string): number {
  let hash = 0;
  for (const char of messageId) hash = (Math.imul(hash, 31) + char.codePointAt(0)!) | 0;
  return hash >>> 0;
}

/** A start, from its JSON. */
export function encodeStart(json: string): Uint8Array {
  return withFirst(startByte, json);
}

/** An end, from its JSON. */
export function encodeEnd(json: string): Uint8Array {
  return withFirst(endByte, json);
}

/** Writes what comes before the data of a chunk; returns the position behind it. */
export function writeChunkHead(
  into: Uint8Array,
  at: number,
  chunk: { index: number; hash: number; length: number },
): number {
  into[at] = chunkByte;
  putU32(into, at + 1, chunk.index);
  putU32(into, at + 5, chunk.hash);
  putU32(into, at + 9, chunk.length);
  return at + chunkHeadBytes;
}

function parseChunk(bytes: Uint8Array): ChunkFrame | undefined {
  if (bytes.length < chunkHeadBytes) return undefined;
  if (u32At(bytes, 9) !== bytes.length - chunkHeadBytes) return undefined;
  const data = bytes.subarray(chunkHeadBytes);
  return { kind: "chunk", index: u32At(bytes, 1), hash: u32At(bytes, 5), data };
}

function parseEnd(bytes: Uint8Array): ChunkFrame | undefined {
  const { messageId, checksum = "" } = jsonOf(bytes)?.value ?? {};
  if (typeof messageId !== "string" || typeof checksum !== "string") return undefined;
  return { kind: "end", messageId, checksum };
}

function parseStart(
  bytes: Uint8Array,
  { from, totalSizeMax }: { from: "client" | "upstream"; totalSizeMax: number },
): ChunkFrame | undefined {
  const json = jsonOf(bytes);
  const messageId = json?.value.messageId;
  if (json === undefined || typeof messageId !== "string") return undefined;
  const read = from === "client" ? readClientStart(json.text) : readUpstreamStart(json.text);
  if (typeof read === "string") return { kind: "bad_start", messageId, fault: read };
  const own = membersBesideChunks(read.members);
  if (typeof own === "string") return { kind: "bad_start", messageId, fault: own };
  const { totalSize, chunkCount, checksum = "" } = json.value;
  const fault = judgeNumbers(totalSize, chunkCount, totalSizeMax) ??
    (typeof checksum === "string" ? undefined : "checksum must be a text");
  if (fault !== undefined) return { kind: "bad_start", messageId, fault };
  const start = {
    ...read,
    hash: chunkHash(messageId),
    messageId,
    totalSize: totalSize as number,
    chunkCount: chunkCount as number,
    checksum: checksum as string,
    members: own.members,
  };
  return { kind: "start", start };
}

type StartMembers = Pick<TransferStart, "clientId" | "type" | "ack" | "priority" | "members">;

function readClientStart(text: string): StartMembers | string {
  const message = new ClientMessage();
  const fault = readClientMessage(text, message);
  if (fault !== undefined) return fault;
  const { ack, members } = message;
  return { clientId: "", type: 1, ack, priority: message.priority ?? 0, members };
}

function readUpstreamStart(text: string): StartMembers | string {
  const message = new UpstreamMessage();
  const fault = readUpstreamMessage(text, message);
  if (fault !== undefined) return fault;
  const { clientId, scan } = message;
  if (message.type === 2) return "type must be 0 or 1";
  // It is 1 where it is missing, as chunks always were.
  const type = hasMember(text, "type") ? message.type : 1;
  const members = text.slice(scan.bodyFrom, scan.bodyTo);
  return { clientId, type, ack: undefined, priority: 0, members };
}

/**
 * The members of a message but `type`, `data`, those that say how it is chunked, and some more. What
 * is wrong with them when one of those comes twice.
 */
export function membersBesideChunks(
  members: string,
  more: readonly string[] = [],
): { readonly members: string } | string {
  const text = `{${members}}`;
  const scan = new JsonMembers();
  const kept: string[] = [];
  const seen = new Set<string>();
  scan.begin(text);
  while (scan.next() === 1) {
    const name = stringIn(text, scan.nameFrom, scan.nameTo);
    if (!ours.has(name) && !more.includes(name)) kept.push(text.slice(scan.nameFrom, scan.valueTo));
    else if (seen.has(name)) return `${name} comes twice`;
    seen.add(name);
  }
  return { members: kept.join(",") };
}

const ours: ReadonlySet<string> = new Set(["totalSize", "chunkCount", "checksum", "type", "data"]);

function hasMember(text: string, name: string): boolean {
  const scan = new JsonMembers();
  scan.begin(text);
  while (scan.next() === 1) {
    if (stringIn(text, scan.nameFrom, scan.nameTo) === name) return true;
  }
  return false;
}

/** What is wrong with the numbers of a start; undefined when nothing is. */
function judgeNumbers(
  totalSize: unknown,
  chunkCount: unknown,
  totalSizeMax: number,
): string | undefined {
  if (!isCount(totalSize)) return "totalSize must be a whole number";
  if (totalSize > totalSizeMax) return `totalSize must be at most ${totalSizeMax}`;
  if (!isCount(chunkCount)) return "chunkCount must be a whole number";
  const least = Math.ceil(totalSize / chunkBytesMax);
  const most = Math.max(totalSize, 1);
  if (chunkCount >= least && chunkCount <= most) return undefined;
  return `chunkCount must be ${least}–${most} for a totalSize of ${totalSize}`;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** The object behind the first byte, if there is one. */
function jsonOf(
  bytes: Uint8Array,
): { readonly text: string; readonly value: Record<string, unknown> } | undefined {
  if (bytes.length > 1 + chunkJsonBytesMax) return undefined;
  const text = decodeUtf8(bytes.subarray(1));
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    return { text, value: value as Record<string, unknown> };
  } catch {
    // Whoever sent it meant something else: the caller takes it for a message of its own.
    return undefined;
  }
}

function withFirst(first: number, json: string): Uint8Array {
  const bytes = encodeUtf8(json);
  const frame = new Uint8Array(1 + bytes.length);
  frame[0] = first;
  frame.set(bytes, 1);
  return frame;
}

function putU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

function u32At(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>>
    0;
}
