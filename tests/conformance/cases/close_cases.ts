import { type ConformanceCase, opcode } from "../case_types.ts";
import { asciiText } from "../payloads.ts";
import {
  awaitMessages,
  close,
  closesWith,
  fails,
  fragments,
  frame,
  GroupOfCases,
  message,
  ping,
  text,
} from "../steps.ts";
import { invalidSequences } from "./utf8_sequences.ts";

/** Codes that a close frame may carry: §7.4.1, the registry of IANA, and the two ranges of §7.4.2. */
const allowed = [
  1000,
  1001,
  1002,
  1003,
  1007,
  1008,
  1009,
  1010,
  1011,
  1012,
  1013,
  1014,
  3000,
  3999,
  4000,
  4999,
];

/** Codes that none may carry: not in use, kept for local use, or not given out. */
const forbidden = [0, 1, 500, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999];

/** Codes beyond all ranges, of which the RFC says nothing. */
const beyond = [5000, 65_535];

/** Group 7: the closing handshake (RFC 6455 §5.5.1, §7). */
export function closeCases(): ConformanceCase[] {
  const group = new GroupOfCases({ number: 7, name: "close" });
  addCodes(group);
  addPayloads(group);
  addOrders(group);
  return group.cases;
}

function addCodes(group: GroupOfCases): void {
  for (const code of allowed) {
    const expect = closesWith(code, { codes: [1000, 1005] });
    group.add(`code ${code}`, `code ${code} is answered in kind`, () => ({
      steps: [close(code)],
      expect,
    }));
    group.add(`code ${code} with reason`, `code ${code} with a reason`, () => ({
      steps: [close(code, "enough für heute")],
      expect,
    }));
  }
  for (const code of forbidden) {
    group.add(`forbidden ${code}`, `code ${code}, which no frame may carry`, () => ({
      steps: [close(code)],
      expect: fails(1002),
    }));
    group.add(`forbidden ${code} with reason`, `code ${code} with a reason`, () => ({
      steps: [close(code, "not allowed")],
      expect: fails(1002),
    }));
  }
  for (const code of beyond) {
    group.add(`beyond ${code}`, `code ${code}, beyond all ranges`, () => ({
      steps: [close(code)],
      expect: { ...closesWith(code), isInformational: true },
    }));
  }
}

function addPayloads(group: GroupOfCases): void {
  const empty = closesWith(1005, { codes: [1000] });
  group.add("empty", "a close frame without a code", () => ({ steps: [close()], expect: empty }));
  group.add("empty chopped", "the same, byte by byte", () => ({
    steps: [close()],
    expect: empty,
    chopBytes: 1,
  }));
  group.add("one byte", "half a code", () => ({
    steps: [frame(opcode.close, Uint8Array.of(3))],
    expect: fails(1002),
  }));
  group.add("reason of 123", "the longest reason", () => ({
    steps: [close(1000, asciiText(123))],
    expect: closesWith(1000, { codes: [1005] }),
  }));
  group.add("reason of 124", "a reason that makes the frame too long", () => ({
    steps: [close(1000, asciiText(124))],
    expect: fails(1002),
  }));
  group.add("fragmented", "a close frame without its FIN bit", () => ({
    steps: [frame(opcode.close, Uint8Array.of(3, 232), { fin: false })],
    expect: fails(1002),
  }));
  const wrongs = invalidSequences().filter((_, index) => index % 9 === 0);
  for (const { name, bytes } of wrongs) {
    group.add(`reason ${name}`, `a reason that is no UTF-8: ${name}`, () => ({
      steps: [close(1000, Uint8Array.from([0x61, 0x62, ...bytes, 0x63]))],
      expect: fails(1007, {}, { codes: [1002] }),
    }));
  }
  group.add("reason noncharacter", "a reason with U+FFFF, which is UTF-8", () => ({
    steps: [close(1000, "ab\uffffc")],
    expect: closesWith(1000, { codes: [1005] }),
  }));
}

function addOrders(group: GroupOfCases): void {
  const late = [
    ["text", text("late")],
    ["ping", ping("late")],
    ["second close", close(1001)],
    ["faulty frame", frame(3, "late")],
    ["open message", frame(opcode.text, "late", { fin: false })],
  ] as const;
  for (const [name, step] of late) {
    group.add(`then ${name}`, `after a close frame a ${name} is nothing any more (§5.5.1)`, () => ({
      steps: [close(1000), step],
      expect: closesWith(1000, { codes: [1005] }),
      isOneWrite: true,
    }));
  }
  group.add("after message", "a message, then a close frame", () => ({
    steps: [text("one"), awaitMessages(1), close(1000)],
    expect: {
      ...closesWith(1000, { codes: [1005] }),
      messages: [message("text", "one")],
    },
  }));
  group.add("after large message", "a message of 256 KiB, then a close frame at once", () => ({
    steps: [text(asciiText(262_144)), close(1000)],
    expect: {
      ...closesWith(1000, { codes: [1005], mayLack: true }),
      messages: [message("text", asciiText(262_144))],
    },
  }));
  group.add("within message", "a close frame between pieces, then the rest", () => {
    const [first, second] = fragments("text", ["one ", "two"]);
    return {
      steps: [first!, close(1000), second!],
      expect: closesWith(1000, { codes: [1005] }),
      isOneWrite: true,
    };
  });
  group.add("chopped", "a close frame with a reason, byte by byte", () => ({
    steps: [close(1000, "enough")],
    expect: closesWith(1000, { codes: [1005] }),
    chopBytes: 1,
  }));
  group.add("of the runner", "nothing but a close frame of the runner", () => ({
    steps: [],
    expect: { messages: [], pongs: [], ending: { by: "us" } },
  }));
}
