import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { encodeFrame, FrameReader } from "../../../src/game/lua/child_frames.ts";
import { bytesOf } from "./lua_program.ts";

describe("encodeFrame()", () => {
  it("writes what Lua's string.pack('>s4', …) writes", () => {
    assert.deepEqual(
      [...encodeFrame([bytesOf("ab"), bytesOf("")])],
      [0, 0, 0, 10, 0, 0, 0, 2, 97, 98, 0, 0, 0, 0],
    );
  });
});

describe("FrameReader.push()", () => {
  it("gives each frame once, however the bytes are split", () => {
    const frames = fc.array(fc.array(fc.string({ unit: "grapheme", maxLength: 20 })));
    fc.assert(fc.property(frames, fc.integer({ min: 1, max: 50 }), (sent, step) => {
      const bytes = sent.flatMap((texts) => [...encodeFrame(texts.map(bytesOf))]);
      const reader = new FrameReader();
      const got: string[][] = [];
      for (let at = 0; at < bytes.length; at += step) {
        got.push(...reader.push(Uint8Array.from(bytes.slice(at, at + step))) ?? []);
      }
      assert.deepEqual(got, sent);
    }));
  });

  it("is undefined for a frame that is too long or has wrong lengths inside", () => {
    assert.equal(new FrameReader().push(Uint8Array.of(0, 2, 4, 1)), undefined);
    assert.equal(new FrameReader().push(bytesOf("Lua 5.4 > ")), undefined);
    assert.equal(new FrameReader().push(Uint8Array.of(0, 0, 0, 2, 0, 0)), undefined);
    assert.equal(new FrameReader().push(Uint8Array.of(0, 0, 0, 5, 0, 0, 0, 2, 1)), undefined);
  });

  it("never throws on any bytes", () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (chunks) => {
      const reader = new FrameReader();
      for (const chunk of chunks) reader.push(chunk);
    }));
  });
});
