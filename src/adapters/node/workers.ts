import type { WorkerEntry, WorkerHandle, WorkerScope, WorkersPort } from "../../ports/workers.ts";

/** A cause is for one log line; some quote whole values. */
const CAUSE_CHARS_MAX = 500;

/**
 * Threads as Web Workers, which both runtimes have. `urls` says where each entry's module is. A
 * worker that fails is terminated; `error` is then the last thing its owner hears of it.
 */
export function webWorkers(options: { urls: Record<WorkerEntry, URL | string> }): WorkersPort {
  return {
    start({ entry, name, handlers }): WorkerHandle<unknown> {
      const worker = new Worker(options.urls[entry], { type: "module", name });
      let over = false;
      const fail = (message: string) => {
        if (over) return;
        over = true;
        worker.terminate();
        handlers.error(new Error(`Worker ${name} failed: ${message}`));
      };
      worker.addEventListener("message", (event) => {
        if (!over) handlers.message(event.data);
      });
      worker.addEventListener("messageerror", () => fail("a message was unreadable"));
      worker.addEventListener("error", (event) => {
        // Deno ends the whole process on a worker's error that nobody prevented.
        event.preventDefault();
        fail(causeLine(event.message));
      });
      // Only Bun tells of this one: the thread ended by itself.
      worker.addEventListener("close", () => fail("it ended"));
      return {
        post: (message, transfer = []) => worker.postMessage(message, transfer),
        terminate() {
          over = true;
          worker.terminate();
        },
      };
    },
  };
}

/** The cause in one line: Bun puts lines of source before it and the stack after it. */
function causeLine(report: string | undefined): string {
  const lines = (report ?? "").split("\n").filter((line) =>
    !/^\s*\d+ \| |^\s*\^\s*$|^\s+at /.test(line)
  );
  const cause = lines.join(" ").replace(/^Uncaught (\(in promise\) )?/, "").trim();
  return cause.slice(0, CAUSE_CHARS_MAX) || "unknown cause";
}

/** What a worker's global object has for talking to its owner. */
interface WorkerGlobal {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  addEventListener(type: "message", receive: (event: MessageEvent) => void): void;
}

/**
 * The worker's own side. Call it while the entry's module is first evaluated; what arrives before
 * `onMessage` is kept in order (its sender bounds how much that is).
 */
export function workerScope<In, Out>(): WorkerScope<In, Out> {
  const scope = globalThis as unknown as WorkerGlobal;
  const early: In[] = [];
  let receiver: ((message: In) => void) | undefined;
  scope.addEventListener("message", (event) => {
    if (receiver === undefined) early.push(event.data);
    else receiver(event.data);
  });
  return {
    post: (message, transfer = []) => scope.postMessage(message, transfer),
    onMessage(receive) {
      receiver = receive;
      for (const message of early.splice(0)) receive(message);
    },
  };
}
