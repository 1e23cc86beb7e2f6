import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseSlowly } from "../../src/config/jsonc.ts";
import { parseQuickly } from "../../src/config/quick_json.ts";

const depthMax = 64;

/** What both parsers say of a text; a quick one that gives up is fine, a wrong value is not. */
function agrees(text: string): boolean {
  const quick = parseQuickly(text, depthMax);
  const slow = parseSlowly(text);
  if (quick === undefined) return false;
  assert.ok(slow.ok, `${JSON.stringify(text)}: ${slow.ok ? "" : slow.problems}`);
  assert.deepEqual(quick.value, slow.value, text);
  return true;
}

describe("parseQuickly()", () => {
  it("reads comments and trailing commas wherever they may stand", () => {
    for (
      const text of [
        "{}",
        "// x\n{}",
        "/* x */ {} // y",
        '{"a":1,}',
        '{"a":[1,2,],}',
        '{"a":[1,2 /* , */ , // ]\n ] /**/ , }',
        '{"a": "// no comment, }", "b": "/*",}',
        '{/**/"a"/**/:/**/1/**/,/**/"b":2/**/}',
        '{"a":"\\"//", "b" : [ ] }',
        "1/**/",
        "[[],{},[{}],]",
        "{}//",
        "\r\n{\r\n}\r\n// x\r{}".slice(0, 11),
      ]
    ) assert.ok(agrees(text), text);
  });

  it("gives up where anything is wrong", () => {
    for (
      const text of [
        "",
        "{",
        "[,]",
        "{,}",
        '{"a":,}',
        "[1,,]",
        "[1,,2]",
        ",",
        "[1],",
        "1/**/2",
        "/*",
        "/",
        "// only",
        '{"a":1 "b":2}',
        '{"a":1,"a":2}',
        '{"a":1,"\\u0061":2}',
        '{"__proto__":1}',
        '{"x":{"__proto__":1}}',
        '{"a":[{"b":1,"b":1}]}',
        "[".repeat(depthMax + 1) + "]".repeat(depthMax + 1),
      ]
    ) assert.equal(parseQuickly(text, depthMax), undefined, text);
  });

  it("finds a key that comes twice among many", () => {
    const many = Array.from({ length: 300 }, (_, index) => `"k${index}":${index}`);
    assert.ok(agrees(`{${many.join()}}`));
    assert.equal(parseQuickly(`{${many.join()},"k7":1}`, depthMax), undefined);
    assert.equal(parseQuickly(`{${many.join()},"k299":1}`, depthMax), undefined);
  });

  it("gives the value of the slow parser, or none, for any heap of JSON's characters", () => {
    const part = fc.constantFrom(
      ...[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        '"a"',
        '"b"',
        "1",
        "null",
        "/",
        "*",
        "//",
        "/*",
        "*/",
        "\n",
      ],
      ...[" ", '"', '"__proto__"', "\\"],
    );
    const heap = fc.array(part, { maxLength: 14 }).map((parts) => parts.join(""));
    fc.assert(fc.property(heap, (text) => void agrees(text)), { numRuns: 8_000 });
  });

  it("reads all JSON, with comments and commas put in anywhere", () => {
    const value = fc.jsonValue({ maxDepth: 4 });
    const gap = fc.constantFrom("", " ", "/* , */", "// }\n", "\n");
    fc.assert(
      fc.property(
        value,
        fc.array(gap, { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        (json, gaps, more) => {
          if (JSON.stringify(json).includes('"__proto__"')) return;
          let index = 0;
          const text = JSON.stringify(json, null, 1).replace(
            /\n */g,
            () => gaps[index++ % gaps.length]!,
          );
          const trailing = more ? text.replace(/([}\]])$/, ",$1") : text;
          const isEmpty = /^[[{][\s,]*[}\]]$/.test(trailing) || typeof json !== "object";
          assert.equal(agrees(isEmpty ? text : trailing), true, trailing);
        },
      ),
      { numRuns: 500 },
    );
  });
});
