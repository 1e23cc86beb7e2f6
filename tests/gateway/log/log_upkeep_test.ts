import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hashMessageId } from "../../../src/gateway/dedup_window.ts";
import type { Slot } from "../../../src/gateway/log/message_log_types.ts";
import { bodyOf, type LogRun, type LogStage, logStage, stem, waiting } from "./log_stage.ts";

const kilo = 1_024;
const long = { timeout: 60_000 };
const limits = { segmentBytes: 32 * kilo, deadBytesMin: 32 * kilo, deadBytesMax: 192 * kilo };
/** A hundredth of the real ones: what names the few clients weighs little in a segment then. */
const hundredth = {
  segmentBytes: 320 * kilo,
  deadBytesMin: 320 * kilo,
  deadBytesMax: 1_920 * kilo,
  idsMax: 10_000,
};

/** Of a frame, not stored. */
const braces = 2;

/** Sends frames of 100 bytes or others, all of which leave soon after; every `stuckEvery`th stays. */
async function traffic(
  stage: LogStage,
  run: LogRun,
  options: {
    rounds: number;
    stuckEvery: number;
    ackAsked: boolean;
    ahead?: string;
    bytes?: number;
  },
): Promise<{ frames: number; stuck: string[] }> {
  let frames = 0;
  let number = 0;
  const stuck: string[] = [];
  for (let round = 0; round < options.rounds; round++) {
    const slots: Slot[] = [];
    for (let n = 0; n < 100; n++) {
      const id = `${options.ahead ?? "m"}${number++}`;
      const text = "x".repeat((options.bytes ?? 100) - braces - bodyOf(id, "").length);
      const slot = run.append(`client-${n % 20}`, id, { ackAsked: options.ackAsked, text });
      frames += run.log.bodyBytes(slot) + braces;
      if (number % options.stuckEvery === 0) stuck.push(run.log.bodyText(slot));
      else slots.push(slot);
    }
    for (const slot of slots) run.log.release(slot);
    await stage.clock.advanceAsync(3);
  }
  for (let time = 0; time < 50; time++) await stage.clock.advanceAsync(100);
  return { frames, stuck };
}

describe("MessageLog.bury()", () => {
  it("keeps a message in the log until its dead letter is safe, whatever becomes of its segment", async () => {
    const stage = logStage();
    const run = await stage.open({ dedupWindowMs: 1_000 }, limits);
    const slot = run.append("anna", "dying", { ackAsked: true });
    const sequence = run.log.sequence(slot);
    await stage.clock.advanceAsync(5);
    assert.equal(run.committed, sequence);
    stage.disk.fails = ({ path, verb }) =>
      path.endsWith(".dead") && verb === "append" ? "ENOSPC" : undefined;
    let isSafe = false;
    run.log.bury(slot, "expired", () => isSafe = true);
    assert.deepEqual([run.log.depth, run.log.isWaiting(slot, sequence)], [0, false]);
    // All else in its segment has left, and the log goes on.
    await traffic(stage, run, { rounds: 50, stuckEvery: Infinity, ackAsked: false });
    assert.equal(isSafe, false);
    assert.equal(stage.disk.names().includes(`${stem}.000001`), false, "its segment went");
    stage.disk.losePower(() => 0);
    stage.disk.fails = undefined;
    const again = await stage.open({ dedupWindowMs: 1_000 }, limits);
    const found = again.messages.filter(({ messageId }) => messageId === "dying");
    assert.deepEqual(found.map(({ client }) => client.id), ["anna"], "it came back");

    again.log.bury(found[0]!.slot, "expired", () => isSafe = true);
    await stage.clock.advanceAsync(5);
    assert.equal(isSafe, true);
    await traffic(stage, again, { rounds: 50, stuckEvery: Infinity, ackAsked: false });
    stage.disk.losePower(() => 0);
    const last = await stage.open({ dedupWindowMs: 1_000 }, limits);
    assert.equal(last.messages.some(({ messageId }) => messageId === "dying"), false);
    const [letter] = await last.log.deadLetters(1);
    assert.deepEqual([letter?.clientId, letter?.messageId], ["anna", "dying"]);
    await last.log.close();
  });
});

describe("MessageLog keeps its files small", () => {
  it("writes no more than 1.3 bytes for each byte of messages of 100 bytes", async () => {
    const stage = logStage();
    const run = await stage.open({}, hundredth);
    const { frames } = await traffic(stage, run, {
      rounds: 600,
      stuckEvery: Infinity,
      ackAsked: true,
    });
    const share = stage.disk.bytesAppended / frames;
    assert.ok(share <= 1.3, `${share} bytes written for each`);
    await run.log.close();
  });

  it("the same with 1 in 500 that stays, and keeps those over a restart", async () => {
    const stage = logStage();
    const run = await stage.open({}, hundredth);
    const { frames, stuck } = await traffic(stage, run, {
      rounds: 900,
      stuckEvery: 500,
      ackAsked: false,
    });
    const share = stage.disk.bytesAppended / frames;
    assert.ok(share <= 1.3, `${share} bytes written for each`);
    const most = Math.max(hundredth.deadBytesMax, 3 * run.log.bytes) + run.log.bytes * 1.5 +
      2 * hundredth.segmentBytes;
    assert.ok(stage.disk.bytesKept <= most, `${stage.disk.bytesKept} kept, ${most} allowed`);
    assert.ok(!stage.disk.names().includes("data/buffer.log.000001"), "the oldest went");
    await run.log.close();
    assert.deepEqual(waiting(await stage.open({}, hundredth)), stuck);
  });

  it("the same with messages of 300 bytes whose ids go into files of their own", async () => {
    const stage = logStage();
    const run = await stage.open({}, { ...hundredth, idsMax: 100_000 });
    const { frames } = await traffic(stage, run, {
      rounds: 300,
      stuckEvery: Infinity,
      ackAsked: true,
      bytes: 300,
    });
    const share = stage.disk.bytesAppended / frames;
    assert.ok(share <= 1.3, `${share} bytes written for each`);
    const ids = stage.disk.names().filter((name) => name.endsWith(".ids"));
    assert.ok(ids.length > 20, `${ids}`);
    const read = stage.disk.bytesKept;
    assert.ok(read < 1_300 * kilo, `${read} bytes to read at start for 30,000 ids`);
    await run.log.close();
    const again = await stage.open({}, { ...hundredth, idsMax: 100_000 });
    const expected = Array.from({ length: 30_000 }, (_, n) => hashMessageId(`m${n}`));
    assert.deepEqual(again.ids.map(({ low, high }) => ({ low, high })), expected);
    await again.log.close();
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
    assert.deepEqual(again.ids.map(({ low, high }) => ({ low, high })), expected);
    assert.ok(again.ids.every(({ slot, bodyBytes }) => slot === undefined && bodyBytes === 98));
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
      const known = again.ids.map(({ low, high }) => ({ low, high }));
      assert.deepEqual(known.at(-1), hashMessageId("after"));
      await stage.clock.advanceAsync(600_000);
      for (const { slot } of again.messages) again.log.release(slot);
      await traffic(stage, again, { rounds: 20, stuckEvery: Infinity, ackAsked: false });
      assert.ok(!stage.disk.names().includes("data/buffer.log.000001"), `${stage.disk.names()}`);
      await again.log.close();
    }
  });
});
