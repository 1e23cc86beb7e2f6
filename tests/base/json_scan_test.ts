import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { jsonDepthMax, notJson, skipSpace, skipValue, tooDeep } from "../../src/base/json_scan.ts";

/** The whole text is one JSON value, as `skipValue` sees it. */
function isJson(text: string): boolean {
  const end = skipValue(text, skipSpace(text, 0), 0);
  return end >= 0 && skipSpace(text, end) === text.length;
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function agrees(text: string): void {
  assert.equal(isJson(text), parses(text), JSON.stringify(text.slice(0, 200)));
}

const numbers = [
  ..."0 -0 1 -1 10 01 -01 00 - + +1 1. 1.0 .5 -.5 1e0 1E0 1e+0 1e-0 1e 1e+ e1 1.e1 1.0e10 0e0"
    .split(" "),
  ..."0.0 1e999 123456789012345678901234567890 0x1 1_0 NaN Infinity -Infinity 1f --1 1.1.1".split(
    " ",
  ),
];

const strings = [
  '""',
  '"a',
  '"\\',
  '"\\"',
  '"\\\\"',
  '"\\\\\\"',
  '"\\/\\b\\f\\n\\r\\t"',
  '"\\a"',
  '"\\u12"',
  '"\\u12',
  '"\\u123g"',
  '"\\u00E9\\ud800\\uD83d\\uDE00"',
  '"\\U0000"',
  '"\u0000"',
  '"\u001f"',
  '"\u007f\u0080\u2028\u2029\ud800\ufeff"',
  '"\t"',
  '"\n"',
  "'a'",
];

const others = [
  ...[
    "",
    " ",
    "\ufeff1",
    "\u00a01",
    "\v1",
    "\f1",
    "\t\n\r 1 \t\n\r",
    "1 2",
    "1,",
    ",1",
    "null",
    "nul",
  ],
  ...[
    "nulll",
    "true",
    "tru",
    "True",
    "false",
    "fals",
    "undefined",
    "[]",
    "[ ]",
    "[1]",
    "[1,]",
    "[,1]",
  ],
  ...["[1 2]", "[1", "[", "]", "{}", "{ }", '{"a":1}', '{"a":1,}', '{,"a":1}', '{"a" 1}', '{"a":}'],
  ...['{"a"}', "{a:1}", "{1:1}", '{"a":1', '{"a":1]', "[1}", '{"a":1 "b":2}', '{"a":[{"b":[]}]}'],
  ...['{"a":1}}', "[[]", "[]]", "/**/1", "1//", '{"__proto__":1}', '{"a":1,"a":2}', "[[],[[]],{}]"],
];

describe("skipValue()", () => {
  it("takes what JSON.parse takes, of numbers, strings and everything else", () => {
    for (const text of [...numbers, ...strings, ...others]) {
      agrees(text);
      agrees(`[${text}]`);
      agrees(`{"k":${text}}`);
      agrees(` { "k" : ${text} , "l" : ${text} } `);
    }
  });

  it("takes all that JSON.stringify writes, however it is spaced", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), fc.integer({ min: 0, max: 4 }), (text, space) => {
        const spaced = JSON.stringify(JSON.parse(text), null, space);
        assert.ok(isJson(text) && isJson(spaced));
      }),
    );
  });

  it("agrees with JSON.parse on JSON in which something was changed", () => {
    const spoilt = fc.tuple(
      fc.json({ maxDepth: 3 }),
      fc.nat(),
      fc.nat(3),
      fc.string({ maxLength: 3 }),
    )
      .map(([text, at, length, put]) => {
        const from = at % (text.length + 1);
        return text.slice(0, from) + put + text.slice(from + length);
      });
    fc.assert(fc.property(spoilt, agrees), { numRuns: 5_000 });
  });

  it("agrees with JSON.parse on any heap of JSON's own characters", () => {
    const alphabet = [...'{}[]:,"\\ntu0123456789.eE+-/bfr \t\n\u0001aé'];
    const heap = fc.array(fc.constantFrom(...alphabet), { maxLength: 12 }).map((list) =>
      list.join("")
    );
    fc.assert(
      fc.property(heap, (text) => {
        agrees(text);
        agrees(`"${text}"`);
        agrees(`[${text}]`);
      }),
      { numRuns: 5_000 },
    );
  });

  it("agrees with JSON.parse on long strings, whatever stands where in them", () => {
    const part = fc.oneof(
      fc.integer({ min: 1, max: 400 }).map((length) => "x".repeat(length)),
      fc.constantFrom(
        "\\n",
        '\\"',
        "\\\\",
        "\\u00e9",
        "é",
        "\\",
        '"',
        "\n",
        "\u0000",
        "\\u12",
        "\\x",
      ),
    );
    const long = fc.array(part, { maxLength: 12 }).map((parts) => parts.join(""));
    fc.assert(fc.property(long, (text) => agrees(`["${text}"]`)), { numRuns: 5_000 });
  });

  it("ends a long string only at a quote that no backslash takes away", () => {
    for (let length = 120; length < 140; length++) {
      for (let backslashes = 0; backslashes < 5; backslashes++) {
        const text = `"${"x".repeat(length)}${"\\".repeat(backslashes)}"`;
        agrees(text);
        agrees(text + '"');
      }
    }
  });

  it("takes jsonDepthMax levels and refuses the next, however many there are", () => {
    const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
    assert.ok(isJson(nested(jsonDepthMax)));
    assert.equal(skipValue(nested(jsonDepthMax + 1), 0, 0), tooDeep);
    assert.equal(skipValue("[".repeat(5_000_000), 0, 0), tooDeep);
    assert.equal(skipValue('{"a":'.repeat(1_000_000), 0, 0), tooDeep);
    assert.equal(skipValue("[".repeat(jsonDepthMax), 0, 0), notJson);
  });
});
