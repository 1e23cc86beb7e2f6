import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { equalInConstantTime } from "../../src/base/constant_time.ts";
import { crc32 } from "../../src/base/crc32.ts";
import { DeadlineQueue } from "../../src/base/deadline_queue.ts";
import { TokenBucket } from "../../src/base/token_bucket.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("crc32", () => {
  it("crc32() gives the check value of ISO 3309 and 0 for nothing", () => {
    assert.equal(crc32(bytes("123456789")), 0xcbf43926);
    assert.equal(crc32(bytes("")), 0);
    assert.equal(crc32(bytes("The quick brown fox jumps over the lazy dog")), 0x414fa339);
  });
});

describe("equalInConstantTime", () => {
  it("equalInConstantTime() is equality", () => {
    fc.assert(fc.property(fc.string(), fc.string(), (a, b) => {
      const same = new TextDecoder().decode(bytes(a)) === new TextDecoder().decode(bytes(b));
      assert.equal(equalInConstantTime(a, b), same);
      assert.equal(equalInConstantTime(a, a), true);
    }));
  });

  it("equalInConstantTime() refuses repetitions and prefixes of the secret", () => {
    assert.equal(equalInConstantTime("abab", "ab"), false);
    assert.equal(equalInConstantTime("a", "ab"), false);
    assert.equal(equalInConstantTime("", "ab"), false);
    assert.equal(equalInConstantTime("ab", ""), false);
  });
});

describe("TokenBucket", () => {
  it("TokenBucket.take() gives the burst at once, then the rate", () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 3, now: 0 });
    assert.deepEqual([0, 0, 0, 0].map((now) => bucket.take(now)), [true, true, true, false]);
    assert.equal(bucket.take(99), false);
    assert.equal(bucket.take(100), true);
    assert.equal(bucket.take(10_000, 3), true);
    assert.equal(bucket.take(10_000), false);
  });

  it("TokenBucket.take() gives nothing for a clock that jumps back", () => {
    const bucket = new TokenBucket({ perSecond: 1, burst: 1, now: 5_000 });
    assert.equal(bucket.take(5_000), true);
    assert.equal(bucket.take(0), false);
    assert.equal(bucket.take(900), false);
    assert.equal(bucket.take(1_001), true);
  });
});

describe("DeadlineQueue", () => {
  it("DeadlineQueue.take() gives items in the order of their times, and none too early", () => {
    fc.assert(fc.property(fc.array(fc.nat(1_000)), (times) => {
      const queue = new DeadlineQueue<number>();
      for (const at of times) queue.add(at, at);
      const sorted = [...times].sort((a, b) => a - b);
      assert.equal(queue.size, times.length);
      for (const at of sorted) {
        assert.equal(queue.next, at);
        assert.equal(queue.take(at - 1), undefined);
        assert.equal(queue.take(at), at);
      }
      assert.equal(queue.next, undefined);
      assert.equal(queue.take(Infinity), undefined);
    }));
  });
});
