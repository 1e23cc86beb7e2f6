import type { ConformanceCase, MessageKind } from "../case_types.ts";
import { asciiText, binaryBytes } from "../payloads.ts";
import {
  answered,
  awaitMessages,
  binary,
  cut,
  fails,
  fragments,
  frame,
  GroupOfCases,
  message,
  text,
} from "../steps.ts";

const kib = 1_024;
const mib = kib * kib;

/** Messages each of these must take; the limit that servers are given here is above. */
const largeSizes = [64 * kib, 256 * kib, mib, 4 * mib, 8 * mib, 16 * mib];

/** Pieces of a message of 4 MiB. */
const pieceSizes = [64, 256, kib, 4 * kib, 16 * kib, 64 * kib, 256 * kib, mib];

/** Sizes of messages that are sent one after another. */
const turnSizes = [0, 16, 64, 256, kib, 4 * kib, 16 * kib, 64 * kib];

/** Group 9: large messages, many pieces, many messages; and what is over the limit. */
export function limitCases(): ConformanceCase[] {
  const group = new GroupOfCases({ number: 9, name: "limits" }, { isHeavy: true });
  for (const kind of ["text", "binary"] as const) {
    for (const size of largeSizes) {
      group.add(`${kind} ${size}`, `a ${kind} message of ${size} bytes`, () => large(kind, size));
    }
    for (const pieceBytes of pieceSizes) {
      const title = `a ${kind} message of 4 MiB in pieces of ${pieceBytes} bytes`;
      group.add(
        `${kind} pieces of ${pieceBytes}`,
        title,
        () => large(kind, 4 * mib, { pieceBytes }),
      );
    }
    for (const chopBytes of [64, 256, kib, 2 * kib]) {
      const title = `a ${kind} message of 128 KiB in writes of ${chopBytes} bytes`;
      group.add(`${kind} writes of ${chopBytes}`, title, () => ({
        ...large(kind, 128 * kib),
        chopBytes,
      }));
    }
    for (const size of turnSizes) {
      group.add(`${kind} turns of ${size}`, `100 ${kind} messages of ${size}, each awaited`, () => {
        return turns(kind, size, { isAwaited: true });
      });
      group.add(`${kind} row of ${size}`, `100 ${kind} messages of ${size} at once`, () => {
        return turns(kind, size, { isAwaited: false });
      });
    }
  }
  addOverLimit(group);
  return group.cases;
}

function payloadOf(kind: MessageKind, size: number): Uint8Array {
  return kind === "text" ? asciiText(size) : binaryBytes(size);
}

function large(kind: MessageKind, size: number, { pieceBytes = size } = {}) {
  const payload = payloadOf(kind, size);
  return {
    steps: fragments(kind, cut(payload, pieceBytes)),
    expect: answered([message(kind, payload)]),
    // Thousands of writes would take longer than what is tested.
    isOneWrite: pieceBytes < kib,
  };
}

function turns(kind: MessageKind, size: number, { isAwaited }: { isAwaited: boolean }) {
  const payload = payloadOf(kind, size);
  const one = kind === "text" ? text(payload) : binary(payload);
  const count = 100;
  const steps = Array.from(
    { length: count },
    (_, index) => isAwaited ? [one, awaitMessages(index + 1)] : [one],
  );
  return {
    steps: steps.flat(),
    expect: answered(Array.from({ length: count }, () => message(kind, payload))),
    isOneWrite: !isAwaited,
  };
}

/** What is only announced must cost nothing (§10.4). */
function addOverLimit(group: GroupOfCases): void {
  const sizes = [1n << 30n, 1n << 32n, (1n << 32n) + 5n, (1n << 53n) - 1n, (1n << 63n) - 1n];
  for (const announced of sizes) {
    const title = `a frame that announces ${announced} bytes, of which few come`;
    group.add(`announces ${announced}`, title, () => ({
      steps: [frame(2, "a few", { announced })],
      expect: fails(1009, {}, { codes: [1002] }),
    }), { isHeavy: false });
  }
  group.add("announces in pieces", "a piece, then a piece that announces 1 GiB", () => ({
    steps: [frame(2, "one", { fin: false }), frame(0, "two", { announced: 1n << 30n })],
    expect: fails(1009, {}, { codes: [1002] }),
  }), { isHeavy: false });
  group.add("pieces over the limit", "pieces of 16 MiB that never end", () => {
    const piece = binaryBytes(16 * mib);
    const pieces = Array.from(
      { length: 5 },
      (_, index) => frame(index === 0 ? 2 : 0, piece, { fin: false }),
    );
    return { steps: pieces, expect: fails(1009) };
  });
}
