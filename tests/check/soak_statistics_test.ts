import assert from "node:assert/strict";
import { test } from "node:test";
import { showSoak, soakFaults, SoakStatistics } from "../../src/check/soak_statistics.ts";

const unknownMemory = { memoryFirst: undefined, memoryLast: undefined, faults: [] };

function filled(replies: number, failures: number): SoakStatistics {
  const statistics = new SoakStatistics();
  for (let count = 0; count < replies; count++) statistics.reply("tcp", 1);
  for (let count = 0; count < failures; count++) statistics.failure("udp", "nothing came");
  return statistics;
}

test("soakFaults() allows 3 % failures and 20 replies/s, and nothing worse", () => {
  assert.deepEqual(soakFaults({ failureShare: 0.03, repliesPerSecond: 20 }), []);
  assert.match(soakFaults({ failureShare: 0.0301, repliesPerSecond: 20 })[0]!, /3.01 %/);
  assert.match(soakFaults({ failureShare: 0, repliesPerSecond: 19.9 })[0]!, /19.9 replies\/s/);
  assert.equal(soakFaults({ failureShare: 1, repliesPerSecond: 0 }).length, 2);
});

test("SoakStatistics.report() counts shares over all traffic", () => {
  const good = filled(970, 30).report({ seconds: 10, ...unknownMemory });
  assert.deepEqual([good.ok, good.failure_share, good.replies_per_second], [true, 0.03, 97]);
  assert.deepEqual([good.total.replies, good.total.failures], [970, 30]);
  assert.deepEqual(good.failures, { "nothing came": 30 });
  assert.equal(good.by_traffic["tcp"]?.p99_ms, 1);
  const bad = filled(960, 40).report({ seconds: 10, ...unknownMemory });
  assert.equal(bad.ok, false);
});

test("SoakStatistics.report() of nothing at all fails", () => {
  const report = new SoakStatistics().report({ seconds: 5, ...unknownMemory });
  assert.deepEqual([report.ok, report.reasons.length], [false, 2]);
  const noTime = new SoakStatistics().report({ seconds: 0, ...unknownMemory });
  assert.equal(noTime.replies_per_second, 0);
});

test("SoakStatistics.report() fails for faults besides its own figures", () => {
  const report = filled(1_000, 0).report({ seconds: 1, ...unknownMemory, faults: ["it died"] });
  assert.deepEqual([report.ok, report.reasons], [false, ["it died"]]);
});

test("SoakStatistics keeps at most 20 different reasons, whatever comes", () => {
  const statistics = new SoakStatistics();
  for (let count = 0; count < 1_000; count++) statistics.failure("tcp", `reason ${count}`);
  statistics.failure("tcp", "reason 0");
  const { failures, total } = statistics.report({ seconds: 1, ...unknownMemory });
  assert.equal(Object.keys(failures).length, 20);
  assert.equal(failures["reason 0"], 2);
  assert.equal(total.failures, 1_001);
});

test("showSoak() prints figures, memory and reasons", () => {
  const report = filled(10, 5).report({
    seconds: 1,
    memoryFirst: 50 * 2 ** 20,
    memoryLast: 60 * 2 ** 20,
    faults: ["it died"],
  });
  const text = showSoak(report);
  for (const part of ["p99 ms", "50.0 MiB at first, 60.0 MiB at last", "SOAK: it died", "33.33"]) {
    assert.ok(text.includes(part), `${part} is missing in:\n${text}`);
  }
});
