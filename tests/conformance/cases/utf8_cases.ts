import { type ConformanceCase, opcode, type Step } from "../case_types.ts";
import {
  answered,
  awaitPong,
  cut,
  fails,
  fragments,
  frame,
  GroupOfCases,
  message,
  ping,
  text,
} from "../steps.ts";
import { invalidSequences, validSequences } from "./utf8_sequences.ts";

const isLate: Step = { step: "is_late" };
const isLateWithinFrame: Step = { step: "is_late_within_frame" };

/** Group 6: text is UTF-8, whatever way it is cut (RFC 6455 §5.6, §8.1; RFC 3629). */
export function utf8Cases(): ConformanceCase[] {
  const group = new GroupOfCases({ number: 6, name: "utf8" });
  for (const { name, bytes } of validSequences()) {
    group.add(`valid ${name}`, `${name} alone`, () => whole(bytes));
    group.add(`valid ${name} in pieces`, `${name}, a frame for each byte`, () => ({
      ...whole(bytes),
      steps: fragments("text", cut(bytes, 1)),
    }));
  }
  for (const { name, bytes } of invalidSequences()) {
    group.add(`invalid ${name}`, `${name} alone`, () => ({
      steps: [text(bytes)],
      expect: fails(1007),
    }));
    group.add(`invalid ${name} within text`, `${name} between ASCII characters`, () => ({
      steps: [text(Uint8Array.from([0x61, 0x62, 0x63, ...bytes, 0x64, 0x65, 0x66]))],
      expect: fails(1007),
    }));
    group.add(`invalid ${name} in pieces`, `${name}, a frame for each byte`, () => ({
      steps: fragments("text", cut(Uint8Array.from([...bytes, 0x21]), 1)),
      expect: fails(1007),
    }));
  }
  addLongTexts(group);
  addBetween(group);
  addFailFast(group);
  return group.cases;
}

function whole(bytes: Uint8Array) {
  return { steps: [text(bytes)], expect: answered([message("text", bytes)]) };
}

/** Decoders treat long texts in blocks: the fault is put where blocks end. */
function addLongTexts(group: GroupOfCases): void {
  const card = new TextEncoder().encode("\u{1f0a1}");
  for (const before of [13, 15, 31, 62, 63, 64, 127, 4_095, 65_533]) {
    const bytes = new Uint8Array(before + 200).fill(0x61);
    bytes.set(card, before);
    group.add(`valid after ${before}`, `a card after ${before} ASCII characters`, () => {
      return whole(bytes);
    });
    const wrong = bytes.slice();
    wrong[before + 3] = 0x61;
    group.add(`invalid after ${before}`, `three quarters of a card after ${before}`, () => ({
      steps: [text(wrong)],
      expect: fails(1007),
    }));
    const cutShort = bytes.slice(0, before + 3);
    group.add(`invalid end after ${before}`, `a text of ${before} that ends in a card`, () => ({
      steps: [text(cutShort)],
      expect: fails(1007),
    }));
  }
}

/** A character that pieces share, with a control frame in its middle. */
function addBetween(group: GroupOfCases): void {
  const bytes = new TextEncoder().encode("ab\u{1f0a1}cd");
  for (let at = 3; at < 6; at++) {
    const [first, second] = fragments("text", [bytes.subarray(0, at), bytes.subarray(at)]);
    group.add(`shared at ${at} with ping`, `a ping inside a character, at byte ${at}`, () => ({
      steps: [first!, ping("inside"), awaitPong("inside"), second!],
      expect: answered([message("text", bytes)], ["inside"]),
    }));
  }
  group.add("binary is anything", "a binary message that is no UTF-8", () => ({
    steps: [frame(opcode.binary, Uint8Array.of(0xff, 0xc0, 0x80))],
    expect: answered([message("binary", Uint8Array.of(0xff, 0xc0, 0x80))]),
  }));
}

/** A fault that is known before the message ends may end it (§8.1): sooner is better. */
function addFailFast(group: GroupOfCases): void {
  const wrongs: readonly (readonly [string, Uint8Array])[] = [
    ["impossible byte", Uint8Array.of(0x61, 0xff)],
    ["surrogate", Uint8Array.of(0xce, 0xba, 0xed, 0xa0, 0x80)],
    ["beyond U+10FFFF", Uint8Array.of(0xce, 0xba, 0xf4, 0x90)],
    ["too long", Uint8Array.of(0xe0, 0x80)],
  ];
  for (const [name, bytes] of wrongs) {
    const [first, second] = fragments("text", [bytes, "and so on"]);
    group.add(`fail fast ${name}`, `${name} in the first of two pieces`, () => ({
      steps: [first!, isLate, second!],
      expect: fails(1007),
    }));
    const rest = frame(opcode.text, bytes, { announced: BigInt(bytes.length + 9) });
    const tail: Step = { step: "bytes", payload: new TextEncoder().encode("and so on") };
    group.add(`fail fast ${name} within frame`, `${name} before the end of a frame`, () => ({
      steps: [rest, isLateWithinFrame, tail],
      expect: fails(1007),
    }));
  }
}
