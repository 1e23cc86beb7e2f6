import { unreachable } from "../base/assert.ts";
import { type SqliteDatabase, SqliteError, type SqlitePort } from "../ports/sqlite.ts";
import type { WorkerScope } from "../ports/workers.ts";
import type { StoreCounters, StoreOperation, StoreResult } from "./store.ts";

export type StoreRequest =
  | { readonly kind: "open"; readonly path: string; readonly busyTimeoutMs: number }
  /** Done in order, in one transaction. */
  | { readonly kind: "batch"; readonly operations: readonly StoreOperation[] }
  | { readonly kind: "close" };

export type StoreReply =
  | {
    readonly kind: "opened";
    readonly routes: readonly (readonly [string, number])[];
    readonly counters: StoreCounters;
  }
  | { readonly kind: "open_failed"; readonly reason: string }
  /** One result for each operation; durable when this is sent. */
  | {
    readonly kind: "batch_done";
    readonly results: readonly StoreResult[];
    readonly counters: StoreCounters;
  }
  | { readonly kind: "closed" };

/** Which file a path leads to now, as text to compare; undefined when there is none. */
export type FileIdentity = (path: string) => string | undefined;

/** The store worker: owns the database file and answers requests one after the other. */
export function runStoreWorker(
  scope: WorkerScope<StoreRequest, StoreReply>,
  { sqlite, fileIdentity }: { sqlite: SqlitePort; fileIdentity: FileIdentity },
): void {
  let store: StateStore | undefined;
  scope.onMessage((request) => {
    switch (request.kind) {
      case "open":
        try {
          store = new StateStore(sqlite.open(request), request.path, fileIdentity);
          scope.post({ kind: "opened", routes: store.routes(), counters: store.counters });
        } catch (error) {
          scope.post({ kind: "open_failed", reason: explain(request.path, error) });
        }
        return;
      case "batch":
        if (store !== undefined) {
          const results = store.perform(request.operations);
          scope.post({ kind: "batch_done", results, counters: store.counters });
        }
        return;
      case "close":
        store?.close();
        store = undefined;
        scope.post({ kind: "closed" });
        return;
      default:
        unreachable(request);
    }
  });
}

/** The host protocol's state and routes in an SQLite file; a power loss keeps what was answered. */
export class StateStore {
  readonly #database: SqliteDatabase;
  readonly #path: string;
  readonly #identity: () => string;
  readonly #openedAs: string;
  #counters: StoreCounters = { begins: 0, commits: 0, rollbacks: 0, states: 0 };

