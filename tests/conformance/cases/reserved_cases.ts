import { type ConformanceCase, opcode } from "../case_types.ts";
import {
  awaitMessages,
  awaitPong,
  fails,
  frame,
  GroupOfCases,
  message,
  ping,
  text,
} from "../steps.ts";

/** Group 3: reserved bits are 0 where no extension gives them a meaning (RFC 6455 §5.2). */
export function reservedBitCases(): ConformanceCase[] {
  const group = new GroupOfCases({ number: 3, name: "reserved_bits" });
  const kinds = [
    ["text", opcode.text],
    ["binary", opcode.binary],
    ["ping", opcode.ping],
    ["pong", opcode.pong],
    ["close", opcode.close],
  ] as const;
  for (let reserved = 1; reserved < 8; reserved++) {
    const bits = reserved.toString(2).padStart(3, "0");
    for (const [name, kind] of kinds) {
      group.add(`${bits} ${name}`, `a ${name} frame with the bits ${bits}`, () => ({
        steps: [frame(kind, "", { reserved })],
        expect: fails(1002),
      }));
    }
    group.add(`${bits} after message`, `a message, then a frame with the bits ${bits}`, () => ({
      steps: [text("one"), awaitMessages(1), frame(opcode.text, "two", { reserved }), ping("late")],
      expect: fails(1002, { messages: [message("text", "one")] }),
    }));
  }
  group.add("continuation", "a continuation with the first bit", () => ({
    steps: [
      frame(opcode.text, "one", { fin: false }),
      ping("between"),
      awaitPong("between"),
      frame(opcode.continuation, "two", { reserved: 4 }),
    ],
    expect: fails(1002, { pongs: ["between"] }),
  }));
  const row = [text("one"), frame(opcode.text, "two", { reserved: 4 }), ping("late")];
  const expect = fails(1002, { messages: [message("text", "one")] });
  group.add("one write", "a message, a faulty one and a ping in one write", () => ({
    steps: row,
    expect,
    isOneWrite: true,
  }));
  group.add("chopped", "the same, byte by byte", () => ({ steps: row, expect, chopBytes: 1 }));
  return group.cases;
}
