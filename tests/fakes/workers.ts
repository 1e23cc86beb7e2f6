import type {
  WorkerEntry,
  WorkerHandle,
  WorkerHandlers,
  WorkerScope,
  WorkersPort,
} from "../../src/ports/workers.ts";

/** The code of one entry, run in the test's own thread. What it throws at once or in its receiver
 * is the worker's end. */
export type FakeWorkerEntry = (scope: WorkerScope<unknown, unknown>) => void | Promise<void>;

export interface FakeWorkers extends WorkersPort {
  /** Names of those that run. */
  readonly running: readonly string[];
  /** Ends one as if it had thrown. */
  fail(name: string, message: string): void;
}

interface Running {
  readonly name: string;
  over: boolean;
  readonly handlers: WorkerHandlers<unknown>;
}

/**
 * Workers without threads: messages are cloned as between threads and arrive in order, never
 * during the call that posts them.
 */
export function fakeWorkers(entries: Partial<Record<WorkerEntry, FakeWorkerEntry>>): FakeWorkers {
  const workers = new Set<Running>();

  function end(worker: Running, message: string): void {
    if (worker.over) return;
    worker.over = true;
    workers.delete(worker);
    worker.handlers.error(new Error(`Worker ${worker.name} failed: ${message}`));
  }

  return {
    get running() {
      return [...workers].map((worker) => worker.name);
    },
    fail(name, message) {
      for (const worker of workers) if (worker.name === name) end(worker, message);
    },
    start<In, Out>(
      { entry, name, handlers }: {
        entry: WorkerEntry;
        name: string;
        handlers: WorkerHandlers<Out>;
      },
    ): WorkerHandle<In> {
      const worker: Running = {
        name,
        over: false,
        handlers: handlers as WorkerHandlers<unknown>,
      };
      workers.add(worker);
      const early: unknown[] = [];
      let receiver: ((message: unknown) => void) | undefined;

      const inWorker = (call: () => void | Promise<void>) => {
        queueMicrotask(async () => {
          if (worker.over) return;
          try {
            await call();
          } catch (error) {
            end(worker, error instanceof Error ? error.message : String(error));
          }
        });
      };
      const scope: WorkerScope<unknown, unknown> = {
        post(message, transfer = []) {
          const copy = structuredClone(message, { transfer });
          queueMicrotask(() => {
            if (!worker.over) worker.handlers.message(copy);
          });
        },
        onMessage(receive) {
          receiver = receive;
          for (const message of early.splice(0)) receive(message);
        },
      };
      inWorker(() => {
        const run = entries[entry];
        if (run === undefined) throw new Error(`there is no entry ${entry}`);
        return run(scope);
      });
      return {
        post(message, transfer = []) {
          const copy = structuredClone(message, { transfer });
          inWorker(() => {
            if (receiver === undefined) early.push(copy);
            else receiver(copy);
          });
        },
        terminate() {
          worker.over = true;
          workers.delete(worker);
        },
      };
    },
  };
}
