import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EmbeddedScript } from "../../../src/game/lua/embedded_script.ts";
import type { ScriptOutcome } from "../../../src/game/lua/script_host.ts";
import type { ScriptWorkerIn, ScriptWorkerOut } from "../../../src/game/lua/script_worker.ts";
import type { WorkerHandlers, WorkersPort } from "../../../src/ports/workers.ts";
import { fakeClock } from "../../fakes/clock.ts";

const script = { source: new Uint8Array(0), name: "hello.lua" };
const done: ScriptOutcome = { outcome: "ok", text: "" };

/** A worker whose part the test plays. */
interface Played {
  readonly posted: ScriptWorkerIn[];
  terminated: boolean;
  send(message: ScriptWorkerOut): void;
  error(error: Error): void;
  /** Answers the oldest request that has no answer yet. */
  answer(answer: ScriptOutcome, usable?: "lost"): void;
}

function playedWorkers(): { port: WorkersPort; workers: Played[] } {
  const workers: Played[] = [];
  const port: WorkersPort = {
    start<In, Out>({ handlers }: { handlers: WorkerHandlers<Out> }) {
      let answered = 0;
      const worker: Played = {
        posted: [],
        terminated: false,
        send: (message) => handlers.message(message as Out),
        error: (error) => handlers.error(error),
        answer: (answer, usable) => {
          const { id } = worker.posted[answered++] ?? assert.fail("nothing was asked");
          worker.send({ kind: "answer", id, answer, usable: usable === undefined });
        },
      };
      workers.push(worker);
      return {
        post: (message: In) => void worker.posted.push(message as ScriptWorkerIn),
        terminate: () => {
          worker.terminated = true;
        },
      };
    },
  };
  return { port, workers };
}

function setUp() {
  const clock = fakeClock();
  const { port, workers } = playedWorkers();
  const printed: string[] = [];
  const embedded = new EmbeddedScript({ workers: port, clock }, {
    turnMs: 1_000,
    memoryMb: 16,
    printed: (text) => printed.push(text),
  });
  const worker = (index = 0) => workers[index] ?? assert.fail(`no worker ${index} was started`);
  return { clock, workers, worker, printed, embedded };
}

async function setUpLoaded() {
  const all = setUp();
  const loaded = all.embedded.load(script);
  all.worker().send({ kind: "ready" });
  all.worker().answer(done);
  assert.deepEqual(await loaded, done);
  return all;
}

