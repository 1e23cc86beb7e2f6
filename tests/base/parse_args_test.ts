import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseArgs } from "@std/cli/parse-args";
import type { ParseOptions } from "@std/cli/parse-args";

interface Case {
  readonly promise: string;
  readonly args: readonly string[];
  readonly options?: ParseOptions;
  readonly gives: Record<string, unknown>;
}

const cases: readonly Case[] = [
  { promise: "nothing gives no flags", args: [], gives: { _: [] } },
  {
    promise: "takes long flags with = and with the next argument",
    args: ["--a=x", "--b", "y", "z"],
    gives: { a: "x", b: "y", _: ["z"] },
  },
  {
    promise: "a flag before another flag or the end is true",
    args: ["--a", "--b"],
    gives: { a: true, b: true, _: [] },
  },
  {
    promise: "makes numbers of what looks like one",
    args: ["--a=1", "--b", "2.5", "--c=0x10", "--d=1e3", "--e=1x", "7"],
    gives: { a: 1, b: 2.5, c: 16, d: 1_000, e: "1x", _: [7] },
  },
  {
    promise: "keeps string flags and string positionals as they are",
    args: ["--a=1", "-b", "007", "08"],
    options: { string: ["a", "b", "_"] },
    gives: { a: "1", b: "007", _: ["08"] },
  },
  {
    promise: "a string flag without value is empty",
    args: ["--a", "--b="],
    options: { string: ["a", "b"] },
    gives: { a: "", b: "", _: [] },
  },
  {
    promise: "an empty value after = is empty text for other flags too",
    args: ["--a=", "x"],
    gives: { a: "", _: ["x"] },
  },
  {
    promise: "a value may hold = and newlines",
    args: ["--a=b=c\nd"],
    gives: { a: "b=c\nd", _: [] },
  },
  {
    promise: "a boolean flag leaves the next argument, save true and false",
    args: ["--a", "x", "--b", "false", "--c", "true", "--d=false", "--e=other"],
    options: { boolean: ["a", "b", "c", "d", "e", "f"] },
    gives: { a: true, b: false, c: true, d: false, e: true, f: false, _: ["x"] },
  },
  {
    promise: "boolean: true makes all long flags without = booleans",
    args: ["--a", "x", "--b=y", "-c", "z"],
    options: { boolean: true },
    gives: { a: true, b: "y", c: "z", _: ["x"] },
  },
  {
    promise: "--no-x negates only what is negatable",
    args: ["--no-a", "--no-b"],
    options: { boolean: ["a"], negatable: ["a"] },
    gives: { a: false, "no-b": true, _: [] },
  },
  {
    promise: "a negatable flag may have a default",
    args: [],
    options: { boolean: ["a"], negatable: ["a"], default: { a: true } },
    gives: { a: true, _: [] },
  },
  {
    promise: "the last value of a repeated flag counts",
    args: ["--a=1", "--a=2"],
    gives: { a: 2, _: [] },
  },
  {
    promise: "gathers collectable flags, empty when absent",
    args: ["--a=1", "--a", "x", "--b"],
    options: { string: ["a", "c"], boolean: ["b"], collect: ["a", "b", "c"] },
    gives: { a: ["1", "x"], b: [true], c: [], _: [] },
  },
  {
    promise: "--no-x of a collectable flag replaces what was gathered",
    args: ["--a=1", "--no-a"],
    options: { string: ["a"], collect: ["a"], negatable: ["a"] },
    gives: { a: false, _: [] },
  },
  {
    promise: "sets a value under all names of a flag",
    args: ["-p", "80", "--name=n"],
    options: { alias: { port: "p", title: ["name", "t"] } },
    gives: { p: 80, port: 80, name: "n", title: "n", t: "n", _: [] },
  },
  {
    promise: "types hold for aliases too",
    args: ["-p", "80", "-v", "x"],
    options: { alias: { port: "p", verbose: "v" }, string: ["port"], boolean: ["verbose"] },
    gives: { p: "80", port: "80", v: true, verbose: true, _: ["x"] },
  },
  {
    promise: "fills defaults, under aliases too, and leaves given values",
    args: ["--b=2"],
    options: { default: { a: 1, b: 1 }, alias: { a: "x" } },
    gives: { a: 1, x: 1, b: 2, _: [] },
  },
  {
    promise: "dotted keys nest, in defaults too",
    args: ["--a.b=1", "--a.c.d", "x"],
    options: { default: { "a.e": 5, "a.b": 9 } },
    gives: { a: { b: 1, c: { d: "x" }, e: 5 }, _: [] },
  },
  {
    promise: "dotted keys keep their types",
    args: ["--a.b=1", "--a.c"],
    options: { string: ["a.b"], boolean: ["a.c", "a.d"] },
    gives: { a: { b: "1", c: true, d: false }, _: [] },
  },
  {
    promise: "what comes after -- is not parsed",
    args: ["--a=1", "--", "--b", "2"],
    gives: { a: 1, _: ["--b", "2"] },
  },
  {
    promise: 'with "--" it is kept apart',
    args: ["x", "--", "--b", "2"],
    options: { "--": true },
    gives: { _: ["x"], "--": ["--b", "2"] },
  },
  {
    promise: "stopEarly takes everything from the first positional as it is",
    args: ["--a", "--b=1", "serve", "--c", "2"],
    options: { stopEarly: true, boolean: ["a"] },
    gives: { a: true, b: 1, _: ["serve", "--c", "2"] },
  },
  {
    promise: "short flags stand together, the last takes the value",
    args: ["-abc", "x"],
    gives: { a: true, b: true, c: "x", _: [] },
  },
  {
    promise: "a number or = directly after a letter is its value",
    args: ["-n5", "-m=x", "-k-3"],
    gives: { n: 5, m: "x", k: -3, _: [] },
  },
  {
    promise: "a value that starts with no letter may stand directly after",
    args: ["-f/tmp/x"],
    gives: { f: "/tmp/x", _: [] },
  },
  {
    promise: "- is a positional, and a value for short flags",
    args: ["-", "-f", "-", "-g-"],
    gives: { f: "-", g: "-", _: ["-"] },
  },
  {
    promise: "a short flag leaves a following flag alone",
    args: ["-a", "-b", "--c"],
    gives: { a: true, b: true, c: true, _: [] },
  },
  {
    promise: "names of prototypes are plain data",
    args: ["--__proto__.polluted=1", "--constructor.x=1", "--toString"],
    gives: JSON.parse('{"__proto__":{"polluted":1},"constructor":{"x":1},"toString":true,"_":[]}'),
  },
];

