import type { Clock } from "../../ports/clock.ts";
import { CryptoError, type RsaKeyPairPem } from "../../ports/crypto.ts";
import type { Logger } from "../../ports/log.ts";
import type { WorkerHandle, WorkersPort } from "../../ports/workers.ts";
import type { CryptoAnswers, CryptoJob, CryptoReply, CryptoRequest } from "../crypto_work.ts";
import type { KeyMaker, OpenedKey } from "./server_keys.ts";

/** Jobs of a kind that the worker has at once, and that wait for it. */
const limits = {
  /** RSA, 0.6 ms each: 2,000 are a second or two, longer no client waits. */
  fast: { inFlightMax: 32, waitingMax: 2_000 },
  /** scrypt, 16 MiB and 30 ms each: as many at once as small machines have cores. All that wait
   * are done within half a minute, well before a login times out. */
  slow: { inFlightMax: 2, waitingMax: 1_000 },
  /** Upgrades, 300 bytes each; what does not fit is upgraded at a later login. */
  background: { inFlightMax: 1, waitingMax: 10_000 },
} as const;

/** Upgrades start when no login has come for so long, so that they are never in one's way. */
const QUIET_MS = 250;

/** A worker that failed is started again not before this. */
const RESTART_PAUSE_MS = 1_000;

type LaneName = keyof typeof limits;

interface Pending {
  readonly lane: LaneName;
  readonly job: CryptoJob;
  readonly resolve: (result: CryptoResult<CryptoAnswers[CryptoJob["kind"]]>) => void;
}

export type CryptoResult<Value> =
  | { readonly ok: true; readonly value: Value }
  | {
    readonly ok: false;
    /** `overloaded`: too many wait already; try later. */
    readonly why: "overloaded" | "failed";
    readonly reason: string;
  };

/**
 * The crypto worker as the serving thread sees it. Cheap logins never wait behind dear ones, upgrades
 * wait for quiet; each kind has a bounded queue.
 */
export class CryptoClient implements KeyMaker {
  readonly #parts: { workers: WorkersPort; clock: Clock; logger: Logger };
  readonly #waiting: Record<LaneName, Pending[]> = { fast: [], slow: [], background: [] };
  readonly #inFlight = new Map<number, Pending>();
  readonly #running: Record<LaneName, number> = { fast: 0, slow: 0, background: 0 };
  #worker: WorkerHandle<CryptoRequest> | undefined;
  #privatePem: string | undefined;
  #lastId = 0;
  #lastLoginAt = -Infinity;
  #failedAt = -Infinity;
  #cancelTimer: (() => void) | undefined;
  #isClosed = false;

  constructor(parts: { workers: WorkersPort; clock: Clock; logger: Logger }) {
    this.#parts = parts;
  }

  /** Jobs that wait or run, for the metrics. */
  get pending(): number {
    const { fast, slow, background } = this.#waiting;
    return fast.length + slow.length + background.length + this.#inFlight.size;
  }

  async generateKeyPair(): Promise<RsaKeyPairPem> {
    return valueOrThrow(await this.run({ kind: "generate_keys" }));
  }

  async openKey(privatePem: string): Promise<OpenedKey> {
    const opened = valueOrThrow(await this.run({ kind: "open_key", privatePem }));
    this.#privatePem = privatePem;
    return opened;
  }

  /** Never rejects. */
  run<Job extends CryptoJob>(job: Job): Promise<CryptoResult<CryptoAnswers[Job["kind"]]>> {
    const lane = laneOf(job);
    const refused = this.#refusal(lane);
    if (refused !== undefined) return Promise.resolve(refused);
    return new Promise((resolve) => {
      // A reply has the type of its job: the worker answers each id once.
      this.#waiting[lane].push({ lane, job, resolve: resolve as Pending["resolve"] });
      if (lane !== "background") this.#lastLoginAt = this.#parts.clock.monotonic();
      this.#pump();
    });
  }

