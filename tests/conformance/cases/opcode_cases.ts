import { type ConformanceCase, opcode } from "../case_types.ts";
import { awaitMessages, fails, frame, GroupOfCases, message, ping, text } from "../steps.ts";

/** Group 4: opcodes that are not defined fail the connection (RFC 6455 §5.2). */
export function opcodeCases(): ConformanceCase[] {
  const group = new GroupOfCases({ number: 4, name: "opcodes" });
  for (const kind of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
    const what = kind > 7 ? "control" : "data";
    group.add(`${kind} empty`, `opcode ${kind}, a ${what} frame that is empty`, () => ({
      steps: [frame(kind)],
      expect: fails(1002),
    }));
    group.add(`${kind} full`, `opcode ${kind} with a payload`, () => ({
      steps: [frame(kind, "reserved for later")],
      expect: fails(1002),
    }));
    group.add(`${kind} after message`, `a message, opcode ${kind}, and a ping`, () => ({
      steps: [text("one"), awaitMessages(1), frame(kind, "two"), ping("late")],
      expect: fails(1002, { messages: [message("text", "one")] }),
    }));
    group.add(`${kind} within message`, `opcode ${kind} inside a message`, () => ({
      steps: [
        frame(opcode.text, "one", { fin: false }),
        frame(kind, "two"),
        frame(opcode.continuation, "three"),
      ],
      expect: fails(1002),
      isOneWrite: true,
    }));
  }
  return group.cases;
}
