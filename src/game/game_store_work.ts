import { unreachable } from "../base/assert.ts";
import { type SqliteDatabase, SqliteError, type SqlitePort } from "../ports/sqlite.ts";
import type { WorkerScope } from "../ports/workers.ts";
import { type GameSaveAnswer, type GameSaveOperation, GameStore } from "./accounts/game_store.ts";
import { explainStoreError, type StoreResult } from "./accounts/store_batch.ts";
import type { BanSnapshot, UsersAnswer, UsersOperation } from "./accounts/users_operations.ts";
import { UsersStore } from "./accounts/users_store.ts";

/** The queue of a file that a batch comes from; told back with its results. */
export type StoreLane = "writes" | "reads";

export type GameStoreRequest =
  /** Opens `users.db` and `game.db` in a directory that is there, anew if they are open already.
   * `now` in epoch seconds. */
  | {
    readonly kind: "open";
    readonly directory: string;
    readonly now: number;
    readonly busyTimeoutMs: number;
  }
  /** Done in order, in one transaction. */
  | {
    readonly kind: "users_batch";
    readonly lane: StoreLane;
    readonly operations: readonly UsersOperation[];
  }
  | {
    readonly kind: "saves_batch";
    readonly lane: StoreLane;
    readonly operations: readonly GameSaveOperation[];
  }
  | { readonly kind: "close" };

/** One reply to each request, in order. */
export type GameStoreReply =
  | { readonly kind: "opened"; readonly bans: BanSnapshot }
  /** `passes`: it may be tried again. */
  | { readonly kind: "open_failed"; readonly reason: string; readonly passes: boolean }
  /** One result for each operation; what they wrote is durable when this is sent. */
  | {
    readonly kind: "users_done";
    readonly lane: StoreLane;
    readonly results: readonly StoreResult<UsersAnswer>[];
  }
  | {
    readonly kind: "saves_done";
    readonly lane: StoreLane;
    readonly results: readonly StoreResult<GameSaveAnswer>[];
  }
  | { readonly kind: "closed" };

/** What the worker needs of its runtime. */
export interface GameStoreParts {
  readonly sqlite: SqlitePort;
  /** Which file a path leads to now, as text to compare; undefined when there is none. */
  readonly fileIdentity: (path: string) => string | undefined;
}

/** The worker that owns the game's databases and answers requests one after the other. */
export function runGameStoreWorker(
  scope: WorkerScope<GameStoreRequest, GameStoreReply>,
  parts: GameStoreParts,
): void {
  const work = new GameStoreWork(parts);
  scope.onMessage((request) => scope.post(work.perform(request)));
}

/** Does what requests ask for; nothing of it throws. */
export class GameStoreWork {
  readonly #parts: GameStoreParts;
  #users: OpenedFile<UsersStore> | undefined;
  #saves: OpenedFile<GameStore> | undefined;

  constructor(parts: GameStoreParts) {
    this.#parts = parts;
  }

  perform(request: GameStoreRequest): GameStoreReply {
    switch (request.kind) {
      case "open":
        return this.#open(request);
      case "users_batch": {
        const { lane, operations } = request;
        return { kind: "users_done", lane, results: this.#perform(this.#users, operations) };
      }
      case "saves_batch": {
        const { lane, operations } = request;
        return { kind: "saves_done", lane, results: this.#perform(this.#saves, operations) };
      }
      case "close":
        this.#close();
        return { kind: "closed" };
      default:
        return unreachable(request);
    }
  }

  #open(request: GameStoreRequest & { kind: "open" }): GameStoreReply {
    this.#close();
    const { directory, busyTimeoutMs } = request;
    let path = `${directory}/users.db`;
    try {
      this.#users = this.#openFile(UsersStore, { path, busyTimeoutMs });
      const bans = this.#users.store.bans(request.now);
      path = `${directory}/game.db`;
      this.#saves = this.#openFile(GameStore, { path, busyTimeoutMs });
      return { kind: "opened", bans };
    } catch (error) {
      this.#close();
      const passes = error instanceof SqliteError && error.kind === "busy";
      return { kind: "open_failed", reason: explainStoreError(path, error), passes };
    }
  }

  #perform<Operation, Answer>(
    file: OpenedFile<BatchStore<Operation, Answer>> | undefined,
    operations: readonly Operation[],
  ): StoreResult<Answer>[] {
    if (file === undefined) {
      return operations.map(() => ({ ok: false, reason: "no database is open", passes: true }));
    }
    // What is written to a file that is gone would be gone too at the next start.
    if (this.#identity(file.path) !== file.openedAs) {
      const reason = `Cannot use database "${file.path}": it was removed or replaced; ` +
        "put it back, or start again";
      return operations.map(() => ({ ok: false, reason, passes: true }));
    }
    return file.store.perform(operations);
  }

  #openFile<Store>(
    Store: new (database: SqliteDatabase, path: string) => Store,
    { path, busyTimeoutMs }: { path: string; busyTimeoutMs: number },
  ): OpenedFile<Store> {
    const database = this.#parts.sqlite.open({ path, busyTimeoutMs });
    try {
      const store = new Store(database, path);
      return { store, path, openedAs: this.#identity(path) };
    } catch (error) {
      database.close();
      throw error;
    }
  }

  #identity(path: string): string {
    const { fileIdentity } = this.#parts;
    return `${fileIdentity(path)} ${fileIdentity(`${path}-wal`)}`;
  }

  #close(): void {
    for (const file of [this.#users, this.#saves]) {
      try {
        file?.store.close();
      } catch {
        // What was answered is on disk already; SQLite tidies up at the next opening.
      }
    }
    this.#users = undefined;
    this.#saves = undefined;
  }
}

interface BatchStore<Operation, Answer> {
  perform(operations: readonly Operation[]): StoreResult<Answer>[];
  close(): void;
}

interface OpenedFile<Store> {
  readonly store: Store;
  readonly path: string;
  readonly openedAs: string;
}
