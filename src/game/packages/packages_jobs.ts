import type { Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/log.ts";
import type { WorkerHandle, WorkersPort } from "../../ports/workers.ts";
import type {
  PackagesMessage,
  PackagesOrder,
  PackagesReply,
  PackagesRequest,
} from "./packages_work.ts";
import type { PackagesProgress } from "./packages_progress.ts";

/** Jobs that wait for the one that runs: they come from operators' commands. */
const WAITING_MAX = 32;

/** A hundred packages on a slow disk take half a minute; a disk that does not answer never ends.
 * A job that tells of its progress may take this long for each step. */
const JOB_MS_MAX = 180_000;

/** A scan often follows a change: the thread for it is there still. */
const IDLE_MS = 1_000;

/** A job that was cancelled stops between two steps; after this it is stopped in the middle. */
const CANCEL_MS_MAX = 5_000;

export interface PackagesJob {
  readonly request: PackagesRequest;
  readonly transfer?: ArrayBuffer[];
}

export interface JobWatch {
  readonly progress?: ((progress: PackagesProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Hears the answer before the next job is made. */
  readonly answered?: (reply: PackagesReply) => void;
}

interface Pending extends JobWatch {
  /** Made when it is its turn, with what the job before has left. */
  readonly job: () => PackagesJob;
  readonly resolve: (reply: PackagesReply) => void;
}

/**
 * Jobs for a packages worker, one after the other. A worker is started for a job and ended when
 * there is no further one. Nothing here rejects; a worker that dies, or takes too long, is an
 * answer.
 */
export class PackagesJobs {
  readonly #parts: { workers: WorkersPort; clock: Clock; logger: Logger };
  readonly #waiting: Pending[] = [];
  #current: Pending | undefined;
  #worker: WorkerHandle<PackagesOrder> | undefined;
  /** Stops the timer of the job that runs, or of the worker that has none. */
  #cancelTimer: (() => void) | undefined;
  #isClosed = false;

  constructor(parts: { workers: WorkersPort; clock: Clock; logger: Logger }) {
    this.#parts = parts;
  }

  perform(job: () => PackagesJob, watch: JobWatch = {}): Promise<PackagesReply> {
    if (this.#isClosed) return Promise.resolve(closed);
    if (watch.signal?.aborted) return Promise.resolve(cancelled);
    if (this.#waiting.length >= WAITING_MAX) {
      const reason = `${WAITING_MAX} jobs for the packages wait already`;
      return Promise.resolve({ kind: "failed", reason });
    }
    return new Promise((resolve) => {
      const pending: Pending = { ...watch, job, resolve };
      watch.signal?.addEventListener("abort", () => this.#cancel(pending), { once: true });
      this.#waiting.push(pending);
      if (this.#current === undefined) this.#next();
    });
  }

  /** Ends the worker; what waits is answered as failed, and what comes later too. */
  close(): void {
    this.#isClosed = true;
    this.#end();
    const lost = this.#waiting.splice(0);
    if (this.#current !== undefined) lost.unshift(this.#current);
    this.#current = undefined;
    for (const { resolve } of lost) resolve(closed);
  }

  #next(): void {
    const { clock } = this.#parts;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#current = this.#waiting.shift();
    if (this.#current === undefined) {
      if (this.#worker !== undefined) this.#cancelTimer = clock.after(IDLE_MS, () => this.#end());
      return;
    }
    try {
      this.#worker ??= this.#start();
      this.#limitStep();
      const { request, transfer } = this.#current.job();
      this.#worker.post(request, transfer);
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    }
  }

  #limitStep(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#parts.clock.after(JOB_MS_MAX, () => {
      this.#fail(`the packages took over ${JOB_MS_MAX / 1_000} s`);
    });
  }

  #cancel(pending: Pending): void {
    const index = this.#waiting.indexOf(pending);
    if (index >= 0) {
      this.#waiting.splice(index, 1);
      pending.resolve(cancelled);
    } else if (this.#current === pending) {
      this.#worker?.post({ kind: "cancel" });
      this.#cancelTimer?.();
      this.#cancelTimer = this.#parts.clock.after(CANCEL_MS_MAX, () => {
        this.#end();
        this.#answer(cancelled);
      });
    }
  }

  #start(): WorkerHandle<PackagesOrder> {
    const worker = this.#parts.workers.start<PackagesOrder, PackagesMessage>({
      entry: "packages_worker",
      name: "packages",
      handlers: {
        message: (message) => {
          if (this.#worker !== worker) return;
          if (message.kind !== "progress") return this.#answer(message);
          // Who has cancelled waits no longer because something goes on.
          if (this.#current?.signal?.aborted) return;
          this.#limitStep();
          this.#current?.progress?.(message.progress);
        },
        error: (error) => {
          if (this.#worker === worker) this.#fail(error.message);
        },
      },
    });
    return worker;
  }

  #fail(reason: string): void {
    this.#parts.logger.error({ reason }, "packages worker failed");
    this.#end();
    this.#answer({ kind: "failed", reason });
  }

  #answer(reply: PackagesReply): void {
    const done = this.#current;
    done?.answered?.(reply);
    this.#next();
    done?.resolve(reply);
  }

  #end(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#worker?.terminate();
    this.#worker = undefined;
  }
}

const closed: PackagesReply = { kind: "failed", reason: "the packages worker is closed" };
const cancelled: PackagesReply = { kind: "failed", reason: "it was cancelled" };
