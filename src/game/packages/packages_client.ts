import type { Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/log.ts";
import type { WorkerHandle, WorkersPort } from "../../ports/workers.ts";
import type { ListedPackage, PackageFacts } from "./package_facts.ts";
import type { PackagesReply, PackagesRequest } from "./packages_work.ts";

/** Jobs that wait for the one that runs: they come from operators' commands. */
const WAITING_MAX = 32;

/** A hundred packages on a slow disk take half a minute; a disk that does not answer never ends. */
const JOB_MS_MAX = 180_000;

/** A scan often follows a change: the thread for it is there still. */
const IDLE_MS = 1_000;

type Failed = { readonly ok: false; readonly reason: string };

interface Pending {
  /** Made when it is its turn, with what the job before has left. */
  readonly request: () => PackagesRequest;
  readonly resolve: (reply: PackagesReply) => void;
}

/**
 * The packages as the serving thread sees them: a worker is started for a job and ended when there
 * is no further one. Jobs are done one after the other. Nothing here rejects; a worker that dies,
 * or takes too long, is an answer. `directory` is the data directory, by default the working
 * directory.
 */
export class PackagesClient {
  readonly #parts: { workers: WorkersPort; clock: Clock; logger: Logger };
  readonly #waiting: Pending[] = [];
  #current: Pending | undefined;
  #worker: WorkerHandle<PackagesRequest> | undefined;
  /** Stops the timer of the job that runs, or of the worker that has none. */
  #cancelTimer: (() => void) | undefined;
  /** What the last scan knows of files that have not changed since. */
  #known: ArrayBuffer | undefined;
  #isClosed = false;

  constructor(parts: { workers: WorkersPort; clock: Clock; logger: Logger }) {
    this.#parts = parts;
  }

  /** What the packages are now; also writes `flist.txt`. Only what changed since the last scan is
   * read again. */
  async scan(
    { directory = "." }: { directory?: string } = {},
  ): Promise<{ readonly ok: true; readonly facts: PackageFacts } | Failed> {
    const reply = await this.#perform(() => ({
      kind: "scan",
      directory,
      now: this.#parts.clock.now(),
      ...this.#known && { known: this.#known },
    }));
    if (reply.kind !== "scanned") return failure(reply);
    const { facts } = reply;
    if (facts.troubleCount > 0) {
      const { troubles, troubleCount: count } = facts;
      this.#parts.logger.warn({ count, troubles }, "packages are not all as they should be");
    }
    return { ok: true, facts };
  }

  /** Writes it into packages.db; a scan tells what comes of it. `changed`: whether it was otherwise
   * before. Refused for the core and for packages that are not there. */
  async setEnabled(
    { name, enabled, directory = "." }: { name: string; enabled: boolean; directory?: string },
  ): Promise<{ readonly ok: true; readonly changed: boolean } | Failed> {
    const reply = await this.#perform(() => ({ kind: "set_enabled", directory, name, enabled }));
    return reply.kind === "enabled_set" ? { ok: true, changed: reply.changed } : failure(reply);
  }

  /** Those of packages.db in its order, then those that are only in `packages/`. */
  async list(
    { directory = "." }: { directory?: string } = {},
  ): Promise<{ readonly ok: true; readonly packages: readonly ListedPackage[] } | Failed> {
    const reply = await this.#perform(() => ({ kind: "list", directory }));
    return reply.kind === "listed" ? { ok: true, packages: reply.packages } : failure(reply);
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

  #perform(request: () => PackagesRequest): Promise<PackagesReply> {
    if (this.#isClosed) return Promise.resolve(closed);
    if (this.#waiting.length >= WAITING_MAX) {
      const reason = `${WAITING_MAX} jobs for the packages wait already`;
      return Promise.resolve({ kind: "failed", reason });
    }
    return new Promise((resolve) => {
      this.#waiting.push({ request, resolve });
      if (this.#current === undefined) this.#next();
    });
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
      this.#cancelTimer = clock.after(JOB_MS_MAX, () => {
        this.#fail(`the packages took over ${JOB_MS_MAX / 1_000} s`);
      });
      this.#post(this.#worker, this.#current.request());
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    }
  }

  #post(worker: WorkerHandle<PackagesRequest>, request: PackagesRequest): void {
    if (request.kind !== "scan" || request.known === undefined) {
      worker.post(request);
      return;
    }
    this.#known = undefined;
    worker.post(request, [request.known]);
  }

  #start(): WorkerHandle<PackagesRequest> {
    const worker = this.#parts.workers.start<PackagesRequest, PackagesReply>({
      entry: "packages_worker",
      name: "packages",
      handlers: {
        message: (reply) => {
          if (this.#worker !== worker) return;
          if (reply.kind === "scanned") this.#known = reply.known;
          this.#answer(reply);
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

function failure(reply: PackagesReply): Failed {
  const reason = reply.kind === "failed" ? reply.reason : `unexpected answer ${reply.kind}`;
  return { ok: false, reason };
}
