import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fromHex } from "./hex.ts";

/** One line of a recording (its README has the format). */
export interface TraceLine {
  readonly dir: "c2s" | "s2c" | "event" | "note";
  readonly conn?: string;
  readonly hex?: string;
  readonly hexTotalBytes?: number;
  readonly text?: string;
  readonly note?: string;
  readonly decoded?: {
    readonly requestId: number;
    readonly type: number;
    readonly command: string;
    readonly dataDiag: string;
    readonly timeout?: number;
    readonly timestamp?: number;
  } | null;
}

/** A whole frame of a recording; `bytes` is what crossed the wire. */
export interface Frame {
  readonly trace: string;
  readonly line: number;
  readonly dir: "c2s" | "s2c";
  readonly conn: string;
  readonly bytes: Uint8Array;
  readonly decoded: NonNullable<TraceLine["decoded"]> | undefined;
  /** The last note before it. */
  readonly note: string;
}

const folder = new URL("../../../shared/golden/freekill-asio/", import.meta.url);

/** Why tests of recordings are skipped, or false. */
const noTraces: string | false = existsSync(folder)
  ? false
  : "the recordings of the original server are not beside this checkout";

/** `describe` for tests of recordings. Without them it is one skipped test that says why. */
export function describeTraces(name: string, body: () => void): void {
  if (noTraces === false) describe(name, body);
  else it(name, { skip: noTraces }, () => {});
}

/** Names of the recordings of client traffic. */
export function traceNames(): string[] {
  if (noTraces !== false) return [];
  return readdirSync(folder).filter((name) => name.endsWith(".jsonl") && name !== "lua_rpc.jsonl")
    .map((name) => name.slice(0, -".jsonl".length)).sort();
}

export function traceLines(trace: string): TraceLine[] {
  return readFileSync(new URL(`${trace}.jsonl`, folder), "utf8").split("\n")
    .filter((line) => line !== "").map((line) => JSON.parse(line) as TraceLine);
}

/** The frames of a recording that are there in full, without datagrams. */
export function framesOf(trace: string): Frame[] {
  const frames: Frame[] = [];
  let note = "";
  for (const [line, found] of traceLines(trace).entries()) {
    if (found.dir === "note") note = found.text ?? "";
    if (found.dir !== "c2s" && found.dir !== "s2c") continue;
    if (found.conn === "udp" || found.hex === undefined || found.hexTotalBytes !== undefined) {
      continue;
    }
    frames.push({
      trace,
      line: line + 1,
      dir: found.dir,
      conn: found.conn ?? "",
      bytes: fromHex(found.hex),
      decoded: found.decoded ?? undefined,
      note: found.note ?? note,
    });
  }
  return frames;
}
