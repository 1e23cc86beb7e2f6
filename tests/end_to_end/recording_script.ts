import { encode } from "../client/cbor.ts";
import { diagnose, diagnoseText, fromHex } from "../client/diagnosis.ts";
import { GamePacket, packetBytes, packetType } from "../client/game_packet.ts";
import { type TraceLine, traceLines } from "../wire/golden_traces.ts";

type Line = TraceLine & { readonly t_ms: number; readonly event?: string };

/** One step of a recording, with its line; steps of the table have the line that they stand for. */
export type Step =
  & { readonly line: number; readonly atMs: number }
  & (
    | { readonly kind: "note"; readonly text: string }
    /** `connected`, `client_close`, `client_reset`, or `server_end`: the server closes. */
    | { readonly kind: "event"; readonly conn: string; readonly event: string }
    | {
      readonly kind: "sent";
      readonly conn: string;
      readonly bytes: Uint8Array;
      /** How the bytes were cut into segments, when it matters. */
      readonly manner: string;
    }
    | ExpectedStep
  );

export interface ExpectedStep {
  readonly line: number;
  readonly atMs: number;
  readonly kind: "expected";
  readonly conn: string;
  readonly type: number;
  readonly command: string;
  readonly diag: string;
  /** How often somebody had spoken before: what is said twice between two such times is doubled. */
  readonly turn: number;
}

/**
 * Where this server differs from the recorded one on purpose: the lines `from`–`to` are replaced by
 * `instead`, and the comparison goes on behind them. An entry of `instead` is the number of a
 * recorded line that stays, or `A > Command {"json": "data"}` (sent), `A < Command diagnosis`
 * (expected), `A closed` (by the server).
 */
export interface Deviation {
  readonly trace: string;
  readonly from: number;
  readonly to: number;
  readonly why: string;
  readonly instead: readonly (number | string)[];
}

/** The steps of a recording, with the deviations of the table put in. */
export function readScript(trace: string, deviations: readonly Deviation[]): Step[] {
  const lines = traceLines(trace) as Line[];
  const open = [...deviations].sort((one, other) => one.from - other.from);
  const steps: Step[] = [];
  for (let number = 1; number <= lines.length; number++) {
    const deviation = open[0]?.from === number ? open.shift() : undefined;
    if (deviation === undefined) {
      steps.push(...stepOf(lines, number));
      continue;
    }
    for (const each of deviation.instead) {
      if (typeof each === "number") steps.push(...stepOf(lines, each));
      else steps.push(shorthand(each, { line: number, atMs: (lines[number - 1] as Line).t_ms }));
    }
    number = deviation.to;
  }
  if (open.length > 0) throw new Error(`${trace} has no line ${open[0]?.from}, or it is replaced`);
  let turn = 0;
  return withoutTail(steps).map((step) => {
    if (step.kind === "sent") turn++;
    return step.kind === "expected" ? { ...step, turn } : step;
  });
}

/** At the end all clients go at once; what they would be told then is not looked at. */
function withoutTail(steps: Step[]): Step[] {
  const last = steps.findLastIndex((step) => step.kind === "sent" || step.kind === "note");
  const close = steps.findIndex((step, at) => {
    return at > last && step.kind === "event" && step.event === "client_close";
  });
  return close < 0 ? steps : steps.slice(0, close);
}

function stepOf(lines: readonly Line[], number: number): Step[] {
  const line = lines[number - 1] as Line;
  const { conn = "", dir, decoded } = line;
  const place = { line: number, atMs: line.t_ms };
  if (dir === "note") return [{ ...place, kind: "note", text: line.text ?? "" }];
  if (dir === "event") {
    const name = line.event ?? "";
    const event = name === "server_fin" || name === "error" ? "server_end" : name;
    return event === "closed" ? [] : [{ ...place, kind: "event", conn, event }];
  }
  if (dir === "c2s") {
    const bytes = sentBytes(line);
    return [{ ...place, kind: "sent", conn, bytes, manner: line.note ?? "" }];
  }
  if (decoded == null) throw new Error(`line ${number}: the server sent no packet`);
  const { command, type } = decoded;
  const packet = line.hex === undefined ? undefined : new GamePacket(fromHex(line.hex));
  const diag = packet === undefined
    ? decoded.dataDiag
    : packet.isBareText
    ? diagnoseText(packet.data)
    : diagnose(packet.data, { marks: true });
  return [{ ...place, kind: "expected", conn, type, command, diag, turn: 0 }];
}

/** What was sent; the rest of a frame that the recording cuts is made up. */
function sentBytes({ hex = "", hexTotalBytes, note }: Line): Uint8Array {
  const head = fromHex(hex);
  if (hexTotalBytes === undefined) return head;
  const bytes = new Uint8Array(hexTotalBytes).fill(head.at(-1) ?? 0);
  if (note === "random bytes") {
    for (let at = 0, state = 1; at < bytes.length; at++) {
      state = Math.imul(state, 1_103_515_245) + 12_345;
      bytes[at] = state >>> 16;
    }
  }
  bytes.set(head);
  return bytes;
}

function shorthand(text: string, place: { line: number; atMs: number }): Step {
  const closed = /^(\w+) closed$/.exec(text);
  if (closed !== null) {
    return { ...place, kind: "event", conn: closed[1] as string, event: "server_end" };
  }
  const [, conn = "", way, command = "", rest = ""] =
    /^(\w+) ([<>]) (\w+)(?: (.*))?$/s.exec(text) ?? [];
  if (way === "<") {
    const type = packetType.serverNotification;
    return { ...place, kind: "expected", conn, type, command, diag: rest, turn: 0 };
  }
  if (way !== ">") throw new Error(`the table of deviations has "${text}", which is no step`);
  const data = rest === "" ? new Uint8Array(0) : encode(JSON.parse(rest));
  const bytes = packetBytes({ id: -2, type: packetType.notification, command, data });
  return { ...place, kind: "sent", conn, bytes, manner: "" };
}
