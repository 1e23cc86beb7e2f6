import { type SqliteDatabase, SqliteError, type SqliteValue } from "../../ports/sqlite.ts";

/** One answer for each operation; a failure's reason is one line for the log. */
export type StoreResult<Answer> =
  | { readonly ok: true; readonly value: Answer }
  | {
    readonly ok: false;
    readonly reason: string;
    /** The file's trouble may pass (locked, full, …): neither this operation nor any after it has
     * been done, and they may be tried again in their order. */
    readonly passes?: true;
  };

/**
 * Does operations in order in one transaction. Where the file is the trouble (locked, full, …) all
 * of them fail and nothing is changed; where it is one operation, that one alone fails and the
 * others are done, because they may belong to other players.
 */
export function performBatch<Operation, Answer>(
  store: {
    database: SqliteDatabase;
    path: string;
    isReading: (operation: Operation) => boolean;
    perform: (operation: Operation) => Answer;
  },
  operations: readonly Operation[],
): StoreResult<Answer>[] {
  try {
    return inTransaction(store, operations);
  } catch (error) {
    if (operations.length > 1 && !isTroubleOfFile(error)) return performSingly(store, operations);
    const reason = explainStoreError(store.path, error);
    const passes = mayPass(error) ? { passes: true } as const : {};
    return operations.map(() => ({ ok: false, reason, ...passes }));
  }
}

/** In order still: after one that may be tried again, none is done. */
function performSingly<Operation, Answer>(
  store: Parameters<typeof performBatch<Operation, Answer>>[0],
  operations: readonly Operation[],
): StoreResult<Answer>[] {
  let stopped: StoreResult<Answer> | undefined;
  return operations.flatMap((operation) => {
    const results = stopped === undefined ? performBatch(store, [operation]) : [stopped];
    const [result] = results;
    if (result?.ok === false && result.passes === true) stopped = result;
    return results;
  });
}

/** One line: which file, what is the matter with it. */
export function explainStoreError(path: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const kind = error instanceof SqliteError ? error.kind : "other";
  return `Cannot use database "${path}": ${explanations[kind] ?? message}`;
}

/** WAL, and FULL because NORMAL may lose the last commits on power loss. */
export function makeDurable(database: SqliteDatabase): void {
  database.exec("PRAGMA journal_mode = WAL");
  database.exec("PRAGMA synchronous = FULL");
}

/** A text that SQLite can hold: it knows no lone surrogates, and its functions end at a NUL. */
export function storableText(text: string): string {
  return text.toWellFormed().replaceAll("\u0000", "\ufffd");
}

/** What a column that should hold text holds; "" for NULL. Other programs may have written bytes. */
export function textOf(value: SqliteValue | undefined): string {
  if (value === null || value === undefined) return "";
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : String(value);
}

/** What a column that should hold a whole number holds; 0 for NULL and for what is none. */
export function numberOf(value: SqliteValue | undefined): number {
  if (value === null || value === undefined || value instanceof Uint8Array) return 0;
  const number = Number(value);
  return Number.isFinite(number) ? number : 0;
}

const explanations: Readonly<Partial<Record<SqliteError["kind"], string>>> = {
  busy: "another program holds it locked",
  corrupt: "it is damaged or not an SQLite database; it was left as it is",
  full: "the disk is full",
  readonly: "this user may not write it",
};

function isTroubleOfFile(error: unknown): boolean {
  return error instanceof SqliteError && error.kind !== "constraint" && error.kind !== "other";
}

/** A damaged file does not mend itself. */
function mayPass(error: unknown): boolean {
  return isTroubleOfFile(error) && (error as SqliteError).kind !== "corrupt";
}

function inTransaction<Operation, Answer>(
  store: {
    database: SqliteDatabase;
    isReading: (operation: Operation) => boolean;
    perform: (operation: Operation) => Answer;
  },
  operations: readonly Operation[],
): StoreResult<Answer>[] {
  const { database } = store;
  database.exec(operations.every(store.isReading) ? "BEGIN" : "BEGIN IMMEDIATE");
  try {
    const results = operations.map((operation): StoreResult<Answer> => ({
      ok: true,
      value: store.perform(operation),
    }));
    database.exec("COMMIT");
    return results;
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

/** Undoes the open transaction, if there still is one. */
export function rollBack(database: SqliteDatabase): void {
  try {
    database.exec("ROLLBACK");
  } catch {
    // SQLite has rolled back already: there is nothing to undo.
  }
}
