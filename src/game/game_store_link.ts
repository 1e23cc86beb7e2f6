import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/log.ts";
import type { WorkerHandle, WorkersPort } from "../ports/workers.ts";
import type { BanSnapshot } from "./accounts/users_operations.ts";
import type { GameStoreLimits } from "./game_store_limits.ts";
import type { GameStoreReply, GameStoreRequest } from "./game_store_work.ts";

type Opening = Extract<GameStoreReply, { kind: "opened" | "open_failed" }>;
export type BatchReply = Extract<GameStoreReply, { kind: "users_done" | "saves_done" }>;

interface LinkParts {
  readonly workers: WorkersPort;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: GameStoreLimits;
  readonly handlers: {
    /** The files are open: batches may be posted. */
    ready(): void;
    /** The worker ended: nothing that was posted will be answered. */
    lost(reason: string): void;
    done(reply: BatchReply): void;
    /** The files could not be opened again. */
    stillDown(): void;
  };
}

/** The game's store worker and its life: started, opened, started anew when it fails, closed. */
export class GameStoreLink {
  readonly #parts: LinkParts;
  #directory = "";
  #worker: WorkerHandle<GameStoreRequest> | undefined;
  #isOpen = false;
  #isClosed = false;
  #trouble: string | undefined;
  #opening: ((reply: Opening) => void) | undefined;
  #closing: (() => void) | undefined;
  #cancelPause: (() => void) | undefined;

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Why nothing can be done at present. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** The first opening; a file that another program holds is waited for. `now` in epoch seconds. */
  async open(
    directory: string,
    now: number,
  ): Promise<{ ok: true; bans: BanSnapshot } | { ok: false; reason: string }> {
    const { clock, limits, logger, handlers } = this.#parts;
    this.#directory = directory;
    const end = clock.monotonic() + limits.openPatienceMs;
    for (let tries = 0;; tries++) {
      const reply = await this.#openFiles(now);
      if (reply.kind === "opened") {
        this.#isOpen = true;
        handlers.ready();
        return { ok: true, bans: reply.bans };
      }
      const { reason } = reply;
      if (!reply.passes || this.#isClosed || clock.monotonic() >= end) {
        this.#endWorker();
        return { ok: false, reason };
      }
      if (tries === 0) logger.warn({ reason }, "game store waits for its files");
      await new Promise<void>((resolve) => {
        clock.after(limits.retryPauseMs.max, resolve);
      });
      if (this.#isClosed) return { ok: false, reason };
    }
  }

  /** Only while it is open. */
  post(request: GameStoreRequest): void {
    this.#worker?.post(request);
  }

  /** Closes the files once what was posted is done; waits for that as long as allowed. */
  async close(patienceMs: number): Promise<void> {
    if (this.#isOpen && this.#worker !== undefined) {
      const { clock } = this.#parts;
      const worker = this.#worker;
      await new Promise<void>((resolve) => {
        const cancel = clock.after(patienceMs, resolve);
        this.#closing = () => {
          cancel();
          resolve();
        };
        worker.post({ kind: "close" });
      });
    }
    this.#isClosed = true;
    this.#isOpen = false;
    this.#cancelPause?.();
    this.#endWorker();
    this.#opening?.({ kind: "open_failed", reason: "the game store is closed", passes: false });
  }

  #openFiles(now: number): Promise<Opening> {
    return new Promise((resolve) => {
      this.#opening = resolve;
      const { busyTimeoutMs } = this.#parts.limits;
      this.#started().post({ kind: "open", directory: this.#directory, now, busyTimeoutMs });
    });
  }

  #started(): WorkerHandle<GameStoreRequest> {
    if (this.#worker !== undefined) return this.#worker;
    this.#worker = this.#parts.workers.start<GameStoreRequest, GameStoreReply>({
      entry: "game_store_worker",
      name: "game_store",
      handlers: {
        message: (reply) => this.#receive(reply),
        error: (error) => this.#fail(error.message),
      },
    });
    return this.#worker;
  }

  #receive(reply: GameStoreReply): void {
    switch (reply.kind) {
      case "opened":
      case "open_failed":
        this.#opening?.(reply);
        this.#opening = undefined;
        return;
      case "users_done":
      case "saves_done":
        if (!this.#isClosed) this.#parts.handlers.done(reply);
        return;
      case "closed":
        this.#closing?.();
        return;
    }
  }

  #fail(reason: string): void {
    const wasOpen = this.#isOpen;
    this.#worker = undefined;
    this.#isOpen = false;
    this.#closing?.();
    if (!wasOpen) {
      this.#opening?.({ kind: "open_failed", reason, passes: false });
      this.#opening = undefined;
      return;
    }
    this.#trouble = reason;
    this.#parts.logger.error({ reason }, "game store worker failed");
    this.#parts.handlers.lost(reason);
    this.#reopenLater();
  }

  #reopenLater(): void {
    if (this.#isClosed) return;
    const { clock, limits } = this.#parts;
    this.#cancelPause = clock.after(limits.restartPauseMs, () => void this.#reopen());
  }

  async #reopen(): Promise<void> {
    const { clock, logger, handlers } = this.#parts;
    const reply = await this.#openFiles(Math.floor(clock.now() / 1_000));
    if (this.#isClosed) return;
    if (reply.kind === "opened") {
      this.#isOpen = true;
      this.#trouble = undefined;
      logger.info({}, "game store works again");
      handlers.ready();
      return;
    }
    if (reply.reason !== this.#trouble) {
      logger.error({ reason: reply.reason }, "game store cannot open its files");
    }
    this.#trouble = reply.reason;
    handlers.stillDown();
    this.#reopenLater();
  }

  #endWorker(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
  }
}
