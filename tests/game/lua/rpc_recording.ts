import { existsSync, readFileSync } from "node:fs";
import { CborMap, CborSimple, CborTag, type CborValue } from "../../../src/wire/cbor.ts";
import { decodeUtf8 } from "../../../src/wire/utf8.ts";

const file = new URL(
  "../../../../shared/golden/freekill-asio/lua_rpc.jsonl",
  import.meta.url,
);

/** Why tests against the recorded traffic are skipped; false when it is there. */
export const noRecording: string | false = existsSync(file)
  ? false
  : "the recordings are not beside this checkout (shared/golden/freekill-asio)";

export interface RecordedRpc {
  readonly direction: "srv2lua" | "lua2srv";
  readonly bytes: Uint8Array;
  /** The whole message in diagnostic notation, see the recording's README. */
  readonly diag: string;
}

/** The trace lua_rpc, in order; empty when it is not there. */
export function recordedRpc(): readonly RecordedRpc[] {
  if (noRecording !== false) return [];
  return readFileSync(file, "utf8").trim().split("\n").map((line) => {
    const { dir, hex, diag } = JSON.parse(line) as Record<string, string>;
    if (dir !== "srv2lua" && dir !== "lua2srv") throw new Error(`Unknown direction: ${line}`);
    return { direction: dir, bytes: bytesOfHex(hex ?? ""), diag: diag ?? "" };
  });
}

export function bytesOfHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** Diagnostic notation as the recording's README describes it. */
export function diagOf(value: CborValue): string {
  if (value instanceof Uint8Array) {
    const text = decodeUtf8(value);
    // deno-lint-ignore no-control-regex
    const isPrintable = text !== undefined && !/[\u0000-\u001f\u007f]/.test(text);
    return isPrintable ? `'${text}'` : `h'${hexOf(value)}'`;
  }
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof CborMap) {
    return `{${value.entries.map(([key, one]) => `${diagOf(key)}: ${diagOf(one)}`).join(", ")}}`;
  }
  if (value instanceof CborTag) return `${value.tag}(${diagOf(value.value)})`;
  if (value instanceof CborSimple) return `simple(${value.code})`;
  if (Array.isArray(value)) {
    return `[${(value as readonly CborValue[]).map(diagOf).join(", ")}]`;
  }
  return String(value);
}

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
