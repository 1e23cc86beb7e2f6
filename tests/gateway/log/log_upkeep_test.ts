import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hashMessageId } from "../../../src/gateway/dedup_window.ts";
import type { Slot } from "../../../src/gateway/log/message_log_types.ts";
import { bodyOf, type LogRun, type LogStage, logStage, waiting } from "./log_stage.ts";

const kilo = 1_024;
const long = { timeout: 60_000 };
const limits = { segmentBytes: 64 * kilo, deadBytesMax: 256 * kilo };

/** Sends frames of 100 bytes, all of which leave soon after; every `stuckEvery`th stays. */
async function traffic(
  stage: LogStage,
  run: LogRun,
  options: { rounds: number; stuckEvery: number; ackAsked: boolean; ahead?: string },
): Promise<{ bodies: number; stuck: string[] }> {
  let bodies = 0;
  let number = 0;
  const stuck: string[] = [];
  for (let round = 0; round < options.rounds; round++) {
    const slots: Slot[] = [];
    for (let n = 0; n < 100; n++) {
      const id = `${options.ahead ?? "m"}${number++}`;
      const text = "x".repeat(100 - bodyOf(id, "").length);
      const slot = run.append(`client-${n % 20}`, id, { ackAsked: options.ackAsked, text });
      bodies += run.log.bodyBytes(slot);
      if (number % options.stuckEvery === 0) stuck.push(run.log.bodyText(slot));
      else slots.push(slot);
    }
    for (const slot of slots) run.log.release(slot);
    await stage.clock.advanceAsync(3);
  }
  for (let time = 0; time < 50; time++) await stage.clock.advanceAsync(100);
  return { bodies, stuck };
}

