import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { WorkerHandle, WorkersPort } from "../../src/ports/workers.ts";
import type { WorkerAnswer, WorkerOrder } from "./test_worker_orders.ts";

/**
 * What each workers adapter must do. `store_worker` must be the test worker, `lua_worker` a module
 * that cannot be loaded.
 */
export function workersConformance(
  name: string,
  port: WorkersPort,
  skips: { thread: string | false } = { thread: false },
): void {
  describe(`WorkersPort of ${name}`, () => {
    it("start() keeps early messages and answers in order", async () => {
      const worker = startTestWorker(port);
      const values = Array.from({ length: 100 }, (_, index) => index);
      for (const value of values) worker.handle.post({ kind: "echo", value });
      await worker.until(() => worker.answers.length === values.length);
      assert.deepEqual(worker.answers, values.map((value) => ({ kind: "echo", value })));
      worker.handle.terminate();
    });

    it("post() copies what structured clone can, and refuses what it cannot", async () => {
      const worker = startTestWorker(port);
      const value = { bytes: Uint8Array.of(1, 2), big: 2n ** 70n, map: new Map([["a", [1]]]) };
      worker.handle.post({ kind: "echo", value });
      await worker.until(() => worker.answers.length === 1);
      assert.deepEqual(worker.answers[0], { kind: "echo", value });
      assert.throws(() => worker.handle.post({ kind: "echo", value: () => 1 }));
      worker.handle.terminate();
    });

    it("post() moves transferred buffers both ways", async () => {
      const worker = startTestWorker(port);
      const buffer = new ArrayBuffer(1_000);
      worker.handle.post({ kind: "buffer", buffer }, [buffer]);
      assert.equal(buffer.byteLength, 0);
      await worker.until(() => worker.answers.length === 1);
      const [answer] = worker.answers;
      assert.ok(answer?.kind === "buffer");
      assert.equal(answer.sentBytes, 1_000);
      assert.deepEqual(new Uint8Array(answer.buffer), new Uint8Array(1_000).fill(7));
      worker.handle.terminate();
    });

    it("error() tells once that a worker threw, and nothing comes after it", async () => {
      const worker = startTestWorker(port);
      worker.handle.post({ kind: "echo", value: 1 });
      worker.handle.post({ kind: "throw", message: "the dice\nfell off" });
      worker.handle.post({ kind: "echo", value: 2 });
      await worker.until(() => worker.errors.length === 1);
      assert.match(worker.errors[0]!.message, /^Worker test failed: .*the dice\s+fell off$/);
      worker.handle.post({ kind: "echo", value: 3 });
      await anotherWorkerAnswers(port);
      assert.equal(worker.errors.length, 1);
      assert.deepEqual(worker.answers, [{ kind: "echo", value: 1 }]);
    });

    it("error() tells of a rejection that nobody handled", { skip: skips.thread }, async () => {
      const worker = startTestWorker(port);
      worker.handle.post({ kind: "reject", message: "no such card" });
      await worker.until(() => worker.errors.length === 1);
      assert.match(worker.errors[0]!.message, /no such card/);
    });

    it("error() tells that a module could not be loaded", async () => {
      const worker = startTestWorker(port, "lua_worker");
      worker.handle.post({ kind: "echo", value: 1 });
      await worker.until(() => worker.errors.length === 1);
      assert.match(worker.errors[0]!.message, /^Worker test failed: /);
      assert.deepEqual(worker.answers, []);
    });

    it("terminate() ends it without a word, also twice", async () => {
      const worker = startTestWorker(port);
      worker.handle.post({ kind: "echo", value: 1 });
      worker.handle.terminate();
      worker.handle.terminate();
      worker.handle.post({ kind: "echo", value: 2 });
      await anotherWorkerAnswers(port);
      assert.deepEqual([worker.answers, worker.errors], [[], []]);
    });

    it("terminate() stops the thread itself", { skip: skips.thread }, async () => {
      const worker = startTestWorker(port);
      const counter = new Int32Array(new SharedArrayBuffer(4));
      worker.handle.post({ kind: "count", counter: counter.buffer });
      worker.handle.post({ kind: "echo", value: "counting" });
      await worker.until(() => worker.answers.length === 1);
      while (Atomics.load(counter, 0) === 0) await pause();
      worker.handle.terminate();
      let before = -1;
      for (let round = 0; before !== Atomics.load(counter, 0); round++) {
        assert.ok(round < 30, "the thread goes on counting");
        before = Atomics.load(counter, 0);
        await pause();
      }
    });
  });
}

/** Long enough for a living thread to count. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 100));
}

interface TestWorker {
  readonly handle: WorkerHandle<WorkerOrder>;
  readonly answers: WorkerAnswer[];
  readonly errors: Error[];
  /** Resolves when `reached` holds after an answer or error; rejects on an unexpected error. */
  until(reached: () => boolean): Promise<void>;
}

function startTestWorker(
  port: WorkersPort,
  entry: "store_worker" | "lua_worker" = "store_worker",
): TestWorker {
  const answers: WorkerAnswer[] = [];
  const errors: Error[] = [];
  let wake = () => {};
  const handle = port.start<WorkerOrder, WorkerAnswer>({
    entry,
    name: "test",
    handlers: {
      message(answer) {
        answers.push(answer);
        wake();
      },
      error(error) {
        errors.push(error);
        wake();
      },
    },
  });
  return {
    handle,
    answers,
    errors,
    async until(reached) {
      while (!reached()) {
        if (errors[0] !== undefined) throw errors[0];
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

/** As a measure of time: whatever was under way before has had its chance after it. */
async function anotherWorkerAnswers(port: WorkersPort): Promise<void> {
  const worker = startTestWorker(port);
  worker.handle.post({ kind: "echo", value: "done" });
  await worker.until(() => worker.answers.length === 1);
  worker.handle.terminate();
}
