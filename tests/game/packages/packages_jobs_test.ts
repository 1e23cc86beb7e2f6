import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PackagesJobs } from "../../../src/game/packages/packages_jobs.ts";
import type { PackagesProgress } from "../../../src/game/packages/packages_progress.ts";
import type { PackagesMessage, PackagesOrder } from "../../../src/game/packages/packages_work.ts";
import type { WorkersPort } from "../../../src/ports/workers.ts";
import { fakeClock } from "../../fakes/clock.ts";
import { fakeLog } from "../../fakes/log.ts";

/** Jobs whose worker says what the test says. */
function held() {
  const posted: string[] = [];
  const count = { started: 0, terminated: 0 };
  let say: (message: PackagesMessage) => void = () => {};
  const workers: WorkersPort = {
    start(options) {
      count.started++;
      const { handlers } = options as unknown as {
        handlers: { message(message: PackagesMessage): void };
      };
      say = (message) => handlers.message(message);
      return {
        post: (order) => posted.push((order as PackagesOrder).kind),
        terminate: () => count.terminated++,
      };
    },
  };
  const clock = fakeClock();
  const jobs = new PackagesJobs({ workers, clock, logger: fakeLog().logger });
  return { jobs, clock, posted, count, say: (message: PackagesMessage) => say(message) };
}

const job = () => ({ request: { kind: "list", directory: "." } as const });
const answer: PackagesMessage = { kind: "listed", packages: [] };
const progress: PackagesProgress = { name: "a", phase: "receive", loaded: 1, total: 0 };
const cancelled = { kind: "failed", reason: "it was cancelled" };

describe("PackagesJobs", () => {
  it("hands progress on, and gives a job that goes on 180 s for each step", async () => {
    const { jobs, clock, count, say } = held();
    const told: PackagesProgress[] = [];
    const reply = jobs.perform(job, { progress: (one) => told.push(one) });
    for (let step = 0; step < 5; step++) {
      clock.advance(179_999);
      say({ kind: "progress", progress });
    }
    assert.deepEqual([told.length, count.terminated], [5, 0]);
    clock.advance(180_000);
    assert.deepEqual(await reply, { kind: "failed", reason: "the packages took over 180 s" });
    jobs.close();
  });

  it("asks the worker to stop a job that is cancelled, and takes its answer", async () => {
    const { jobs, clock, posted, count, say } = held();
    const cancel = new AbortController();
    const reply = jobs.perform(job, { signal: cancel.signal });
    const next = jobs.perform(job);
    cancel.abort();
    assert.deepEqual(posted, ["list", "cancel"]);
    say({ kind: "failed", reason: "it was cancelled" });
    assert.deepEqual(await reply, cancelled);
    assert.deepEqual(posted, ["list", "cancel", "list"]);
    clock.advance(10_000);
    say(answer);
    assert.deepEqual([await next, count], [answer, { started: 1, terminated: 0 }]);
    jobs.close();
  });

  it("ends the worker of a job that goes on for 5 s after it was cancelled", async () => {
    const { jobs, clock, posted, count, say } = held();
    const cancel = new AbortController();
    const told: PackagesProgress[] = [];
    const reply = jobs.perform(job, { signal: cancel.signal, progress: (one) => told.push(one) });
    const next = jobs.perform(job);
    cancel.abort();
    clock.advance(4_999);
    say({ kind: "progress", progress });
    assert.deepEqual([told, count.terminated], [[], 0]);
    clock.advance(1);
    assert.deepEqual(await reply, cancelled);
    assert.deepEqual(count, { started: 2, terminated: 1 });
    say(answer);
    assert.deepEqual([await next, posted], [answer, ["list", "cancel", "list"]]);
    jobs.close();
  });

  it("forgets a job that is cancelled before its turn, or before it is asked for", async () => {
    const { jobs, posted, say } = held();
    const cancel = new AbortController();
    const first = jobs.perform(job);
    const second = jobs.perform(job, { signal: cancel.signal });
    cancel.abort();
    assert.deepEqual(await second, cancelled);
    assert.deepEqual(await jobs.perform(job, { signal: cancel.signal }), cancelled);
    say(answer);
    assert.deepEqual([await first, posted], [answer, ["list"]]);
    jobs.close();
  });
});
