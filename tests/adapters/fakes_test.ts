/** The fakes keep the promises of the real adapters. */
import type { WorkerScope } from "../../src/ports/workers.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeFiles } from "../fakes/files.ts";
import { fakeLog } from "../fakes/log.ts";
import { type FakeChild, fakeProcess } from "../fakes/process.ts";
import { fakeRandom } from "../fakes/random.ts";
import { fakeWorkers } from "../fakes/workers.ts";
import { clockConformance } from "./clock_conformance.ts";
import { filesConformance } from "./files_conformance.ts";
import { logConformance } from "./log_conformance.ts";
import { processConformance } from "./process_conformance.ts";
import { randomConformance } from "./random_conformance.ts";
import { runTestWorker, type WorkerAnswer, type WorkerOrder } from "./test_worker_orders.ts";
import { workersConformance } from "./workers_conformance.ts";

workersConformance(
  "the fake",
  fakeWorkers({
    store_worker: (scope) => runTestWorker(scope as WorkerScope<WorkerOrder, WorkerAnswer>),
  }),
  { thread: "a fake worker has no thread of its own" },
);

const clock = fakeClock();
clockConformance("the fake", clock, (ms) => clock.advanceAsync(ms));

randomConformance("the fake", fakeRandom());

const files = fakeFiles();
filesConformance("the fake", files, {
  async makeDirectory() {
    await files.makeDirectory("/root");
    return "/root";
  },
  tidy: () => files.remove("/root"),
});

logConformance("the fake", async (level) => {
  const log = fakeLog();
  const logger = log.open({ level, format: "json", stderr: false });
  return { logger, lines: async () => log.lines };
});

processConformance("the fake", fakeProcess({ env: { PATH: "/bin" }, started: playHelper }));

/** Plays the parts of helper_main.ts. */
function playHelper(child: FakeChild): void {
  const [part, ...args] = child.options.args;
  queueMicrotask(async () => {
    switch (part) {
      case "exit":
        return child.end({ code: Number(args[0]), signal: null });
      case "print":
        child.print("x".repeat(Number(args[0])));
        child.printError("problem\n");
        return child.end({ code: 7, signal: null });
      case "echo":
        await child.inputClosed;
        for (const bytes of child.input) child.print(new TextDecoder().decode(bytes));
        return child.end({ code: 0, signal: null });
      case "env":
        child.print(JSON.stringify(args.map((name) => child.env[name])));
        return child.end({ code: 0, signal: null });
      case "wait":
        return child.print("ready\n");
    }
  });
}
