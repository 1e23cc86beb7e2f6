import { ReportLimit } from "../base/report_limit.ts";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/log.ts";
import type { WorkersPort } from "../ports/workers.ts";
import {
  type GameSaveAnswer,
  type GameSaveOperation,
  saveBytesMax,
} from "./accounts/game_store.ts";
import type { StoreResult } from "./accounts/store_batch.ts";
import type {
  BanSnapshot,
  UsersAnswer,
  UsersAnswers,
  UsersOperation,
} from "./accounts/users_operations.ts";
import { type GameStoreLimits, gameStoreLimits } from "./game_store_limits.ts";
import { type BatchReply, GameStoreLink } from "./game_store_link.ts";
import type { StoreLane } from "./game_store_work.ts";
import { RetryPauses } from "./retry_pauses.ts";
import { StoreQueue } from "./store_queue.ts";
import { savesRules, type StoreRules, usersRules } from "./store_rules.ts";

export interface GameStoreCounters {
  /** Answered by the worker. */
  readonly batches: number;
  /** Answered to their owners, well or not. */
  readonly operations: number;
  /** Of these, not well. */
  readonly failures: number;
  /** Batches of which some or all is tried again. */
  readonly retries: number;
}

/** Bytes of an operation beside its texts. */
const OPERATION_BYTES = 100;

/**
 * The databases of the game as the serving thread sees them. What comes while a batch is being
 * committed makes the next one (group commit). A file that is locked, full or gone for a while
 * delays writes and loses none; who waits for an answer gets one in time. When the worker fails,
 * what it had and what waits for it fails too, because nobody knows what of it is done.
 */
export class GameStoreClient {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #limits: GameStoreLimits;
  readonly #link: GameStoreLink;
  readonly #users = new StoreQueue<UsersOperation, UsersAnswer>(usersRules);
  readonly #saves = new StoreQueue<GameSaveOperation, GameSaveAnswer>(savesRules);
  readonly #pauses: RetryPauses;
  readonly #reports = new ReportLimit();
  readonly #counters = { batches: 0, operations: 0, failures: 0, retries: 0 };
  readonly #flushes = new Set<{ readonly upTo: number; left: number; resolve: () => void }>();
  #ended: string | undefined = "the game store is not open";
  #isDraining = false;
  #isPumpAskedFor = false;
  #lastNumber = 0;
  #pending = 0;
  #pendingBytes = 0;

