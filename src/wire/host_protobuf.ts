import { runtime } from "./host_protobuf_static.js";

/** `runtime.Ping` of the host protocol: what a probe sends. */
export interface Ping {
  readonly payload: string;
  /** 0 … 2^32−1. */
  readonly seq: number;
}

/** Bytes that a Ping may have, all fields together: the size of a command. */
export const pingBytesMax = 2_048;

/** `runtime.Pong` with `ok` set; fields that hold their default are left out, as proto3 has it. */
export function encodePong(pong: { payload: string; seq: number }): Uint8Array {
  return runtime.Pong.encode({ payload: pong.payload, seq: pong.seq, ok: true }).finish();
}

/** `runtime.Ping`, for probes and tests. */
export function encodePing(ping: { payload: string; seq: number; keep: boolean }): Uint8Array {
  return runtime.Ping.encode(ping).finish();
}

/** A Pong's fields. Throws when the bytes are no Pong. */
export function decodePong(bytes: Uint8Array): { payload: string; seq: number; ok: boolean } {
  return runtime.Pong.decode(bytes);
}

/** A whole Ping, or undefined when the bytes are none. */
export function decodePing(bytes: Uint8Array): Ping | undefined {
  const { kind } = scanPing(bytes);
  return kind === "malformed" || kind === "inside_field" ? undefined : readPing(bytes);
}

/**
 * Where the bytes that came so far stand. A stream carries no length, so the end of a Ping is seen
 * only by its last field: `complete` when field 3 has been read, `between_fields` when the bytes
 * are a valid Ping already but more may follow.
 */
export type PingProgress =
  | { readonly kind: "complete"; readonly bytes: number }
  | { readonly kind: "between_fields" }
  | { readonly kind: "inside_field" }
  | { readonly kind: "malformed" };

/** Walks the fields of a Ping that comes in pieces (Protocol Buffers encoding, wire types 0–2, 5). */
export function scanPing(bytes: Uint8Array): PingProgress {
  let at = 0;
  while (at < bytes.length) {
    const tag = readVarint(bytes, at);
    if (tag === "short") return inside(bytes);
    if (tag === "malformed") return malformed;
    const field = Math.floor(tag.value / 8);
    const wireType = tag.value % 8;
    if (field === 0 || field > fieldNumberMax) return malformed;
    if (field <= 3 && wireType !== (field === 1 ? 2 : 0)) return malformed;
    const end = fieldEnd(bytes, tag.end, wireType);
    if (end === "malformed") return malformed;
    if (end === "short" || end > bytes.length) return inside(bytes);
    if (field === 3) return { kind: "complete", bytes: end };
    at = end;
  }
  return bytes.length > pingBytesMax ? malformed : { kind: "between_fields" };
}

/** Reads a Ping that `scanPing` found whole; undefined when its payload is not UTF-8. */
export function readPing(bytes: Uint8Array): Ping | undefined {
  if (bytes.length > pingBytesMax) return undefined;
  try {
    // The reader turns broken UTF-8 into U+FFFD; a reply made of that would not be the payload.
    const ping = runtime.Ping.decode(bytes);
    if (ping.payload.includes("\ufffd") && !isUtf8(bytes)) return undefined;
    return { payload: ping.payload, seq: ping.seq };
  } catch {
    // Any exception of the reader means the same: not a Ping.
    return undefined;
  }
}

const malformed: PingProgress = { kind: "malformed" };
const fieldNumberMax = 536_870_911;

function inside(bytes: Uint8Array): PingProgress {
  return bytes.length >= pingBytesMax ? malformed : { kind: "inside_field" };
}

function fieldEnd(bytes: Uint8Array, at: number, wireType: number): number | "short" | "malformed" {
  if (wireType === 1) return at + 8;
  if (wireType === 5) return at + 4;
  if (wireType !== 0 && wireType !== 2) return "malformed";
  const value = readVarint(bytes, at);
  if (value === "short" || value === "malformed") return value;
  if (wireType === 0) return value.end;
  return value.value > pingBytesMax ? "malformed" : value.end + value.value;
}

function readVarint(
  bytes: Uint8Array,
  at: number,
): { value: number; end: number } | "short" | "malformed" {
  let value = 0;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return "short";
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, end: at + i + 1 };
  }
  return "malformed";
}

/** Whether each payload field (1) of a scanned Ping is UTF-8. */
function isUtf8(bytes: Uint8Array): boolean {
  let at = 0;
  while (at < bytes.length) {
    const tag = readVarint(bytes, at);
    if (typeof tag === "string") return false;
    const end = fieldEnd(bytes, tag.end, tag.value % 8);
    if (typeof end === "string") return false;
    if (tag.value === 0x0a) {
      const length = readVarint(bytes, tag.end);
      if (typeof length === "string") return false;
      try {
        new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(length.end, end));
      } catch {
        // The decoder's way of saying no.
        return false;
      }
    }
    at = end;
  }
  return true;
}
