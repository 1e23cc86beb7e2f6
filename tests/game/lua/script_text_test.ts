import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  oneLine,
  prepareScript,
  reasonLine,
  scriptName,
} from "../../../src/game/lua/script_text.ts";
import { bytesOf } from "./lua_program.ts";

const prepared = (text: string) => new TextDecoder().decode(prepareScript(bytesOf(text)));

describe("prepareScript()", () => {
  it("drops one byte order mark and a first line with #", () => {
    assert.equal(prepared("return 1"), "return 1");
    assert.equal(prepared("\ufeffreturn 1"), "return 1");
    assert.equal(prepared("#!lua\nreturn 1"), "\nreturn 1");
    assert.equal(prepared("\ufeff#!lua\r\nreturn 1\n# 2"), "\nreturn 1\n# 2");
    assert.equal(prepared("# all of it"), "");
    assert.equal(prepared(""), "");
    assert.equal(prepared(" # not first"), " # not first");
  });
});

describe("scriptName()", () => {
  it("is the file's own name", () => {
    assert.equal(scriptName("/home/somebody/lua/hello.lua"), "hello.lua");
    assert.equal(scriptName("C:\\games\\hello.lua"), "hello.lua");
    assert.equal(scriptName("hello.lua"), "hello.lua");
    assert.equal(scriptName("a/b\nc"), "b c");
    assert.equal(scriptName("folder/"), "script");
  });
});

describe("oneLine()", () => {
  it("leaves no control character and no line separator", () => {
    let text = "";
    for (let code = 0; code < 0x3000; code++) text += String.fromCharCode(code);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(oneLine(text), /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
    assert.equal(oneLine("é龍\t😀\n"), "é龍 😀");
  });
});

describe("reasonLine()", () => {
  it("is short", () => {
    assert.equal(reasonLine("a\n\n b"), "a b");
    assert.equal(reasonLine("x".repeat(10_000)).length, 513);
  });
});
