import { type ConformanceCase, type MessageKind, opcode } from "../case_types.ts";
import { asciiText, binaryBytes, mixedText } from "../payloads.ts";
import {
  answered,
  awaitMessages,
  awaitPong,
  close,
  closesWith,
  cut,
  fails,
  fragments,
  frame,
  GroupOfCases,
  message,
  ping,
  text,
} from "../steps.ts";

/** Group 5: messages in pieces, with control frames between them (RFC 6455 §5.4). */
export function fragmentCases(): ConformanceCase[] {
  const group = new GroupOfCases({ number: 5, name: "fragmentation" });
  addShapes(group);
  addPingsBetween(group);
  addBrokenOrders(group);
  return group.cases;
}

/** Group 10: one message in many equal pieces, as senders with a fixed buffer make them. */
export function autoFragmentCases(): ConformanceCase[] {
  const group = new GroupOfCases({ number: 10, name: "auto_fragments" });
  for (const size of [100, 1_300, 4_096]) {
    for (const kind of ["text", "binary"] as const) {
      const title = `a ${kind} message of 65536 bytes in pieces of ${size}`;
      group.add(`${kind} ${size}`, title, () => {
        const payload = kind === "text" ? mixedText(65_536) : binaryBytes(65_536);
        return {
          steps: fragments(kind, cut(payload, size)),
          expect: answered([message(kind, payload)]),
        };
      });
    }
  }
  return group.cases;
}

function addShapes(group: GroupOfCases): void {
  const shapes: readonly (readonly [string, readonly string[]])[] = [
    ["two", ["first ", "second"]],
    ["three", ["first ", "second ", "third"]],
    ["empty first", ["", "all of it"]],
    ["empty middle", ["first ", "", "third"]],
    ["empty last", ["all of it", ""]],
    ["all empty", ["", "", ""]],
    ["bytes", [..."every byte by itself"]],
  ];
  for (const kind of ["text", "binary"] as const) {
    for (const [name, pieces] of shapes) {
      const steps = fragments(kind, pieces);
      const expect = answered([message(kind, pieces.join(""))]);
      group.add(`${kind} ${name}`, `a ${kind} message in pieces: ${name}`, () => ({
        steps,
        expect,
      }));
      group.add(`${kind} ${name} chopped`, "the same, byte by byte", () => ({
        steps,
        expect,
        chopBytes: 1,
      }));
    }
    const large = kind === "text" ? asciiText(200_000) : binaryBytes(200_000);
    group.add(`${kind} of large pieces`, `a ${kind} message in pieces of 66,000 bytes`, () => ({
      steps: fragments(kind, cut(large, 66_000)),
      expect: answered([message(kind, large)]),
    }));
  }
}

function addPingsBetween(group: GroupOfCases): void {
  const pieces = ["one ", "two ", "three ", "four ", "five"];
  const [first, ...rest] = fragments("text", pieces);
  const pings = rest.map((_, index) => `ping ${index}`);
  const joined = [message("text", pieces.join(""))];
  const interleaved = [first!, ...rest.flatMap((piece, index) => [ping(pings[index]!), piece])];
  const expect = answered(joined, pings, { lastPongOnly: true });
  group.add("pings between", "a ping before each further piece", () => ({
    steps: interleaved,
    expect,
  }));
  group.add("pings between in one write", "the same in one write", () => ({
    steps: interleaved,
    expect,
    isOneWrite: true,
  }));
  group.add("pings between chopped", "the same, byte by byte", () => ({
    steps: interleaved,
    expect,
    chopBytes: 1,
  }));
  group.add("pings between awaited", "the same, each pong awaited: none waits for the end", () => ({
    steps: [
      first!,
      ...rest.flatMap((piece, i) => [ping(pings[i]!), awaitPong(pings[i]!), piece]),
    ],
    expect: answered(joined, pings),
  }));
  group.add("pong between", "an unsolicited pong between two pieces", () => ({
    steps: [first!, frame(opcode.pong, "nobody asked"), ...rest],
    expect: answered(joined),
  }));
  group.add("close between", "a close frame between two pieces is answered", () => ({
    steps: [first!, close(1000)],
    expect: closesWith(1000, { codes: [1005] }),
  }));
  const both = [...interleaved, ...fragments("binary", ["next ", "message"])];
  group.add("two messages with pings", "two messages in pieces, one after the other", () => ({
    steps: both,
    expect: answered([...joined, message("binary", "next message")], pings, {
      lastPongOnly: true,
    }),
  }));
}

function addBrokenOrders(group: GroupOfCases): void {
  for (const fin of [true, false]) {
    for (const payload of ["", "continues what?"]) {
      const how = `${fin ? "final" : "open"} ${payload === "" ? "empty" : "full"}`;
      group.add(`lone continuation ${how}`, `a continuation (${how}) of no message`, () => ({
        steps: [frame(opcode.continuation, payload, { fin }), text("late")],
        expect: fails(1002),
      }));
    }
  }
  group.add("continuation after message", "a continuation of a message that is over", () => ({
    steps: [...fragments("text", ["a", "b"]), awaitMessages(1), frame(opcode.continuation, "c")],
    expect: fails(1002, { messages: [message("text", "ab")] }),
  }));
  group.add("continuations only", "two messages that begin with a continuation", () => ({
    steps: [
      frame(opcode.continuation, "a", { fin: false }),
      frame(opcode.continuation, "b"),
      frame(opcode.continuation, "c", { fin: false }),
    ],
    expect: fails(1002),
    isOneWrite: true,
  }));
  const kinds: readonly MessageKind[] = ["text", "binary"];
  for (const outer of kinds) {
    for (const inner of kinds) {
      for (const fin of [true, false]) {
        const how = fin ? "whole" : "open";
        group.add(
          `${inner} ${how} within ${outer}`,
          `a ${inner} message (${how}) begins inside a ${outer} message`,
          () => ({
            steps: [
              frame(opcode[outer], "outer", { fin: false }),
              frame(opcode[inner], "inner", { fin }),
            ],
            expect: fails(1002),
          }),
        );
      }
    }
  }
}
