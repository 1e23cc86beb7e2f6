import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { tableLines, textWidth, visibleText } from "../../src/base/terminal_text.ts";

describe("visibleText()", () => {
  it("spells out whatever a terminal would act upon", () => {
    const hostile = "a\x1b[2J\r\n\x07\x7f\x9b31m\u202egpj\u200b\u2028\ufeff\ud800z";
    assert.equal(
      visibleText(hostile),
      "a\\u001b[2J\\u000d\\u000a\\u0007\\u007f\\u009b31m\\u202egpj\\u200b\\u2028\\ufeff\\ud800z",
    );
  });

  it("leaves other text alone, and means the same inside JSON", () => {
    assert.equal(visibleText("刘备 é 😀 #1"), "刘备 é 😀 #1");
    const value = { name: "\x9b\u202e\x1b" };
    assert.deepEqual(JSON.parse(visibleText(JSON.stringify(value))), value);
  });
});

describe("tableLines()", () => {
  it("aligns columns by what terminals show, numbers to the right", () => {
    assert.deepEqual(
      tableLines(["id", "name", "x"], [[1, "小明", "a"], [100, "Bob", "b"], [7, "é\u0301", "c"]]),
      [" id  name  x", "  1  小明  a", "100  Bob   b", "  7  é\u0301     c"],
    );
    assert.equal(textWidth("刘备a"), 5);
  });

  it("keeps each row on its line", () => {
    assert.deepEqual(tableLines(["name"], [["a\nb"]]), ["name", "a\\u000ab"]);
  });
});
