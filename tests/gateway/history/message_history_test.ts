import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bodyOf, historyStage, smallLimits } from "./history_stage.ts";

const many = Array.from({ length: 120 }, (_, n) => `m${n}`);
const last = (count: number) => many.slice(-count).map(bodyOf);

describe("MessageHistory", () => {
  it("read() gives the last `limit`, in order, or those after the last message of an id", async () => {
    const run = await historyStage().open();
    for (const id of ["1", "2", "3", "2", "4"]) run.add("a", id);
    run.add("b", "9");
    assert.deepEqual(await run.texts("a", 2), [bodyOf("2"), bodyOf("4")]);
    assert.deepEqual(await run.texts("a", 1, "2"), [bodyOf("4")]);
    assert.deepEqual(await run.texts("a", 2, "3"), [bodyOf("2"), bodyOf("4")]);
    assert.deepEqual(await run.texts("nobody"), []);
    const range = { limit: 2, after: "", before: "4" };
    const before = await run.history.read("a", range);
    assert.deepEqual(before.map(({ text }) => text), [bodyOf("3"), bodyOf("2")]);
    assert.equal(run.history.slice("a", { limit: 9, after: "8", before: "" }).hasGap, true);
    assert.equal(run.history.slice("a", { limit: 9, after: "2", before: "" }).hasGap, false);
  });

  it("keeps direction and exact stamp of each message, and any text", async () => {
    const stage = historyStage();
    const run = await stage.open();
    const texts = ["\ufeff\u0000é\u{1f600}", "x".repeat(9_000), "é".repeat(20_000)];
    texts.forEach((text, n) => run.add("ä\u{1f600}", `${n}`, text, n % 2 === 0));
    await run.close();
    const again = await stage.open();
    const found = await again.history.read("ä\u{1f600}", { limit: 9, after: "", before: "" });
    assert.deepEqual(found.map(({ text }) => text), texts);
    assert.deepEqual(found.map(({ isUp }) => isUp), [true, false, true]);
    const stamps = found.map(({ stampMs, stampNs }) => [stampMs, stampNs]);
    assert.deepEqual(stamps, texts.map(() => [1_700_000_000_000, 7]));
  });

  it("is bounded for each client by count, for all by bytes and age, over a restart too", async () => {
    const stage = historyStage();
    const config = { maxPerClient: 10, cleanupHours: 1 };
    let run = await stage.open(config);
    for (const id of many) run.add("a", id);
    run.add("b", "old");
    assert.deepEqual(await run.texts("a"), last(10));
    assert.equal(run.history.figures.messages, 11);
    await stage.clock.advanceAsync(3_599_000);
    run.history.tick();
    run.add("b", "new");
    await stage.clock.advanceAsync(2_000);
    run.history.tick();
    assert.deepEqual(await run.texts("a"), []);
    assert.deepEqual(await run.texts("b"), [bodyOf("new")]);
    assert.deepEqual([run.history.figures.clients, run.history.figures.messages], [1, 1]);
    await run.close();
    run = await stage.open(config);
    assert.deepEqual([run.history.figures.clients, run.history.figures.messages], [1, 1]);
    const large = await stage.open({ maxTotalMB: 1, maxPerClient: 1_000 }, { persistFile: "" });
    for (let n = 0; n < 100; n++) large.add(`c${n % 10}`, `m${n}`, "x".repeat(50_000));
    assert.ok(large.history.figures.bytes <= 2 ** 20, `${large.history.figures.bytes} bytes`);
    assert.ok(large.history.figures.bytes > 0.9 * 2 ** 20, `${large.history.figures.bytes} bytes`);
    assert.equal((await large.texts("c9")).length, 2);
    assert.ok(large.history.memoryBytes < 6 * 2 ** 20, `${large.history.memoryBytes} in memory`);
  });

  it("comes back after an orderly end and after a kill, and what it has not in memory is read", async () => {
    const stage = historyStage();
    let run = await stage.open({}, { limits: smallLimits });
    for (const id of many) run.add("a", id);
    await run.settle();
    assert.deepEqual(await run.texts("a"), last(120));
    await run.close();
    run = await stage.open({}, { limits: smallLimits });
    assert.deepEqual(await run.texts("a"), last(120));
    run.add("a", "more");
    await stage.clock.advanceAsync(60);
    stage.disk.kill();
    run = await stage.open({}, { limits: smallLimits });
    assert.deepEqual(await run.texts("a"), [...last(120), bodyOf("more")]);
    stage.disk.losePower(() => 0);
    run = await stage.open({}, { limits: smallLimits });
    assert.deepEqual((await run.texts("a")).slice(0, 120), last(120));
  });

  it("writes behind the traffic: one append for many messages, one sync a second", async () => {
    const stage = historyStage();
    const run = await stage.open();
    const callsBefore = stage.disk.calls;
    for (let n = 0; n < 200; n++) run.add("a", `m${n}`);
    assert.equal(stage.disk.calls, callsBefore, "nothing happens within the call");
    await stage.clock.advanceAsync(50);
    const { bytesAppended, syncs } = stage.disk;
    assert.ok(bytesAppended > 200 * 60);
    assert.equal(syncs, 1);
    for (let n = 0; n < 50; n++) {
      run.add("a", `n${n}`);
      await stage.clock.advanceAsync(20);
    }
    assert.ok(stage.disk.syncs <= 3, `${stage.disk.syncs} syncs in a second`);
  });

  it("its files stay bounded: dead ones go, and what is left of one is copied forward", async () => {
    const stage = historyStage();
    const run = await stage.open({ maxPerClient: 5 }, { limits: smallLimits });
    run.add("quiet", "first");
    for (let round = 0; round < 60; round++) {
      for (let n = 0; n < 20; n++) run.add(`loud${n % 3}`, `${round}-${n}`);
      await stage.clock.advanceAsync(60);
      run.history.tick();
      await stage.clock.advanceAsync(1_000);
    }
    await run.settle();
    const slack = 4 * 4_096 + 2 * 5_200;
    assert.ok(stage.disk.bytesKept < 2 * 16 * 140 + slack, `${stage.disk.bytesKept} bytes kept`);
    assert.deepEqual(await run.texts("quiet"), [bodyOf("first")]);
    assert.equal((await run.texts("loud0")).length, 5);
    assert.equal(run.history.figures.diskBytes, stage.disk.bytesKept);
    await run.close();
    const again = await stage.open({ maxPerClient: 5 }, { limits: smallLimits });
    assert.deepEqual(await again.texts("quiet"), [bodyOf("first")]);
    assert.deepEqual(await again.texts("loud2"), await run.texts("loud2"));
  });

  it("forget() is for good: nothing comes back after a crash", async () => {
    const stage = historyStage();
    let run = await stage.open({}, { limits: smallLimits });
    for (const id of many) run.add("a", id);
    run.add("b", "b");
    await run.settle();
    assert.equal(run.history.forget("a"), 120);
    assert.equal(run.history.forget("a"), 0);
    run.add("a", "anew");
    await run.settle();
    stage.disk.losePower(() => 0);
    run = await stage.open({}, { limits: smallLimits });
    assert.deepEqual(await run.texts("a"), [bodyOf("anew")]);
    assert.deepEqual(await run.texts("b"), [bodyOf("b")]);
  });

  it("reconfigure(): off keeps and gives nothing, lower limits hold at once for who asks", async () => {
    const stage = historyStage();
    const run = await stage.open({ maxPerClient: 50 });
    for (const id of many) run.add("a", id);
    const config = { enabled: true, maxTotalMB: 1, maxMsgSizeKB: 64, cleanupHours: 24 };
    const memory = { maxMemoryMB: 64 };
    run.history.reconfigure({ ...config, maxPerClient: 5 }, memory);
    assert.deepEqual(await run.texts("a"), last(5));
    run.history.reconfigure({ ...config, maxPerClient: 5, enabled: false }, memory);
    run.add("a", "off");
    assert.deepEqual(await run.texts("a"), []);
    run.history.reconfigure({ ...config, maxPerClient: 5 }, memory);
    assert.deepEqual(await run.texts("a"), last(5));
  });

  it("reconfigure(): lower limits push out bit by bit, and never all for one message", async () => {
    const stage = historyStage();
    const run = await stage.open({ maxPerClient: 10_000 }, { persistFile: "" });
    for (let n = 0; n < 5_000; n++) run.add("a", `${n}`, "x".repeat(1_000));
    const config = { enabled: true, maxTotalMB: 1, maxMsgSizeKB: 64, cleanupHours: 24 };
    run.history.reconfigure({ ...config, maxPerClient: 10_000 }, { maxMemoryMB: 16 });
    const count = () => run.history.figures.messages;
    run.add("a", "next");
    assert.ok(count() <= 4_001 && count() > 3_000, `${count()}`);
    run.history.tick();
    assert.ok(count() < 1_100, `${count()}`);
    run.history.reconfigure({ ...config, maxTotalMB: 1_024, maxPerClient: 10_000 }, {
      maxMemoryMB: 1,
    });
    run.history.tick();
    assert.ok(count() * 1_000 < 131_072, `${count()}: an eighth of the memory`);
  });

  it("files of which nothing is needed go together, so that a flood does not leave them behind", async () => {
    const stage = historyStage();
    const run = await stage.open({ maxPerClient: 5 }, { limits: smallLimits });
    let written = 0;
    // There is always something that is not safe yet.
    stage.disk.fails = ({ verb, number }) => {
      if (verb === "sync") run.add("loud", `meanwhile ${number}`);
      return undefined;
    };
    for (let round = 0; round < 160; round++) {
      for (let n = 0; n < 25; n++) run.add("loud", `${round}-${n}`);
      await run.pass(50);
      written = stage.disk.bytesAppended;
    }
    // What two seconds brought: one until the next sync, and one until what was said of it is safe.
    assert.ok(stage.disk.bytesKept < written / 2, `${stage.disk.bytesKept} of ${written} are kept`);
  });

  it("files that a run left behind which was killed go at the next start", async () => {
    const stage = historyStage();
    const run = await stage.open({ maxPerClient: 5 }, { limits: smallLimits });
    for (let n = 0; n < 1_000; n++) run.add("loud", `${n}`);
    await run.pass(500);
    assert.ok(stage.disk.bytesKept > 20 * 4_096, "nothing went yet");
    stage.disk.kill();
    const again = await stage.open({ maxPerClient: 5 }, { limits: smallLimits });
    await again.pass(100);
    assert.ok(stage.disk.bytesKept < 4 * 4_096, `${stage.disk.bytesKept} bytes kept`);
    assert.equal((await again.texts("loud")).length, 5);
  });

  it("a slice stays readable when what it names is pushed out and its file is due to go", async () => {
    const stage = historyStage();
    const run = await stage.open({ maxPerClient: 10 }, { limits: smallLimits });
    for (const id of many.slice(0, 10)) run.add("a", id);
    await run.settle();
    const slice = run.history.slice("a", { limit: 10, after: "", before: "" });
    for (let n = 0; n < 400; n++) run.add("a", `later${n}`);
    await run.settle();
    const records = await slice.read(0, slice.count);
    assert.deepEqual(records.map((record) => record?.text), many.slice(0, 10).map(bodyOf));
    const kept = stage.disk.bytesKept;
    slice.release();
    slice.release();
    await run.settle();
    assert.ok(stage.disk.bytesKept < kept, "then it goes");
  });
});