describe("MessageLog keeps its files small", () => {
  it("writes no more than 1.3 bytes for each byte of messages of 100 bytes", async () => {
    const stage = logStage();
    // A thousandth of the real sizes, so a thousandth of the ids.
    const run = await stage.open({}, { ...limits, idsMax: 1_000 });
    const { bodies } = await traffic(stage, run, {
      rounds: 300,
      stuckEvery: Infinity,
      ackAsked: true,
    });
    const share = stage.disk.bytesAppended / bodies;
    assert.ok(share <= 1.3, `${share} bytes written for each`);
    await run.log.close();
  });

  it("the same with 1 in 500 that stays, and keeps those over a restart", async () => {
    const stage = logStage();
    const run = await stage.open({}, limits);
    const { bodies, stuck } = await traffic(stage, run, {
      rounds: 300,
      stuckEvery: 500,
      ackAsked: false,
    });
    const share = stage.disk.bytesAppended / bodies;
    assert.ok(share <= 1.3, `${share} bytes written for each`);
    const most = Math.max(limits.deadBytesMax, 3 * run.log.bytes) + run.log.bytes * 1.5 +
      2 * limits.segmentBytes;
    assert.ok(stage.disk.bytesKept <= most, `${stage.disk.bytesKept} kept, ${most} allowed`);
    assert.ok(!stage.disk.names().includes("data/buffer.log.000001"), "the oldest went");
    await run.log.close();
    assert.deepEqual(waiting(await stage.open({}, limits)), stuck);
  });

  it("removes segments at once when nothing in them is needed", async () => {
    const stage = logStage();
    const run = await stage.open({}, limits);
    await traffic(stage, run, { rounds: 60, stuckEvery: Infinity, ackAsked: false });
    assert.ok(stage.disk.names().length <= 2, `${stage.disk.names()}`);
    await run.log.close();
  });

  it("keeps ids known when their segments have gone, and drops them after the window", async () => {
    const stage = logStage();
    const small = { segmentBytes: 16 * kilo, deadBytesMax: 32 * kilo };
    const run = await stage.open({}, small);
    await traffic(stage, run, { rounds: 20, stuckEvery: Infinity, ackAsked: true });
    const names = stage.disk.names();
    assert.ok(names.some((name) => name.endsWith(".ids")), `${names}`);
    await run.log.close();
    const again = await stage.open({}, small);
    assert.equal(again.ids.length, 2_000);
    const expected = Array.from({ length: 2_000 }, (_, n) => hashMessageId(`m${n}`));
    assert.deepEqual(again.ids.map(({ messageId }) => messageId), expected);
    assert.ok(again.ids.every(({ slot, bodyBytes }) => slot === undefined && bodyBytes === 100));
    assert.deepEqual(
      again.ids.slice(0, 25).map(({ client }) => client.id),
      expected.slice(0, 25).map((_, n) => `client-${n % 20}`),
    );
    await stage.clock.advanceAsync(600_000);
    await traffic(stage, again, { rounds: 5, stuckEvery: Infinity, ackAsked: false, ahead: "n" });
    assert.ok(!stage.disk.names().some((name) => name.endsWith(".ids")), `${stage.disk.names()}`);
    await again.log.close();
    assert.equal((await stage.open({}, small)).ids.length, 0);
  });

  it("keeps no more ids than it may", async () => {
    const stage = logStage();
    const small = { segmentBytes: 16 * kilo, deadBytesMax: 32 * kilo, idsMax: 300 };
    const run = await stage.open({}, small);
    await traffic(stage, run, { rounds: 20, stuckEvery: Infinity, ackAsked: true });
    assert.ok(stage.disk.bytesKept < 64 * kilo, `${stage.disk.bytesKept}`);
    await run.log.close();
    assert.equal((await stage.open({}, small)).ids.length, 300);
  });

  it("many restarts with little to write do not fill the directory", async () => {
    const stage = logStage();
    const few = { ...limits, segmentsMax: 8 };
    for (let life = 0; life < 40; life++) {
      const run = await stage.open({}, few);
      run.append("anna", `m${life}`);
      for (let time = 0; time < 20; time++) await stage.clock.advanceAsync(100);
      await run.log.close();
    }
    assert.ok(stage.disk.names().length <= 9, `${stage.disk.names()}`);
    const bodies = Array.from({ length: 40 }, (_, life) => bodyOf(`m${life}`));
    assert.deepEqual(waiting(await stage.open({}, few)), bodies);
  });

  it("few messages that stay do not keep the memory of all that left", long, async () => {
    const stage = logStage();
    const run = await stage.open({ persistFile: "" });
    let most = 0;
    for (let round = 0; round < 400; round++) {
      const slots = Array.from({ length: 1_000 }, (_, n) =>
        run.append("anna", `m${round}-${n}`, {
          text: "x".repeat(200),
        }));
      for (const slot of slots.slice(1)) run.log.release(slot);
      await stage.clock.advanceAsync(3);
      most = Math.max(most, run.log.memoryBytes);
    }
    assert.equal(run.log.depth, 400);
    assert.ok(most < 24 * 1024 * kilo, `${most} bytes of memory for 400 messages`);
    assert.equal(waiting(run).length, 400);
    await run.log.close();
  });

  it("clocks that jump by a day neither lose messages nor keep ids for ever", async () => {
    const day = 86_400_000;
    for (const jump of [day, -day]) {
      const stage = logStage();
      const run = await stage.open({}, limits);
      run.append("anna", "before", { ackAsked: true });
      await stage.clock.advanceAsync(10);
      stage.clock.jumpWallClock(jump);
      run.append("anna", "after", { ackAsked: true });
      await stage.clock.advanceAsync(10);
      assert.equal(run.committed, 2);
      await run.log.close();
      const again = await stage.open({}, limits);
      assert.deepEqual(waiting(again), [bodyOf("before"), bodyOf("after")]);
      const known = again.ids.map(({ messageId }) => messageId);
      assert.deepEqual(known.at(-1), hashMessageId("after"));
      await stage.clock.advanceAsync(600_000);
      for (const { slot } of again.messages) again.log.release(slot);
      await traffic(stage, again, { rounds: 20, stuckEvery: Infinity, ackAsked: false });
      assert.ok(!stage.disk.names().includes("data/buffer.log.000001"), `${stage.disk.names()}`);
      await again.log.close();
    }
  });
});
