import {
  type CompressionOffer,
  type ConformanceCase,
  type DeflatedStep,
  type MessageKind,
  opcode,
} from "../case_types.ts";
import { asciiText, jsonText, mixedText, noisyBytes, repeatedBytes } from "../payloads.ts";
import {
  answered,
  awaitPong,
  binary,
  fails,
  frame,
  GroupOfCases,
  message,
  ping,
  text,
} from "../steps.ts";

const contents: readonly (readonly [string, MessageKind, (bytes: number) => Uint8Array])[] = [
  ["json", "text", jsonText],
  ["ascii", "text", asciiText],
  ["mixed", "text", mixedText],
  ["noise", "binary", noisyBytes],
  ["repeated", "binary", repeatedBytes],
];

const sizes = [16, 64, 256, 1_024, 4_096, 8_192, 16_384, 32_768, 131_072];

/** Enough that each message finds the ones before it in the window. */
const messagesEach = 5;

/** The gateway's links offer no compression to their upstreams. */
const only = "server";

const plainOffer: CompressionOffer = { header: "permessage-deflate", answer: "accepted" };

const offers: readonly (readonly [string, CompressionOffer])[] = [
  ["plain", plainOffer],
  ["server without context", {
    header: "permessage-deflate; server_no_context_takeover",
    answer: "accepted",
    parameters: ["server_no_context_takeover"],
  }],
  ["client without context", {
    header: "permessage-deflate; client_no_context_takeover",
    answer: "accepted",
  }],
  ["both without context", {
    header: "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
    answer: "accepted",
    parameters: ["server_no_context_takeover"],
  }],
  ["client window open", {
    header: "permessage-deflate; client_max_window_bits",
    answer: "accepted",
  }],
  ["client window 9", {
    header: "permessage-deflate; client_max_window_bits=9",
    answer: "accepted",
  }],
  ["wish with a fallback", {
    header: "permessage-deflate; server_max_window_bits=9, permessage-deflate",
    answer: "accepted",
  }],
];

/** Group 12: permessage-deflate over contents and sizes, and data that is none (RFC 7692 §7.2). */
export function deflateCases(): ConformanceCase[] {
  const group = new GroupOfCases({ number: 12, name: "deflate" });
  for (const [name, kind, content] of contents) {
    for (const size of sizes) {
      for (const isCut of [false, true]) {
        const how = isCut ? "in pieces" : "whole";
        const title = `${messagesEach} messages of ${size} bytes of ${name}, ${how}`;
        const make = () => row(kind, content(size), { isCut });
        group.add(`${name} ${size} ${how}`, title, make, { compression: plainOffer, only });
      }
    }
  }
  addBlocks(group);
  addFaults(group);
  return group.cases;
}

/** Group 13: what is offered, agreed and kept to (RFC 7692 §7.1). */
export function deflateOfferCases(): ConformanceCase[] {
  const group = new GroupOfCases({ number: 13, name: "deflate_offers" });
  for (const [name, compression] of offers) {
    for (const size of sizes) {
      for (const isCut of [false, true]) {
        const how = isCut ? "in pieces" : "whole";
        const title = `${messagesEach} messages of ${size} bytes, ${how}; offer: ${name}`;
        const make = () => row("text", jsonText(size), { isCut });
        group.add(`${name} ${size} ${how}`, title, make, { compression, only });
      }
    }
  }
  const wrong: readonly (readonly [string, string])[] = [
    ["unknown parameter", "permessage-deflate; colour=red"],
    ["window of 7 bits", "permessage-deflate; server_max_window_bits=7"],
    ["window of 16 bits", "permessage-deflate; server_max_window_bits=16"],
    ["window without bits", "permessage-deflate; server_max_window_bits"],
    ["window with a leading zero", "permessage-deflate; server_max_window_bits=09"],
    ["context with a value", "permessage-deflate; server_no_context_takeover=1"],
    ["client window of 7 bits", "permessage-deflate; client_max_window_bits=7"],
    ["parameter twice", `permessage-deflate${"; server_no_context_takeover".repeat(2)}`],
    ["another extension", "permessage-shrink"],
    ["no such token", "x-webkit-deflate-frame"],
  ];
  for (const [name, header] of wrong) {
    group.add(`declined ${name}`, `declined: ${header}`, () => ({
      steps: [text("plain")],
      expect: answered([message("text", "plain")]),
    }), { compression: { header, answer: "declined" }, only });
  }
  return group.cases;
}

function row(kind: MessageKind, payload: Uint8Array, { isCut }: { isCut: boolean }) {
  const fragmentBytes = isCut ? Math.max(1, payload.length >> 3) : undefined;
  const step: DeflatedStep = {
    step: "deflated",
    kind,
    payload,
    ...(fragmentBytes === undefined ? {} : { fragmentBytes }),
  };
  const all = Array.from({ length: messagesEach }, () => step);
  return { steps: all, expect: answered(all.map(({ payload }) => message(kind, payload))) };
}