describe("parseArgs()", () => {
  for (const { promise, args, options, gives } of cases) {
    it(promise, () => assert.deepEqual(parseArgs(args, options), gives));
  }

  it("tells `unknown` of flags that no option names, and of positionals", () => {
    const told: unknown[][] = [];
    const parsed = parseArgs(["--a=1", "--b=2", "-c", "d", "-e", "f"], {
      string: ["a"],
      alias: { see: "c" },
      unknown: (...what) => {
        told.push(what);
        return false;
      },
    });
    assert.deepEqual(told, [["--b=2", "b", "2"], ["-e", "e", "f"]]);
    assert.deepEqual(parsed, { a: "1", see: "d", c: "d", _: [] });
  });

  it("keeps what `unknown` does not answer with false", () => {
    assert.deepEqual(parseArgs(["--b=2", "x"], { unknown: () => undefined }), { b: 2, _: ["x"] });
  });

  it("never pollutes a prototype", () => {
    parseArgs(["--__proto__.polluted=1", "--a.__proto__.polluted=1"]);
    assert.equal(Object.hasOwn(Object.prototype, "polluted"), false);
  });

  it("never throws, and leaves its arguments alone", () => {
    const arg = fc.string({ unit: fc.constantFrom(..."-=.abno1_ "), maxLength: 7 });
    const names = fc.array(fc.constantFrom("a", "b", "n", "a.b", "o", "_"), { maxLength: 3 });
    fc.assert(
      fc.property(
        fc.array(arg, { maxLength: 6 }),
        fc.record({ string: names, boolean: names, collect: names, negatable: names }),
        fc.boolean(),
        (args, options, stopEarly) => {
          const before = [...args];
          const parsed = parseArgs(args, { ...options, stopEarly, "--": true });
          assert.ok(Array.isArray(parsed._));
          assert.deepEqual(args, before);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("gives back every named value, in either spelling and any order", () => {
    const name = fc.string({ unit: fc.constantFrom(..."abcxyz"), minLength: 2, maxLength: 5 });
    const value = fc.string({ minLength: 1 }).filter((text) => !text.startsWith("-"));
    const flags = fc.uniqueArray(fc.tuple(name, value, fc.boolean()), {
      selector: ([key]) => key,
    });
    fc.assert(fc.property(flags, (given) => {
      const args = given.flatMap(([key, text, joined]) =>
        joined ? [`--${key}=${text}`] : [`--${key}`, text]
      );
      const parsed = parseArgs(args, { string: given.map(([key]) => key) });
      for (const [key, text] of given) assert.equal(parsed[key], text);
      assert.deepEqual(parsed._, []);
    }));
  });
});
