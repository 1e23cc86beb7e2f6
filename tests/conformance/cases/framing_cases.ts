import type { ConformanceCase, MessageKind } from "../case_types.ts";
import { asciiText, binaryBytes } from "../payloads.ts";
import { answered, binary, fails, frame, GroupOfCases, message, text } from "../steps.ts";

/** Around each change of the form in which a length is written (RFC 6455 §5.2). */
const lengths = [0, 1, 125, 126, 127, 128, 65_535, 65_536];

/** A message of this length in writes of so many bytes. */
const chops: readonly (readonly [length: number, chopBytes: number])[] = [
  [1, 1],
  [125, 1],
  [126, 1],
  [128, 3],
  [65_535, 997],
  [65_536, 997],
];

const make = {
  text: { payload: asciiText, frame: text },
  binary: { payload: binaryBytes, frame: binary },
};

/** Group 1: whole messages of every form of length, masks, and lengths that are no lengths. */
export function framingCases(): ConformanceCase[] {
  const group = new GroupOfCases({ number: 1, name: "framing" });
  for (const kind of ["text", "binary"] as const) {
    for (const length of lengths) {
      group.add(`${kind} ${length}`, `a ${kind} message of ${length} bytes`, () => {
        return echoOf(kind, length);
      });
    }
    for (const [length, chopBytes] of chops) {
      const title = `a ${kind} message of ${length} bytes, in writes of ${chopBytes}`;
      group.add(`${kind} ${length} chopped`, title, () => ({ ...echoOf(kind, length), chopBytes }));
    }
  }
  addMaskCases(group);
  addLengthCases(group);
  return group.cases;
}

function echoOf(kind: MessageKind, length: number) {
  const payload = make[kind].payload(length);
  return { steps: [make[kind].frame(payload)], expect: answered([message(kind, payload)]) };
}

/** A client masks each frame, a server none (RFC 6455 §5.1). */
function addMaskCases(group: GroupOfCases): void {
  const kinds = [[1, "text"], [2, "binary"], [9, "ping"], [8, "close"]] as const;
  for (const [opcode, name] of kinds) {
    group.add(`wrong mask ${name}`, `a ${name} frame that is masked wrongly for its side`, () => ({
      steps: [frame(opcode, "", { isWronglyMasked: true })],
      expect: fails(1002),
    }));
  }
  group.add("wrong mask second", "a right message, then one that is masked wrongly", () => ({
    steps: [
      text("right"),
      { step: "await_messages", count: 1 },
      frame(1, "wrong", {
        isWronglyMasked: true,
      }),
    ],
    expect: fails(1002, { messages: [message("text", "right")] }),
  }));
}

function addLengthCases(group: GroupOfCases): void {
  for (const [length, lengthBytes] of [[5, 2], [125, 2], [5, 8], [126, 8], [65_535, 8]] as const) {
    const bits = lengthBytes * 8;
    group.add(
      `long form ${length} in ${bits} bits`,
      `a length of ${length} in ${bits} bits, which is not its shortest form (§5.2)`,
      () => {
        const payload = binaryBytes(length);
        const accepts = [message("binary", payload)];
        return {
          steps: [frame(2, payload, { lengthBytes })],
          expect: fails(1002, {}, { accepts }),
        };
      },
    );
  }
  for (const announced of [1n << 63n, (1n << 64n) - 1n]) {
    group.add(
      `length ${announced.toString(16)}`,
      `a length of 0x${announced.toString(16)}: its highest bit must be 0 (§5.2)`,
      () => ({
        steps: [frame(2, "", { announced, lengthBytes: 8 })],
        expect: fails(1002, {}, { codes: [1009] }),
      }),
    );
  }
}
