/** What the fakes do beyond the ports: the controls that tests hold. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fakeClock } from "./clock.ts";
import { fakeFiles } from "./files.ts";
import { fakeLog } from "./log.ts";
import { FakeExit, fakeProcess } from "./process.ts";
import { fakeRandom } from "./random.ts";
import { fakeWorkers } from "./workers.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

describe("fakeClock", () => {
  it("advance() calls in order of time, then of asking, each at its own moment", () => {
    const clock = fakeClock(1_000);
    const calls: [string, number][] = [];
    const note = (what: string) => () => calls.push([what, clock.now()]);
    clock.after(20, note("b"));
    clock.every(10, note("tick"));
    clock.after(20, note("c"));
    clock.after(10, () => {
      note("a")();
      clock.after(5, note("nested"));
      clock.after(0, note("at once"));
    });
    clock.advance(25);
    assert.deepEqual(calls, [
      ["tick", 1_010],
      ["a", 1_010],
      ["at once", 1_010],
      ["nested", 1_015],
      ["b", 1_020],
      ["tick", 1_020],
      ["c", 1_020],
    ]);
    assert.equal(clock.now(), 1_025);
    assert.equal(clock.waiting, 1);
  });

  it("jumpWallClock() moves now() and nothing else", () => {
    const clock = fakeClock(1_000);
    let called = false;
    clock.after(10, () => called = true);
    clock.jumpWallClock(-500);
    assert.deepEqual([clock.now(), clock.monotonic(), called], [500, 0, false]);
  });

  it("advanceAsync() lets promises settle between calls", async () => {
    const clock = fakeClock();
    const calls: string[] = [];
    clock.after(10, async () => {
      await Promise.resolve();
      calls.push("first");
      clock.after(5, () => calls.push("second"));
    });
    clock.after(20, () => calls.push("third"));
    await clock.advanceAsync(30);
    assert.deepEqual(calls, ["first", "second", "third"]);
  });
});

describe("fakeFiles", () => {
  it("crash() drops what was not synced and ends handles", async () => {
    const files = fakeFiles();
    const file = await files.openAppend("log");
    await file.append(bytesOf("kept "));
    await file.dataSync();
    await file.append(bytesOf("lost"));
    await files.replace("state", bytesOf("whole"));
    assert.equal(files.text("log"), "kept lost");
    files.crash();
    assert.deepEqual([files.text("log"), files.text("state")], ["kept ", "whole"]);
    await assert.rejects(file.append(bytesOf("x")), { code: "EBADF" });
    const again = await files.openAppend("log");
    assert.equal(again.size, 5);
  });

  it("failNext() fails one call; an append then leaves a torn tail", async () => {
    const files = fakeFiles();
    const file = await files.openAppend("log");
    files.failNext("ENOSPC");
    await assert.rejects(file.append(bytesOf("1234")), { name: "FileError", code: "ENOSPC" });
    assert.equal(files.text("log"), "12");
    await file.append(bytesOf("56"));
    assert.equal(files.text("log"), "1256");
    files.failNext("EIO");
    await assert.rejects(file.dataSync(), { code: "EIO" });
    files.failNext("EACCES");
    await assert.rejects(files.replace("log", bytesOf("x")), { code: "EACCES" });
    assert.equal(files.text("log"), "1256");
  });
});

describe("fakeProcess", () => {
  it("shows output, delivers signals, and throws FakeExit", () => {
    const process = fakeProcess({ args: ["serve"], isTerminal: true });
    process.writeStdout("out");
    process.writeStderr("err");
    assert.deepEqual([process.stdout, process.stderr, process.args], ["out", "err", ["serve"]]);
    let count = 0;
    const stop = process.onSignal("SIGTERM", () => count++);
    assert.equal(process.raise("SIGTERM"), true);
    stop();
    assert.equal(process.raise("SIGTERM"), false);
    assert.equal(count, 1);
    assert.throws(
      () => process.exit(3),
      (error: unknown) => error instanceof FakeExit && error.code === 3,
    );
  });

  it("failNextSpawn() rejects once; children keep the signals they got", async () => {
    const process = fakeProcess();
    process.failNextSpawn("EAGAIN");
    await assert.rejects(process.spawn("x", { args: [] }), { code: "EAGAIN" });
    const child = await process.spawn("x", { args: ["a"] });
    child.kill("SIGTERM");
    const [seen] = process.children;
    assert.deepEqual([seen?.command, seen?.signals, seen?.isRunning], ["x", ["SIGTERM"], true]);
    seen?.end({ code: 0, signal: null });
    assert.deepEqual(await child.exited, { code: 0, signal: null });
  });
});

describe("fakeRandom, fakeLog, fakeWorkers", () => {
  it("fakeRandom() repeats itself for a seed", () => {
    const [one, same, other] = [fakeRandom(7), fakeRandom(7), fakeRandom(8)];
    const drawn = [one, same, other].map((random) => [random.uuid(), random.fraction()]);
    assert.deepEqual(drawn[0], drawn[1]);
    assert.notDeepEqual(drawn[0], drawn[2]);
  });

  it("fakeLog() keeps lines of all loggers in order", () => {
    const log = fakeLog();
    log.logger.info({ a: 1 }, "one");
    log.open({ level: "warn", format: "json", stderr: true }).info({}, "too low");
    log.logger.child({ b: 2 }).error({}, "two");
    assert.deepEqual(log.lines, [
      { level: "info", message: "one", fields: { a: 1 } },
      { level: "error", message: "two", fields: { b: 2 } },
    ]);
  });

  it("fakeWorkers.fail() ends a worker once", () => {
    const errors: string[] = [];
    const workers = fakeWorkers({ store_worker() {} });
    const handlers = { message() {}, error: (error: Error) => errors.push(error.message) };
    workers.start({ entry: "store_worker", name: "store", handlers });
    assert.deepEqual(workers.running, ["store"]);
    workers.fail("store", "disk on fire");
    workers.fail("store", "again");
    assert.deepEqual(errors, ["Worker store failed: disk on fire"]);
    assert.deepEqual(workers.running, []);
  });
});
