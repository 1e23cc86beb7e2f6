import { type ConformanceCase, opcode } from "../case_types.ts";
import { asciiText, binaryBytes } from "../payloads.ts";
import {
  answered,
  awaitPong,
  fails,
  fragments,
  frame,
  GroupOfCases,
  message,
  ping,
  text,
} from "../steps.ts";

/** Group 2: pings are answered with their payload, pongs with nothing (RFC 6455 §5.5.2, §5.5.3). */
export function pingCases(): ConformanceCase[] {
  const group = new GroupOfCases({ number: 2, name: "pings" });
  const payloads: readonly (readonly [string, Uint8Array])[] = [
    ["empty", new Uint8Array(0)],
    ["short", asciiText(4)],
    ["not utf8", Uint8Array.of(0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff)],
    ["125", binaryBytes(125)],
  ];
  for (const [name, payload] of payloads) {
    const script = { steps: [ping(payload)], expect: answered([], [payload]) };
    group.add(name, `a ping whose payload is ${name}`, () => script);
    group.add(`${name} chopped`, `the same, byte by byte`, () => ({ ...script, chopBytes: 1 }));
  }
  for (const length of [126, 127, 65_536]) {
    group.add(`over 125 with ${length}`, `a ping of ${length} bytes (§5.5: at most 125)`, () => ({
      steps: [ping(binaryBytes(length))],
      expect: fails(1002),
    }));
  }
  group.add("over 125 pong", "a pong of 126 bytes", () => ({
    steps: [frame(opcode.pong, binaryBytes(126))],
    expect: fails(1002),
  }));
  addPongCases(group);
  addRowCases(group);
  return group.cases;
}

function addPongCases(group: GroupOfCases): void {
  for (const payload of ["", "nobody asked"]) {
    const name = payload === "" ? "empty" : "full";
    group.add(`unsolicited pong ${name}`, "a pong without a ping has no answer", () => ({
      steps: [frame(opcode.pong, payload)],
      expect: answered([]),
    }));
  }
  group.add("unsolicited pong then ping", "a pong without a ping, then a ping", () => ({
    steps: [frame(opcode.pong, "nobody asked"), ping("still there")],
    expect: answered([], ["still there"]),
  }));
  group.add("fragmented pong", "a pong without its FIN bit (§5.4: never in pieces)", () => ({
    steps: [frame(opcode.pong, "half", { fin: false })],
    expect: fails(1002),
  }));
  group.add("fragmented ping", "a ping without its FIN bit", () => ({
    steps: [frame(opcode.ping, "half", { fin: false }), frame(opcode.continuation, "other half")],
    expect: fails(1002),
  }));
}

function addRowCases(group: GroupOfCases): void {
  const row = Array.from({ length: 10 }, (_, index) => `ping ${index}`);
  const expect = answered([], row, { lastPongOnly: true });
  group.add("ten", "ten pings, a write each", () => ({ steps: row.map(ping), expect }));
  group.add("ten in one write", "ten pings in one write", () => ({
    steps: row.map(ping),
    expect,
    isOneWrite: true,
  }));
  group.add("ten chopped", "ten pings, byte by byte", () => ({
    steps: row.map(ping),
    expect,
    chopBytes: 1,
  }));
  group.add("ten awaited", "ten pings, each sent when the one before is answered", () => ({
    steps: row.flatMap((payload) => [ping(payload), awaitPong(payload)]),
    expect: answered([], row),
  }));
  group.add("between messages", "a ping between two messages", () => ({
    steps: [text("one"), ping("between"), text("two")],
    expect: answered([message("text", "one"), message("text", "two")], ["between"]),
  }));
  group.add("within message", "a ping is answered before the message around it is over", () => ({
    steps: [
      ...fragments("text", ["one ", "two"]).slice(0, 1),
      ping("within"),
      awaitPong("within"),
      frame(opcode.continuation, "two"),
    ],
    expect: answered([message("text", "one two")], ["within"]),
  }));
}
