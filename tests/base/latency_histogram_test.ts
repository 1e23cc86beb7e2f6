import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LatencyHistogram } from "../../src/base/latency_histogram.ts";

function histogramOf(durations: readonly number[]): LatencyHistogram {
  const histogram = new LatencyHistogram();
  for (const ms of durations) histogram.add(ms);
  return histogram;
}

/** The value that at least `share` of all do not exceed, worked out by sorting. */
function exactPercentile(durations: readonly number[], share: number): number {
  const sorted = durations.toSorted((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1]!;
}

const anyDurations = fc.array(fc.double({ min: 0, max: 1e7, noNaN: true }), { minLength: 1 });

test("LatencyHistogram.percentile() is never below the exact one and at most 1/32 above", () => {
  fc.assert(fc.property(anyDurations, fc.double({ min: 0, max: 1, noNaN: true }), (all, share) => {
    const found = histogramOf(all).percentile(share);
    const exact = exactPercentile(all, share);
    assert.ok(found >= exact * (1 - 1e-9), `${found} is below ${exact}`);
    assert.ok(found <= exact * (1 + 1 / 32) + 0.001_001, `${found} is far above ${exact}`);
  }));
});

test("LatencyHistogram.merge() gives what adding all to one gives", () => {
  fc.assert(fc.property(anyDurations, anyDurations, (some, others) => {
    const merged = histogramOf(some);
    merged.merge(histogramOf(others));
    const whole = histogramOf([...some, ...others]);
    for (const share of [0, 0.5, 0.9, 0.99, 1]) {
      assert.equal(merged.percentile(share), whole.percentile(share));
    }
    assert.deepEqual([merged.count, merged.maxMs], [whole.count, whole.maxMs]);
  }));
});

test("LatencyHistogram is all 0 when empty and takes any duration", () => {
  const empty = new LatencyHistogram();
  assert.deepEqual([empty.count, empty.maxMs, empty.percentile(0.99)], [0, 0, 0]);
  const extreme = histogramOf([0, 1e15]);
  assert.equal(extreme.count, 2);
  assert.equal(extreme.percentile(0), 0.001);
  assert.equal(extreme.maxMs, 1e15);
});