  /** `limits` are for tests. `open` must follow. */
  constructor(
    parts: {
      workers: WorkersPort;
      clock: Clock;
      logger: Logger;
      limits?: Partial<GameStoreLimits>;
    },
  ) {
    this.#clock = parts.clock;
    this.#logger = parts.logger;
    this.#limits = { ...gameStoreLimits, ...parts.limits };
    this.#pauses = new RetryPauses(parts.clock, this.#limits.retryPauseMs);
    this.#link = new GameStoreLink({
      ...parts,
      limits: this.#limits,
      handlers: {
        ready: () => this.#pump(),
        lost: (reason) => this.#failAll(reason),
        done: (reply) => this.#finish(reply),
        stillDown: () => this.#giveUpOld(),
      },
    });
  }

  get counters(): GameStoreCounters {
    return { ...this.#counters };
  }

  /** Operations that have no answer yet. */
  get pending(): number {
    return this.#pending;
  }

  /** One line; undefined while all goes well. */
  get trouble(): string | undefined {
    return this.#ended ?? this.#link.trouble ?? this.#pauses.trouble;
  }

  /**
   * Opens or makes `users.db` and `game.db` in a directory that is there, once; `now` in epoch
   * seconds. Waits some seconds for a lock of another program. Gives the bans to start with, or the
   * reason in one line.
   */
  async open(
    directory: string,
    now: number,
  ): Promise<{ ok: true; bans: BanSnapshot } | { ok: false; reason: string }> {
    const opened = await this.#link.open(directory, now);
    this.#ended = opened.ok ? undefined : opened.reason;
    return opened;
  }

  /** Never rejects. */
  users<Operation extends UsersOperation>(
    operation: Operation,
  ): Promise<StoreResult<UsersAnswers[Operation["kind"]]>> {
    const result = this.#run({ queue: this.#users, rules: usersRules, operation });
    // An answer has the type of its operation: the worker answers each in its place.
    return result as Promise<StoreResult<UsersAnswers[Operation["kind"]]>>;
  }

  /** Never rejects. */
  saves(operation: GameSaveOperation): Promise<StoreResult<GameSaveAnswer>> {
    if (operation.uid < 0) return Promise.resolve({ ok: true, value: null });
    if ("data" in operation && operation.data.length > saveBytesMax) {
      const found = `${operation.data.length} bytes of game data, ${saveBytesMax} are allowed`;
      return Promise.resolve({ ok: false, reason: `Cannot save ${found}` });
    }
    return this.#run({ queue: this.#saves, rules: savesRules, operation });
  }

  /** Resolves when all that was given before has its answer. */
  flush(): Promise<void> {
    if (this.#pending === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#flushes.add({ upTo: this.#lastNumber, left: this.#pending, resolve });
    });
  }

  /** Writes what waits, for some seconds at the most, and closes the files. */
  async close(): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    const { closePatienceMs } = this.#limits;
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(closePatienceMs, resolve);
      void this.flush().then(() => {
        cancel();
        resolve();
      });
    });
    await this.#link.close(this.#pending === 0 ? closePatienceMs : 0);
    this.#ended = "the game store is closed";
    this.#pauses.cancelAll();
    this.#failAll(this.#ended);
  }

  #run<Operation extends { kind: string }, Answer>(
    { queue, rules, operation }: {
      queue: StoreQueue<Operation, Answer>;
      rules: StoreRules<Operation, Answer>;
      operation: Operation;
    },
  ): Promise<StoreResult<Answer>> {
    const bytes = sizeOf(operation);
    const refusal = this.#refusal(bytes);
    if (refusal !== undefined) {
      this.#countAnswer(operation, refusal);
      return Promise.resolve(refusal);
    }
    this.#pending++;
    this.#pendingBytes += bytes;
    const number = ++this.#lastNumber;
    return new Promise((resolve) => {
      let cancelPatience = () => {};
      const giveUp = queue.add({
        operation,
        number,
        bytes,
        since: this.#clock.monotonic(),
        answer: (result) => {
          cancelPatience();
          this.#pending--;
          this.#pendingBytes -= bytes;
          this.#countAnswer(operation, result);
          resolve(result);
          this.#settleFlushes(number);
        },
      });
      if (rules.isAwaited(operation)) {
        const { answerPatienceMs } = this.#limits;
        cancelPatience = this.#clock.after(
          answerPatienceMs,
          () => giveUp(this.trouble ?? `it took over ${answerPatienceMs} ms`),
        );
      }
      this.#askForPump();
    });
  }

  #refusal(bytes: number): { ok: false; reason: string } | undefined {
    const { waitingOperationsMax, waitingBytesMax } = this.#limits;
    const reason = this.#ended ??
      (this.#isDraining
        ? "the game store is being closed"
        : this.#pending >= waitingOperationsMax
        ? `${waitingOperationsMax} operations wait already`
        : this.#pendingBytes + bytes > waitingBytesMax
        ? `${waitingBytesMax} bytes of operations wait already`
        : undefined);
    return reason === undefined ? undefined : { ok: false, reason };
  }

  /** Not at once: what comes in the same turn joins the same transaction. */
  #askForPump(): void {
    if (this.#isPumpAskedFor) return;
    this.#isPumpAskedFor = true;
    queueMicrotask(() => {
      this.#isPumpAskedFor = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (!this.#link.isOpen) return;
    for (const lane of ["reads", "writes"] as const) {
      if (!this.#pauses.isPaused(`users ${lane}`)) {
        const operations = this.#users.take(lane, this.#limits);
        if (operations.length > 0) this.#link.post({ kind: "users_batch", lane, operations });
      }
      if (!this.#pauses.isPaused(`saves ${lane}`)) {
        const operations = this.#saves.take(lane, this.#limits);
        if (operations.length > 0) this.#link.post({ kind: "saves_batch", lane, operations });
      }
    }
  }

  #finish(reply: BatchReply): void {
    this.#counters.batches++;
    const { lane } = reply;
    const reason = reply.kind === "users_done"
      ? this.#users.finish(lane, reply.results)
      : this.#saves.finish(lane, reply.results);
    this.#judge({ file: reply.kind === "users_done" ? "users" : "saves", lane, reason });
    this.#pump();
  }

  /** Only a batch of the same lane ends its trouble: reading from a full disk works. */
  #judge(
    { file, lane, reason }: {
      file: "users" | "saves";
      lane: StoreLane;
      reason: string | undefined;
    },
  ): void {
    const name = `${file} ${lane}`;
    const before = this.#pauses.troubleOf(name);
    if (reason === undefined) {
      if (before === undefined) return;
      this.#pauses.end(name);
      this.#logger.info({ file, lane }, "game store works again");
      return;
    }
    this.#counters.retries++;
    if (reason !== before) {
      this.#logger.warn({ file, lane, reason, waiting: this.#pending }, "game store tries again");
    }
    this.#pauses.begin(name, reason, () => {
      this.#giveUpOld();
      this.#pump();
      const queue = file === "users" ? this.#users : this.#saves;
      // All have been given up: there is nothing left that could tell that the trouble is over.
      if (!queue.isBusy(lane)) this.#pauses.end(name);
    });
  }

  /** Writes that were tried for as long as they may be. */
  #giveUpOld(): void {
    const by = this.#clock.monotonic() - this.#limits.writePatienceMs;
    const why = this.trouble ?? "unknown cause";
    const reason = `given up after ${this.#limits.writePatienceMs} ms: ${why}`;
    this.#reportLost(this.#users.giveUpWrites({ by, reason }), reason);
    this.#reportLost(this.#saves.giveUpWrites({ by, reason }), reason);
  }

  #failAll(reason: string): void {
    this.#reportLost(this.#users.failAll(reason), reason);
    this.#reportLost(this.#saves.failAll(reason), reason);
  }

  /** One line for each kind. */
  #reportLost(lost: readonly { readonly kind: string }[], reason: string): void {
    const counts = new Map<string, number>();
    for (const { kind } of lost) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    for (const [kind, operations] of counts) {
      this.#logger.error({ kind, operations, reason }, "game store lost writes");
    }
  }

  #countAnswer({ kind }: { readonly kind: string }, result: StoreResult<unknown>): void {
    this.#counters.operations++;
    if (result.ok) return;
    this.#counters.failures++;
    const suppressed = this.#reports.report(kind, this.#clock.monotonic());
    if (suppressed === undefined) return;
    this.#logger.warn({ kind, reason: result.reason, suppressed }, "game store operation failed");
  }

  #settleFlushes(number: number): void {
    for (const flush of this.#flushes) {
      if (number > flush.upTo || --flush.left > 0) continue;
      this.#flushes.delete(flush);
      flush.resolve();
    }
  }
}

/** An estimate of what an operation keeps in memory. */
function sizeOf(value: unknown): number {
  if (typeof value === "string") return value.length * 2;
  if (value instanceof Uint8Array) return value.length;
  if (typeof value !== "object" || value === null) return 8;
  return Object.values(value).reduce<number>((sum, part) => sum + sizeOf(part), OPERATION_BYTES);
}