describe("MessageHistory on a bad disk", () => {
  for (const verb of ["append", "sync", "open"] as const) {
    it(`${verb} fails: one warning, counted, tried again, and nothing is lost afterwards`, async () => {
      const stage = historyStage();
      let run = await stage.open({}, { limits: smallLimits });
      run.add("a", "before");
      await run.settle();
      stage.disk.fails = (call) => call.verb === verb ? "ENOSPC" : undefined;
      for (const id of many) run.add("a", id);
      await run.pass(5_000);
      assert.ok(run.history.figures.failures >= 3, `${run.history.figures.failures} failures`);
      const warnings = stage.log.lines.filter(({ level }) => level === "warn");
      assert.equal(warnings.length, 1);
      stage.disk.fails = undefined;
      await run.settle();
      assert.equal(stage.log.lines.at(-1)?.message, "history can be stored again");
      await run.close();
      run = await stage.open({}, { limits: smallLimits });
      assert.deepEqual(await run.texts("a"), [bodyOf("before"), ...last(120)]);
    });
  }

  it("takes nothing more in when too much waits for it, counts that, and goes on later", async () => {
    const stage = historyStage();
    const limits = { ...smallLimits, unwrittenBytes: 5_000 };
    const run = await stage.open({}, { limits });
    stage.disk.fails = ({ verb }) => verb === "append" ? "EIO" : undefined;
    for (const id of many) run.add("a", id);
    const { dropped, messages, memoryBytes } = run.history.figures;
    assert.ok(dropped > 0 && dropped + messages === 120, `${dropped} + ${messages}`);
    assert.ok(memoryBytes < 200_000, `${memoryBytes} bytes in memory`);
    stage.disk.fails = undefined;
    await run.settle();
    run.add("a", "after");
    assert.equal(run.history.figures.dropped, dropped);
    assert.deepEqual((await run.texts("a")).slice(-1), [bodyOf("after")]);
  });

  it("a directory that cannot be read stops nothing, and loses no file that is there", async () => {
    const stage = historyStage();
    let run = await stage.open();
    run.add("a", "before");
    await run.close();
    stage.disk.fails = ({ verb }) => verb === "list" ? "EIO" : undefined;
    run = await stage.open();
    assert.deepEqual(await run.texts("a"), []);
    run.add("a", "meanwhile");
    await run.close();
    stage.disk.fails = undefined;
    run = await stage.open();
    // Their numbers began anew, since nothing was known of the first.
    assert.ok((await run.texts("a")).includes(bodyOf("before")));
    assert.ok((await run.texts("a")).includes(bodyOf("meanwhile")));
  });

  it("serves nothing that is damaged: any byte of any file flipped, and cut anywhere", async () => {
    const stage = historyStage();
    const run = await stage.open({}, { limits: smallLimits });
    for (const id of many.slice(0, 50)) run.add("a", id);
    await run.close();
    const whole = new Set(many.slice(0, 50).map(bodyOf));
    const files = stage.disk.names().map((name) => ({ name, bytes: stage.disk.bytes(name) }));
    assert.ok(files.length > 1);
    for (const { name, bytes } of files) {
      for (let at = 0; at < bytes.length; at += 37) {
        const other = historyStage();
        for (const file of files) other.disk.put(file.name, file.bytes);
        if (at % 2 === 0) other.disk.flip(name, at, 1 << (at % 8));
        else other.disk.put(name, bytes.slice(0, at));
        const again = await other.open({}, { limits: smallLimits });
        const texts = await again.texts("a");
        for (const text of texts) assert.ok(whole.has(text), `byte ${at} of ${name}: ${text}`);
        assert.deepEqual(texts, [...new Set(texts)], "none twice");
      }
    }
  });

  it("a file that is damaged while it runs: what it held is left out and counted", async () => {
    const stage = historyStage();
    const run = await stage.open({}, { limits: { ...smallLimits, cachedBytes: 1_024 } });
    for (const id of many) run.add("a", id);
    await run.settle();
    const [first = ""] = stage.disk.names();
    for (let at = 100; at < 400; at++) stage.disk.flip(first, at, 0xff);
    const texts = await run.texts("a");
    assert.ok(texts.length < 120 && texts.length > 100, `${texts.length} texts`);
    assert.ok(run.history.figures.damaged > 0);
    for (const text of texts) assert.ok(many.map(bodyOf).includes(text));
  });
});
