import type { StoreReply, StoreRequest } from "../host/state_store.ts";
import {
  type HostStore,
  noStoreCounters,
  type StoreCounters,
  type StoreOperation,
  type StoreResult,
} from "../host/store.ts";
import type { Logger } from "../ports/log.ts";
import type { WorkerHandle, WorkersPort } from "../ports/workers.ts";

/** Operations that go into one transaction: more would make the first of them wait too long. */
const batchOperationsMax = 512;
/** Operations that wait for the disk; the task budget keeps them below this already. */
const waitingOperationsMax = 100_000;
/** How long SQLite waits for a lock that another program holds before the batch is rolled back. */
const busyTimeoutMs = 2_000;

interface Waiting {
  readonly operation: StoreOperation;
  readonly resolve: (result: StoreResult) => void;
}

/**
 * The store worker as the serving thread sees it. Operations that come while a batch is being
 * committed make up the next one (group commit), so that a slow disk costs latency, not throughput.
 */
export class StoreClient implements HostStore {
  readonly #worker: WorkerHandle<StoreRequest>;
  readonly #logger: Logger;
  #waiting: Waiting[] = [];
  #inFlight: Waiting[] = [];
  #counters: StoreCounters = noStoreCounters;
  #trouble: { readonly reason: string; readonly isWriting: boolean } | undefined;
  #ended: string | undefined;
  #routes: ReadonlyMap<string, number> = new Map();
  #opened: ((reply: StoreReply) => void) | undefined;
  #closed: (() => void) | undefined;

  /** Starts the worker; `open` must follow. */
  constructor(parts: { workers: WorkersPort; logger: Logger }) {
    this.#logger = parts.logger;
    this.#worker = parts.workers.start<StoreRequest, StoreReply>({
      entry: "store_worker",
      name: "store",
      handlers: {
        message: (reply) => this.#receive(reply),
        error: (error) => this.#fail(`The store worker ended: ${error.message}`),
      },
    });
  }

  get counters(): StoreCounters {
    return this.#counters;
  }

  get trouble(): string | undefined {
    return this.#ended ?? this.#trouble?.reason;
  }

  get routes(): ReadonlyMap<string, number> {
    return this.#routes;
  }

  /** Opens the database; the reason in one line when it cannot be used. */
  async open(path: string): Promise<{ ok: true } | { ok: false; reason: string }> {
    const reply = await new Promise<StoreReply>((resolve) => {
      this.#opened = resolve;
      this.#worker.post({ kind: "open", path, busyTimeoutMs });
    });
    if (reply.kind === "opened") {
      this.#routes = new Map(reply.routes);
      this.#counters = reply.counters;
      return { ok: true };
    }
    return { ok: false, reason: reply.kind === "open_failed" ? reply.reason : reply.kind };
  }

  perform(operation: StoreOperation): Promise<StoreResult> {
    const reason = this.#ended ??
      (this.#waiting.length >= waitingOperationsMax ? "too many operations wait" : undefined);
    if (reason !== undefined) return Promise.resolve({ ok: false, reason });
    return new Promise((resolve) => {
      this.#waiting.push({ operation, resolve });
      // Not at once: what comes in the same turn joins the same transaction.
      if (this.#waiting.length === 1) queueMicrotask(() => this.#send());
    });
  }

  /** Commits what waits and closes the database. */
  async close(): Promise<void> {
    if (this.#ended === undefined) {
      await new Promise<void>((resolve) => {
        this.#closed = resolve;
        this.#send();
        if (this.#inFlight.length === 0) this.#worker.post({ kind: "close" });
      });
      this.#ended = "the store is closed";
    }
    this.#worker.terminate();
  }

  #send(): void {
    if (this.#inFlight.length > 0 || this.#waiting.length === 0) return;
    this.#inFlight = this.#waiting.splice(0, batchOperationsMax);
    this.#worker.post({
      kind: "batch",
      operations: this.#inFlight.map(({ operation }) => operation),
    });
  }

  #receive(reply: StoreReply): void {
    switch (reply.kind) {
      case "opened":
      case "open_failed":
        this.#opened?.(reply);
        return;
      case "batch_done":
        this.#finish(reply.results, reply.counters);
        return;
      case "closed":
        this.#closed?.();
        return;
    }
  }

  #finish(results: readonly StoreResult[], counters: StoreCounters): void {
    const done = this.#inFlight;
    this.#inFlight = [];
    this.#counters = counters;
    const failure = results.find((result) => !result.ok);
    this.#judge(
      failure?.ok === false ? failure.reason : undefined,
      done.some(({ operation }) => operation.kind !== "load"),
    );
    done.forEach(({ resolve }, i) => resolve(results[i] ?? { ok: false, reason: "no result" }));
    this.#send();
    if (this.#closed !== undefined && this.#inFlight.length === 0) {
      this.#worker.post({ kind: "close" });
    }
  }

  /** Reading from a full disk works: only a batch that wrote ends the trouble of one that did not. */
  #judge(reason: string | undefined, isWriting: boolean): void {
    const before = this.#trouble;
    if (reason === undefined) {
      if (before === undefined || (before.isWriting && !isWriting)) return;
      this.#trouble = undefined;
      this.#logger.info({}, "store works again");
      return;
    }
    this.#trouble = { reason, isWriting: isWriting || before?.isWriting === true };
    if (reason !== before?.reason) this.#logger.error({ reason }, "store failed");
  }

  #fail(reason: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#logger.error({ reason }, "store failed");
    const lost = [...this.#inFlight, ...this.#waiting];
    this.#inFlight = [];
    this.#waiting = [];
    for (const { resolve } of lost) resolve({ ok: false, reason });
    this.#opened?.({ kind: "open_failed", reason });
    this.#closed?.();
  }
}