  /** Ends the worker; what waits is answered as failed. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#failAll("the crypto worker is closed");
  }

  #refusal(lane: LaneName): CryptoResult<never> | undefined {
    if (this.#isClosed) return failed("the crypto worker is closed");
    if (this.#waiting[lane].length >= limits[lane].waitingMax) {
      const reason = `${limits[lane].waitingMax} jobs wait already`;
      return { ok: false, why: "overloaded", reason };
    }
    const sinceFailure = this.#parts.clock.monotonic() - this.#failedAt;
    return sinceFailure < RESTART_PAUSE_MS ? failed("the crypto worker has failed") : undefined;
  }

  #pump(): void {
    this.#send("fast");
    this.#send("slow");
    if (this.#waiting.background.length === 0 || this.#cancelTimer !== undefined) return;
    // While logins run, the last of them comes back here.
    if (this.#running.fast + this.#running.slow > 0) return;
    const { clock } = this.#parts;
    const quietIn = this.#lastLoginAt + QUIET_MS - clock.monotonic();
    if (quietIn <= 0) {
      this.#send("background");
      return;
    }
    this.#cancelTimer = clock.after(Math.ceil(quietIn), () => {
      this.#cancelTimer = undefined;
      this.#pump();
    });
  }

  #send(lane: LaneName): void {
    const waiting = this.#waiting[lane];
    while (waiting.length > 0 && this.#running[lane] < limits[lane].inFlightMax) {
      const pending = waiting.shift()!;
      const id = ++this.#lastId;
      this.#inFlight.set(id, pending);
      this.#running[lane]++;
      this.#started().post({ id, job: pending.job });
    }
  }

  /** The worker, started at the first need, with the key that the last one had. */
  #started(): WorkerHandle<CryptoRequest> {
    if (this.#worker !== undefined) return this.#worker;
    const worker = this.#parts.workers.start<CryptoRequest, CryptoReply>({
      entry: "crypto_worker",
      name: "crypto",
      handlers: {
        message: (reply) => this.#receive(reply),
        error: (error) => this.#fail(error.message),
      },
    });
    this.#worker = worker;
    if (this.#privatePem !== undefined) {
      // Its answer has an id that nobody waits for.
      worker.post({ id: ++this.#lastId, job: { kind: "open_key", privatePem: this.#privatePem } });
    }
    return worker;
  }

  #receive(reply: CryptoReply): void {
    const pending = this.#inFlight.get(reply.id);
    if (pending === undefined) return;
    this.#inFlight.delete(reply.id);
    this.#running[pending.lane]--;
    pending.resolve(reply.ok ? { ok: true, value: reply.value } : failed(reply.reason));
    this.#pump();
  }

  #fail(reason: string): void {
    this.#worker = undefined;
    this.#failedAt = this.#parts.clock.monotonic();
    this.#parts.logger.error({ reason }, "crypto worker failed");
    this.#failAll(reason);
  }

  #failAll(reason: string): void {
    const lost = [...this.#inFlight.values(), ...Object.values(this.#waiting).flat()];
    this.#inFlight.clear();
    for (const lane of Object.keys(limits) as LaneName[]) {
      this.#running[lane] = 0;
      this.#waiting[lane].length = 0;
    }
    for (const { resolve } of lost) resolve(failed(reason));
  }
}

function laneOf(job: CryptoJob): LaneName {
  switch (job.kind) {
    case "upgrade":
      return "background";
    case "login":
      return job.stored?.scrypt === undefined ? "fast" : "slow";
    case "open_key":
      return "fast";
    case "generate_keys":
    case "change":
    case "new_password":
      return "slow";
  }
}

function failed(reason: string): CryptoResult<never> {
  return { ok: false, why: "failed", reason };
}

function valueOrThrow<Value>(result: CryptoResult<Value>): Value {
  if (result.ok) return result.value;
  throw new CryptoError(result.reason);
}
