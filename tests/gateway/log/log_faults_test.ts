import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fakeClock } from "../../fakes/clock.ts";
import { fakeDisk } from "../../fakes/log_files.ts";
import { bodyOf, type LogStage, logStage, waiting } from "./log_stage.ts";

const long = { timeout: 120_000 };
const limits = { segmentBytes: 4_096, deadBytesMax: 8_192 };

/** Runs a script that uses every kind of call: several segments, copies, ends, dead letters. */
async function script(stage: LogStage): Promise<{ promised: string[]; all: string[] }> {
  const run = await stage.open({}, limits);
  const kept: { body: string; sequence: number }[] = [];
  for (let round = 0; round < 12; round++) {
    for (let n = 0; n < 10; n++) {
      const id = `m${round}-${n}`;
      const slot = run.append(`client-${n}`, id, { ackAsked: true, text: "x".repeat(150) });
      if (n === 0) {
        kept.push({ body: bodyOf(id, "x".repeat(150)), sequence: run.log.sequence(slot) });
      } else if (n === 1) run.log.bury(slot, "expired");
      else run.log.release(slot);
    }
    for (let time = 0; time < 8; time++) await stage.clock.advanceAsync(1);
    await stage.clock.advanceAsync(1_100);
  }
  for (let time = 0; time < 400; time++) await stage.clock.advanceAsync(100);
  assert.equal(run.log.trouble, undefined, "it recovers by itself");
  await run.log.flush();
  const promised = kept.filter(({ sequence }) => sequence <= run.committed).map(({ body }) => body);
  assert.equal(run.changes % 2, 0);
  stage.disk.losePower(() => 0);
  return { promised, all: kept.map(({ body }) => body) };
}

async function callsOfScript(): Promise<number> {
  const stage = logStage();
  const { all, promised } = await script(stage);
  assert.deepEqual(promised, all);
  return stage.disk.calls;
}

describe("MessageLog on a disk whose n-th call fails", () => {
  for (const code of ["EIO", "ENOSPC", "EROFS"]) {
    it(
      `keeps what it committed and recovers by itself: ${code}, one call, for every n`,
      long,
      async () => {
        const calls = await callsOfScript();
        // The first calls are those of opening, which says so instead.
        for (let failing = 3; failing <= calls; failing++) {
          const stage = logStage();
          stage.disk.fails = ({ number }) => number === failing ? code : undefined;
          await checkScript(stage, `call ${failing} of ${calls}`);
        }
      },
    );

    it(`the same for ${code} from call n on for a while`, long, async () => {
      const calls = await callsOfScript();
      for (let failing = 3; failing <= calls; failing += 7) {
        const stage = logStage();
        stage.disk.fails = ({ number }) =>
          number >= failing && number < failing + 25 ? code : undefined;
        await checkScript(stage, `calls from ${failing} on`);
      }
    });
  }

  it("commits nothing and says so while nothing can be written, and writes all of it later", async () => {
    const stage = logStage();
    const run = await stage.open();
    run.append("anna", "before");
    await stage.clock.advanceAsync(5);
    stage.disk.fails = ({ verb }) => verb === "append" ? "ENOSPC" : undefined;
    run.append("anna", "refused");
    await stage.clock.advanceAsync(5);
    assert.match(run.log.trouble ?? "", /ENOSPC/);
    assert.deepEqual([run.committed, run.refused, run.changes], [1, [[2, 2]], 1]);
    run.append("anna", "meanwhile");
    await stage.clock.advanceAsync(60_000);
    assert.equal(run.committed, 1);
    // Each try leaves nothing behind.
    assert.ok(stage.disk.names().length <= 3, `${stage.disk.names()}`);
    stage.disk.fails = undefined;
    for (let time = 0; time < 20; time++) await stage.clock.advanceAsync(100);
    assert.deepEqual([run.log.trouble, run.committed, run.changes], [undefined, 3, 2]);
    stage.disk.losePower(() => 0);
    const bodies = ["before", "refused", "meanwhile"].map((id) => bodyOf(id));
    assert.deepEqual(waiting(await logStage(stage.disk).open()), bodies);
  });

  it("says so when a write does not end", async () => {
    const { clock, port } = hangingDisk();
    const run = await logStage({ ...fakeDisk(), start: () => port }, clock).open();
    run.append("anna", "a");
    await clock.advanceAsync(29_000);
    assert.equal(run.log.trouble, undefined);
    await clock.advanceAsync(2_000);
    assert.match(run.log.trouble ?? "", /^a write has not ended for 3[01] s$/);
    assert.equal(run.committed, 0);
  });

  it("never trusts a file again whose sync failed", async () => {
    const stage = logStage();
    const run = await stage.open();
    run.append("anna", "a");
    await stage.clock.advanceAsync(5);
    let isFirst = true;
    stage.disk.fails = ({ verb }) => {
      const fails = verb === "sync" && isFirst;
      if (fails) isFirst = false;
      return fails ? "EIO" : undefined;
    };
    run.append("anna", "b");
    await stage.clock.advanceAsync(5);
    assert.deepEqual(run.refused, [[2, 2]]);
    for (let time = 0; time < 20; time++) await stage.clock.advanceAsync(100);
    assert.equal(run.committed, 2);
    stage.disk.losePower(() => 0);
    assert.deepEqual(waiting(await logStage(stage.disk).open()), [bodyOf("a"), bodyOf("b")]);
  });
});

async function checkScript(stage: LogStage, what: string): Promise<void> {
  try {
    const { promised } = await script(stage);
    stage.disk.fails = undefined;
    const found = waiting(await logStage(stage.disk, stage.clock).open());
    assert.deepEqual(found, promised, what);
    assert.equal(promised.length, 12, what);
  } catch (error) {
    throw new Error(`${what} failed`, { cause: error });
  }
}

/** Its files open, and take nothing. */
function hangingDisk() {
  const port = fakeDisk().start();
  return {
    clock: fakeClock(),
    port: { ...port, openAppend: () => new Promise<never>(() => {}) },
  };
}
