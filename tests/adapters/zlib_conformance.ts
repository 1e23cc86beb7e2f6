import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Zlib } from "../../src/ports/zlib.ts";

/** What each zlib must do. */
export function zlibConformance(name: string, zlib: Zlib): void {
  const text = new TextEncoder().encode("so much text that it pays ".repeat(40));

  describe(`Zlib of ${name}`, () => {
    it("inflate() gives back what deflate() took, as an array of its own", () => {
      for (const plain of [text, new Uint8Array(0), Uint8Array.of(0)]) {
        const stream = zlib.deflate(plain);
        assert.equal(stream[0], 0x78);
        const found = zlib.inflate(stream, { outputBytesMax: plain.length });
        assert.deepEqual(found, plain);
        assert.equal(found?.constructor, Uint8Array);
      }
    });

    it("inflate() refuses more than allowed", () => {
      const stream = zlib.deflate(text);
      assert.equal(zlib.inflate(stream, { outputBytesMax: text.length - 1 }), undefined);
      assert.equal(zlib.inflate(stream, { outputBytesMax: 0 }), undefined);
    });

    it("inflate() stops at the limit instead of inflating a bomb to its end", () => {
      const bytes = 50_000_000;
      const bomb = zlib.deflate(new Uint8Array(bytes));
      const fastestMs = (outputBytesMax: number) =>
        Math.min(...[1, 2, 3].map(() => {
          const before = performance.now();
          const found = zlib.inflate(bomb, { outputBytesMax });
          assert.equal(found?.length, outputBytesMax < bytes ? undefined : bytes);
          return performance.now() - before;
        }));
      // Hundreds of times as much work, so a busy machine does not blur it.
      assert.ok(fastestMs(65_536) * 5 < fastestMs(bytes));
    });

    it("inflate() refuses streams that are broken or end early", () => {
      const stream = zlib.deflate(text);
      const corrupt = stream.slice();
      corrupt[corrupt.length - 1]! ^= 1;
      const cases = [
        new Uint8Array(0),
        text,
        stream.subarray(0, -1),
        stream.subarray(0, 8),
        corrupt,
      ];
      for (const bytes of cases) {
        assert.equal(zlib.inflate(bytes, { outputBytesMax: 65_536 }), undefined);
      }
    });
  });
}