  /**
   * Makes its tables when they are missing. Throws SqliteError, or Error when there are other
   * tables of those names; the file is never overwritten. With `fileIdentity`, nothing is done for
   * a file that was removed or replaced meanwhile: it would be gone at the next start.
   */
  constructor(database: SqliteDatabase, path: string, fileIdentity: FileIdentity = () => "") {
    this.#database = database;
    this.#path = path;
    this.#identity = () => `${fileIdentity(path)} ${fileIdentity(`${path}-wal`)}`;
    database.exec("PRAGMA journal_mode = WAL");
    // NORMAL may lose the last commits on power loss, and those were acknowledged.
    database.exec("PRAGMA synchronous = FULL");
    database.exec(
      "CREATE TABLE IF NOT EXISTS host_state (key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    );
    database.exec(
      "CREATE TABLE IF NOT EXISTS host_routes (key TEXT PRIMARY KEY, thread INTEGER NOT NULL) WITHOUT ROWID",
    );
    this.#refuseOtherTables();
    this.#countStates();
    this.#openedAs = this.#identity();
  }

  get counters(): StoreCounters {
    return this.#counters;
  }

  routes(): [string, number][] {
    return this.#database.prepare("SELECT key, thread FROM host_routes").all()
      .map((row) => [String(row["key"]), Number(row["thread"])]);
  }

  /** One result for each operation; all are `ok`, or the transaction was rolled back and none is. */
  perform(operations: readonly StoreOperation[]): StoreResult[] {
    const database = this.#database;
    this.#count({ begins: 1 });
    try {
      const changes = operations.some(({ kind }) => kind !== "load");
      database.exec(changes ? "BEGIN IMMEDIATE" : "BEGIN");
      const results = operations.map((operation) => this.#perform(operation));
      if (changes) this.#countStates();
      if (this.#identity() !== this.#openedAs) {
        throw new Error("its file was removed or replaced while it was open; start again");
      }
      database.exec("COMMIT");
      this.#count({ commits: 1 });
      return results;
    } catch (error) {
      this.#rollBack();
      const reason = explain(this.#path, error);
      return operations.map(() => ({ ok: false, reason }));
    }
  }

  close(): void {
    this.#database.close();
  }

  #perform(operation: StoreOperation): StoreResult {
    const database = this.#database;
    switch (operation.kind) {
      case "save":
        database.prepare(saveSql).run(storable(operation.value));
        return { ok: true };
      case "load": {
        const row = database.prepare(loadSql).get();
        return row === undefined ? { ok: true } : { ok: true, value: loaded(row["value"]) };
      }
      case "delete":
        database.prepare("DELETE FROM host_state WHERE key = 'default'").run();
        return { ok: true };
      case "route": {
        database.prepare(routeSql).run(storable(operation.key), operation.thread);
        const row = database.prepare("SELECT thread FROM host_routes WHERE key = ?")
          .get(storable(operation.key));
        return { ok: true, thread: Number(row?.["thread"] ?? operation.thread) };
      }
      default:
        return unreachable(operation);
    }
  }

  #refuseOtherTables(): void {
    try {
      for (const sql of [saveSql, loadSql, routeSql]) this.#database.prepare(sql);
    } catch (error) {
      if (!(error instanceof SqliteError) || error.kind !== "other") throw error;
      throw new Error(
        "its tables host_state and host_routes are not those of freekill-gw; set another db_path",
        { cause: error },
      );
    }
  }

  #rollBack(): void {
    this.#count({ rollbacks: 1 });
    try {
      this.#database.exec("ROLLBACK");
    } catch {
      // BEGIN itself failed, or SQLite has rolled back already: there is nothing to undo.
    }
  }

  #countStates(): void {
    const row = this.#database.prepare("SELECT count(*) AS states FROM host_state").get();
    this.#counters = { ...this.#counters, states: Number(row?.["states"] ?? 0) };
  }

  #count(more: Partial<StoreCounters>): void {
    const { begins, commits, rollbacks } = this.#counters;
    this.#counters = {
      ...this.#counters,
      begins: begins + (more.begins ?? 0),
      commits: commits + (more.commits ?? 0),
      rollbacks: rollbacks + (more.rollbacks ?? 0),
    };
  }
}

const saveSql =
  "INSERT INTO host_state (key, value) VALUES ('default', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
const loadSql = "SELECT value FROM host_state WHERE key = 'default'";
const routeSql = "INSERT OR IGNORE INTO host_routes (key, thread) VALUES (?, ?)";

/** Text as it is, or as bytes when it holds a NUL, at which SQLite's text functions would end. */
function storable(text: string): string | Uint8Array {
  return text.includes("\u0000") ? new TextEncoder().encode(text) : text;
}

function loaded(value: unknown): string {
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : String(value);
}

function explain(path: string, error: unknown): string {
  const whole = error instanceof Error ? error.message : String(error);
  // Our own path is told already, a side file's is not.
  const message = whole.replace(
    /^[^"]*database "([^"]*)": /,
    (start, named: string) => named.endsWith(path) ? "" : start,
  );
  if (!(error instanceof SqliteError)) return `Cannot use database "${path}": ${message}`;
  switch (error.kind) {
    case "busy":
      return `Cannot use database "${path}": another program holds it locked`;
    case "corrupt":
      return `Cannot use database "${path}": it is damaged or not an SQLite database; it was left as it is`;
    case "full":
      return `Cannot use database "${path}": the disk is full`;
    case "cannot_open":
      return `Cannot use database "${path}": it cannot be opened (${message})`;
    case "readonly":
      return `Cannot use database "${path}": it cannot be written (${message})`;
    case "constraint":
    case "other":
      return `Cannot use database "${path}": ${message}`;
  }
}
