import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { restartDelayMsFloor, restartDelayMsMax } from "../../src/watchdog/restart_policy.ts";
import { killWaitMs, stopStepMs } from "../../src/watchdog/stop_sequence.ts";
import type { SupervisorSettings } from "../../src/watchdog/supervisor_events.ts";
import { type Life, SupervisorWorld } from "./supervisor_world.ts";

const life: fc.Arbitrary<Life> = fc.record({
  start: fc.constantFrom("runs", "runs", "runs", "runs", "fails", "port_held"),
  startTakes: fc.nat(500),
  readyAfter: fc.nat(30_000),
  diesAfter: fc.nat(120_000),
  code: fc.constantFrom(0, 1, 2, 3),
  answersUntil: fc.nat(90_000),
  onAsk: fc.constantFrom("refuses", "silent", "acknowledges", "ends"),
  endsOnTerm: fc.boolean(),
  jitter: fc.double({ min: 0, max: 0.999, noNaN: true }),
});

const settings: fc.Arbitrary<SupervisorSettings> = fc.record({
  healthIntervalMs: fc.integer({ min: 50, max: 5_000 }),
  startGraceMs: fc.nat(12_000),
  maxConsecutiveHealthFailures: fc.integer({ min: 1, max: 4 }),
  restartDelayMs: fc.constantFrom(0, 100, 1_500, 90_000),
  maxRestarts: fc.nat(5),
  drainMs: fc.constantFrom(0, 5_000),
  keepAliveMs: fc.constantFrom(undefined, 1_000, 15_000),
  about: fc.constant({}),
});

// The world itself asserts that there are never two children, and that only living ones are
// probed, asked, signalled and vouched for.

it("Supervisor ends within its stop times after a signal, whatever the child does", () => {
  const lives = fc.array(life, { minLength: 1, maxLength: 10 });
  fc.assert(fc.property(settings, lives, fc.nat(300_000), (given, children, signalAt) => {
    const outcome = new SupervisorWorld(given, children).run([signalAt], 10_000_000);
    assert.notEqual(outcome.exitCode, undefined, "it ended");
    if (outcome.endedAt < signalAt) assert.notEqual(outcome.exitCode, 0);
    const stopMs = 2 * stopStepMs + given.drainMs + killWaitMs;
    // Besides: the child that was being started, and what the world's own steps take.
    assert.ok(outcome.endedAt <= signalAt + 500 + stopMs + 100, `ended at ${outcome.endedAt}`);
  }));
});

it("Supervisor never waits shorter than restart_delay_s nor longer than 60 s between starts", () => {
  const lives = fc.array(life, { minLength: 3, maxLength: 10 });
  fc.assert(fc.property(settings, lives, (given, children) => {
    const { waits } = new SupervisorWorld(given, children).run([], 2_000_000);
    for (const { ms, afterHealthy } of waits) {
      assert.ok(ms >= given.restartDelayMs - 1, `${ms} ms`);
      assert.ok(ms <= Math.max(restartDelayMsMax, given.restartDelayMs) + 1, `${ms} ms`);
      if (afterHealthy) assert.ok(Math.abs(ms - given.restartDelayMs) <= 1, `${ms} ms`);
      else assert.ok(ms >= restartDelayMsFloor - 1, `${ms} ms`);
    }
  }));
});

it("Supervisor starts at most max_restarts children besides the first", () => {
  const lives = fc.array(life, { minLength: 1, maxLength: 10 });
  fc.assert(fc.property(settings, lives, (given, children) => {
    const limited = { ...given, maxRestarts: given.maxRestarts + 1 };
    const outcome = new SupervisorWorld(limited, children).run([], 20_000_000);
    assert.ok(outcome.starts <= limited.maxRestarts + 1, `${outcome.starts} starts`);
    assert.ok(outcome.exitCode === 2 || outcome.exitCode === 3, `exit code ${outcome.exitCode}`);
  }));
});

it("Supervisor vouches for its child only after a good probe, and as often as was asked", () => {
  const good = life.map((given) => ({ ...given, start: "runs", readyAfter: 10 }) as const);
  const lives = fc.array(good, { minLength: 1, maxLength: 10 });
  fc.assert(fc.property(settings, lives, (given, children) => {
    const { keepAlives } = new SupervisorWorld(given, children).run([], 400_000);
    if (given.keepAliveMs === undefined) assert.equal(keepAlives.length, 0);
    for (const { lastProbeOk } of keepAlives) assert.ok(lastProbeOk);
  }));
});