describe("EmbeddedScript", () => {
  it("starts no worker before the first load", () => {
    const { workers, embedded, clock } = setUp();
    assert.equal(workers.length, 0);
    assert.equal(clock.waiting, 0);
    embedded.close();
    assert.equal(workers.length, 0);
  });

  it("does not count the worker's start against the script", async () => {
    const { clock, worker, embedded } = setUp();
    const loaded = embedded.load(script);
    clock.advance(14_000);
    worker().send({ kind: "ready" });
    clock.advance(1_300);
    worker().answer(done);
    assert.deepEqual(await loaded, done);
    assert.equal(clock.waiting, 0);
  });

  it("gives up a worker that does not start, and one that says it is broken", async () => {
    const { clock, worker, embedded } = setUp();
    const first = embedded.load(script);
    clock.advance(15_000);
    assert.match((await first).text, /did not start in 15000 ms/);
    assert.ok(worker(0).terminated);
    const second = embedded.load(script);
    worker(1).send({ kind: "broken", reason: "no wasm" });
    assert.match((await second).text, /no wasm/);
    const third = embedded.load(script);
    worker(2).error(new Error("Worker script failed: gone"));
    assert.match((await third).text, /gone/);
    assert.equal(clock.waiting, 0);
  });

  it("answers the caller a grace after the turn although the worker is still busy", async () => {
    const { clock, worker, workers, embedded } = await setUpLoaded();
    const hello = embedded.hello();
    clock.advance(1_400);
    assert.deepEqual(await hello, {
      outcome: "failed",
      text: "the script ran longer than 1000 ms",
    });
    assert.ok(!worker().terminated);
    worker().answer({ outcome: "failed", text: "late" });
    assert.equal(clock.waiting, 0);
    const next = embedded.hello();
    worker().answer({ outcome: "ok", text: "v1" });
    assert.deepEqual(await next, { outcome: "ok", text: "v1" });
    assert.equal(workers.length, 1);
  });

  it("abandons a worker after two turns and a second, tells it to stop, and starts another", async () => {
    const { clock, worker, workers, embedded } = await setUpLoaded();
    const hello = embedded.hello();
    clock.advance(2_999);
    assert.ok(!worker().terminated);
    const waiting = embedded.hello();
    clock.advance(1);
    assert.ok(worker().terminated);
    const [load] = worker().posted;
    assert.ok(load?.kind === "load");
    assert.equal(new Int32Array(load.stop)[0], 1);
    assert.equal((await hello).outcome, "failed");
    assert.equal((await waiting).outcome, "failed");

    const next = embedded.hello();
    assert.equal(workers.length, 2);
    assert.deepEqual(worker(1).posted.map((one) => one.kind), ["load", "hello"]);
    worker(1).send({ kind: "ready" });
    worker(1).answer(done);
    worker(1).answer({ outcome: "ok", text: "v1" });
    assert.deepEqual(await next, { outcome: "ok", text: "v1" });
    worker(0).send({ kind: "printed", text: "from the grave" });
    assert.equal(clock.waiting, 0);
  });

  it("counts the time for each answer anew", async () => {
    const { clock, worker, embedded } = await setUpLoaded();
    const calls = [embedded.hello(), embedded.hello(), embedded.hello()];
    for (const call of calls) {
      clock.advance(400);
      worker().answer({ outcome: "ok", text: "v1" });
      assert.deepEqual(await call, { outcome: "ok", text: "v1" });
    }
    assert.ok(!worker().terminated);
  });

  it("ends a worker whose state was lost; what waits behind goes to a fresh one", async () => {
    const { clock, worker, workers, embedded } = await setUpLoaded();
    const bomb = embedded.hello();
    const behind = embedded.hello();
    worker().answer({ outcome: "failed", text: "too much memory" }, "lost");
    assert.deepEqual(await bomb, { outcome: "failed", text: "too much memory" });
    assert.ok(worker(0).terminated);
    assert.deepEqual(worker(1).posted.map((one) => one.kind), ["load", "hello"]);
    worker(1).send({ kind: "ready" });
    worker(1).answer(done);
    worker(1).answer({ outcome: "failed", text: "too much memory" }, "lost");
    assert.deepEqual(await behind, { outcome: "failed", text: "too much memory" });
    assert.ok(worker(1).terminated);
    assert.equal(workers.length, 2, "nobody waits: the next one starts with the next call");
    assert.equal(clock.waiting, 0);
    // However often that was, the next call does not wait.
    for (let loss = 2; loss < 8; loss++) {
      const hello = embedded.hello();
      worker(loss).send({ kind: "ready" });
      worker(loss).answer(done);
      worker(loss).answer({ outcome: "failed", text: "too much memory" }, "lost");
      assert.deepEqual(await hello, { outcome: "failed", text: "too much memory" });
    }
  });

  it("ends a worker in which the script does not load, with the reason for who waits", async () => {
    const { clock, worker, embedded } = await setUpLoaded();
    const bomb = embedded.hello();
    worker().answer({ outcome: "failed", text: "too much memory" }, "lost");
    await bomb;
    const hello = embedded.hello();
    worker(1).send({ kind: "ready" });
    worker(1).answer({ outcome: "failed", text: "it does not load" }, "lost");
    assert.deepEqual(await hello, { outcome: "failed", text: "it does not load" });
    assert.ok(worker(1).terminated);
    // A script that fails to load there leaves the one before to be loaded.
    const reload = embedded.load({ ...script, name: "other.lua" });
    worker(2).send({ kind: "ready" });
    worker(2).answer({ outcome: "failed", text: "wrong" }, "lost");
    assert.deepEqual(await reload, { outcome: "failed", text: "wrong" });
    void embedded.hello();
    assert.deepEqual(
      worker(3).posted.map((one) => one.kind === "load" ? one.script.name : one.kind),
      ["hello.lua", "hello"],
    );
    embedded.close();
    assert.equal(clock.waiting, 0);
  });

  it("slows down when workers are lost again and again", async () => {
    const { clock, worker, workers, embedded } = await setUpLoaded();
    for (let loss = 0; loss < 3; loss++) {
      const hello = embedded.hello();
      worker(loss).error(new Error("gone"));
      assert.equal((await hello).outcome, "failed");
    }
    assert.match((await embedded.hello()).text, /started again in 500 ms/);
    assert.equal(workers.length, 3);
    clock.advance(500);
    void embedded.hello();
    assert.equal(workers.length, 4);
  });

  it("close() answers all calls and ends the worker", async () => {
    const { clock, worker, embedded, printed } = await setUpLoaded();
    worker().send({ kind: "printed", text: "hi" });
    assert.deepEqual(printed, ["hi"]);
    const calls = [embedded.hello(), embedded.load(script)];
    embedded.close();
    for (const call of calls) assert.equal((await call).outcome, "failed");
    assert.ok(worker().terminated);
    assert.equal((await embedded.hello()).outcome, "failed");
    assert.equal((await embedded.load(script)).outcome, "failed");
    assert.equal(clock.waiting, 0);
  });
});