function addBlocks(group: GroupOfCases): void {
  const payload = jsonText(3_000);
  const one: DeflatedStep = { step: "deflated", kind: "text", payload };
  const back = message("text", payload);
  const compression = plainOffer;
  for (const blocks of ["stored", "flushed", "final"] as const) {
    group.add(`blocks ${blocks}`, `a message whose DEFLATE blocks are ${blocks}`, () => ({
      steps: [{ ...one, blocks }, one],
      expect: answered([back, back]),
    }), { compression, only });
  }
  group.add("empty", "an empty message, compressed", () => ({
    steps: [{ ...one, payload: new Uint8Array(0), kind: "binary" }],
    expect: answered([message("binary", "")]),
  }), { compression, only });
  group.add("plain between", "messages without compression between compressed ones (§6)", () => ({
    steps: [one, text("plain"), one, binary("plain"), one],
    expect: answered([back, message("text", "plain"), back, message("binary", "plain"), back]),
  }), { compression, only });
  group.add("ping between pieces", "a ping between the pieces of a compressed message", () => ({
    steps: [{ ...one, fragmentBytes: 10 }, ping("between"), awaitPong("between"), one],
    expect: answered([back, back], ["between"]),
  }), { compression, only });
  group.add("byte by byte", "a compressed message, byte by byte", () => ({
    steps: [one],
    expect: answered([back]),
    chopBytes: 1,
  }), { compression, only });
}

function addFaults(group: GroupOfCases): void {
  const compression = plainOffer;
  const add = (words: string, title: string, make: ConformanceCase["make"]) => {
    group.add(words, title, make, { compression, only });
  };
  const deflated = Uint8Array.of(0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00);
  add("sample", "the example of RFC 7692 §7.2.3.1", () => ({
    steps: [frame(opcode.binary, deflated, { reserved: 4 })],
    expect: answered([message("binary", "Hello")]),
  }));
  add("sample in pieces", "the example of §7.2.3.1 in two frames", () => ({
    steps: [
      frame(opcode.binary, deflated.subarray(0, 3), { reserved: 4, fin: false }),
      frame(opcode.continuation, deflated.subarray(3)),
    ],
    expect: answered([message("binary", "Hello")]),
  }));
  for (const reserved of [1, 2, 3, 5, 6, 7]) {
    add(
      `reserved ${reserved}`,
      `bits ${reserved.toString(2)}, of which one has no meaning`,
      () => ({
        steps: [frame(opcode.binary, deflated, { reserved })],
        expect: fails(1002),
      }),
    );
  }
  add("continuation marked", "the bit on a continuation (§6.1)", () => ({
    steps: [
      frame(opcode.binary, deflated.subarray(0, 3), { reserved: 4, fin: false }),
      frame(opcode.continuation, deflated.subarray(3), { reserved: 4 }),
    ],
    expect: fails(1002),
  }));
  add("second piece marked", "the bit on a continuation of a plain message", () => ({
    steps: [
      frame(opcode.binary, deflated.subarray(0, 3), { fin: false }),
      frame(opcode.continuation, deflated.subarray(3), { reserved: 4 }),
    ],
    expect: fails(1002),
  }));
  for (const kind of ["ping", "pong", "close"] as const) {
    add(`${kind} marked`, `the bit on a ${kind} frame (§6.1)`, () => ({
      steps: [frame(opcode[kind], "", { reserved: 4 })],
      expect: fails(1002),
    }));
  }
  const broken: readonly (readonly [string, string, readonly number[]])[] = [
    ["block type", "a block of the type 3, which RFC 1951 reserves", [0x06, 0xff, 0x12, 0x34]],
    ["stored length", "a stored block whose two lengths do not fit", [
      0x00,
      0x05,
      0x00,
      0x11,
      0x11,
    ]],
    ["distance", "a copy from before the first byte", [0x02, 0x02, 0x00]],
  ];
  for (const [name, title, bytes] of broken) {
    add(`broken ${name}`, title, () => ({
      steps: [frame(opcode.binary, Uint8Array.from(bytes), { reserved: 4 })],
      expect: fails(1007, {}, { codes: [1002, 1009, 1011] }),
    }));
  }
  add("wrong text", "compressed bytes that are no UTF-8", () => ({
    steps: [{ step: "deflated", kind: "text", payload: Uint8Array.of(0x61, 0xed, 0xa0, 0x80) }],
    expect: fails(1007),
  }));
  group.add("bomb", "200 MiB of one byte: refused by its inflated size", () => ({
    steps: [{ step: "deflated", kind: "binary", payload: repeatedBytes(1 << 20), times: 200 }],
    expect: fails(1009),
  }), { compression, only, isHeavy: true });
}
