/** Words to write scripts with. */
import {
  type CaseGroup,
  type ConformanceCase,
  type Expectation,
  type FrameStep,
  type Message,
  type MessageKind,
  opcode,
  type Script,
  type Step,
} from "./case_types.ts";

const encoder = new TextEncoder();

export function bytesOf(payload: Uint8Array | string): Uint8Array {
  return typeof payload === "string" ? encoder.encode(payload) : payload;
}

export function frame(
  kind: number,
  payload: Uint8Array | string = "",
  quirks: Partial<Omit<FrameStep, "step" | "opcode" | "payload">> = {},
): FrameStep {
  return {
    step: "frame",
    opcode: kind,
    payload: bytesOf(payload),
    fin: true,
    reserved: 0,
    isWronglyMasked: false,
    ...quirks,
  };
}

export function text(payload: Uint8Array | string): FrameStep {
  return frame(opcode.text, payload);
}

export function binary(payload: Uint8Array | string): FrameStep {
  return frame(opcode.binary, payload);
}

export function ping(payload: Uint8Array | string): FrameStep {
  return frame(opcode.ping, payload);
}

export function close(code?: number, reason: Uint8Array | string = ""): FrameStep {
  if (code === undefined) return frame(opcode.close);
  return frame(opcode.close, Uint8Array.of(code >> 8, code & 255, ...bytesOf(reason)));
}

/** A message of that kind in these pieces, empty ones included. */
export function fragments(
  kind: MessageKind,
  pieces: readonly (Uint8Array | string)[],
): FrameStep[] {
  return pieces.map((piece, index) =>
    frame(index === 0 ? opcode[kind] : opcode.continuation, piece, {
      fin: index === pieces.length - 1,
    })
  );
}

/** Pieces of `size` bytes; the last one may be shorter. */
export function cut(payload: Uint8Array, size: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < payload.length; at += size) pieces.push(payload.subarray(at, at + size));
  return pieces.length === 0 ? [payload] : pieces;
}

export function awaitPong(payload: string): Step {
  return { step: "await_pong", payload: bytesOf(payload) };
}

export function awaitMessages(count: number): Step {
  return { step: "await_messages", count };
}

export function message(kind: MessageKind, payload: Uint8Array | string): Message {
  return { kind, payload: bytesOf(payload) };
}

/** Everything is taken: these messages and pongs come back, then the runner closes. */
export function answered(
  messages: readonly Message[],
  pongs: readonly (Uint8Array | string)[] = [],
  lenient?: Expectation["lenient"],
): Expectation {
  const what = { messages, pongs: pongs.map(bytesOf), ending: { by: "us" } } as const;
  return lenient === undefined ? what : { ...what, lenient };
}

/** The peer fails the connection with this code, after what comes before the fault. */
export function fails(
  code: number,
  before: { messages?: readonly Message[]; pongs?: readonly (Uint8Array | string)[] } = {},
  lenient?: Expectation["lenient"],
): Expectation {
  return {
    messages: before.messages ?? [],
    pongs: (before.pongs ?? []).map(bytesOf),
    ending: { by: "peer", codes: [code] },
    lenient: { mayLack: true, ...lenient },
  };
}

/** The script's own close frame is answered with the code. */
export function closesWith(code: number, lenient?: Expectation["lenient"]): Expectation {
  const what = { messages: [], pongs: [], ending: { by: "script", code } } as const;
  return lenient === undefined ? what : { ...what, lenient };
}

/** Collects the cases of one group. */
export class GroupOfCases {
  readonly cases: ConformanceCase[] = [];
  readonly #group: CaseGroup;
  readonly #isHeavy: boolean;

  constructor(group: CaseGroup, { isHeavy = false } = {}) {
    this.#group = group;
    this.#isHeavy = isHeavy;
  }

  /** `words` become the id: the group's name, a full stop, and they with hyphens. */
  add(
    words: string,
    title: string,
    make: () => Script,
    more: Partial<Pick<ConformanceCase, "isHeavy" | "compression" | "only">> = {},
  ): void {
    const id = `${this.#group.name}.${words.replaceAll(" ", "-")}`;
    this.cases.push({ id, group: this.#group, title, isHeavy: this.#isHeavy, make, ...more });
  }
}
