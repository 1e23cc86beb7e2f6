import {
  type SqliteDatabase,
  SqliteError,
  type SqliteRow,
  type SqliteStatement,
  type SqliteValue,
} from "../../ports/sqlite.ts";
import { bindable, hasStatement, refuseNul, scanStatement } from "./sqlite_parameters.ts";

/** What differs between the SQLite bindings of the runtimes. Whole numbers pass as bigint. */
export interface SqliteDriver {
  exec(sql: string): void;
  prepare(sql: string): SqliteDriverStatement;
  close(): void;
}

export interface SqliteDriverStatement {
  run(...parameters: SqliteValue[]): { changes: number | bigint };
  get(...parameters: SqliteValue[]): unknown;
  all(...parameters: SqliteValue[]): unknown[];
  /** Where the binding has it; else closing the database ends its statements. */
  finalize?(): void;
}

/** A database keeps each statement until it closes. So many different texts mean that values are
 * pasted into SQL instead of being bound. */
const STATEMENTS_MAX = 1_000;

/**
 * The database port on top of a binding: one behaviour for all. Preparing the same text again gives
 * the same statement. Name the columns in statements that are kept: what `SELECT *` gives after an
 * ALTER TABLE differs between bindings. Text that holds a NUL character can only come from other
 * programs; node:sqlite reads it up to there.
 *
 * `kept` holds the driver until `close()`: a binding closes a database that nobody refers to, and
 * its locks would be gone without a word.
 */
export function sqliteDatabase(
  path: string,
  driver: SqliteDriver,
  kept: Set<SqliteDriver>,
): SqliteDatabase {
  const statements = new Map<string, { shell: SqliteStatement; native: SqliteDriverStatement }>();
  let open = true;
  kept.add(driver);

  function attempt<T>(call: () => T): T {
    if (!open) throw new SqliteError("other", `SQLite database "${path}": it is closed`);
    try {
      return call();
    } catch (error) {
      throw sqliteError(path, error);
    }
  }

  function prepare(sql: string): SqliteStatement {
    const known = statements.get(sql);
    if (known !== undefined && open) return known.shell;
    const facts = scanStatement(sql);
    if (statements.size >= STATEMENTS_MAX) {
      throw new Error(
        `SQLite database "${path}": over ${STATEMENTS_MAX} different statements were prepared, bind values with ? instead`,
      );
    }
    const native = attempt(() => driver.prepare(sql));
    const bind = (parameters: readonly SqliteValue[]) => bindable(parameters, facts.parameterCount);
    const shell: SqliteStatement = {
      run(...parameters) {
        const bound = bind(parameters);
        const { changes } = attempt(() => native.run(...bound));
        return { changes: facts.changesRows ? Number(changes) : 0 };
      },
      get(...parameters) {
        const bound = bind(parameters);
        const row = attempt(() => native.get(...bound));
        return row === undefined || row === null ? undefined : plainRow(row);
      },
      all(...parameters) {
        const bound = bind(parameters);
        return attempt(() => native.all(...bound)).map(plainRow);
      },
    };
    statements.set(sql, { shell, native });
    return shell;
  }

  return {
    exec(sql) {
      refuseNul(sql);
      attempt(() => {
        if (hasStatement(sql)) driver.exec(sql);
      });
    },
    prepare,
    close() {
      if (!open) return;
      for (const { native } of statements.values()) native.finalize?.();
      statements.clear();
      try {
        attempt(() => driver.close());
      } finally {
        open = false;
        kept.delete(driver);
      }
    },
  };
}

/** A binding's failure as the port's: by SQLite's result code, or by its text where the binding
 * gives no code (node:sqlite's `exec`; texts of sqlite3_errstr). */
export function sqliteError(path: string, cause: unknown): SqliteError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const kind = kindByCode(resultCode(cause)) ?? kindByText(text) ?? "other";
  return new SqliteError(kind, `SQLite database "${path}": ${text}`, cause);
}

/** An object of the caller's own; safe integers as numbers. */
function plainRow(found: unknown): SqliteRow {
  const row = { ...(found as SqliteRow) };
  for (const name in row) {
    const value = row[name];
    if (typeof value !== "bigint") continue;
    const number = Number(value);
    if (Number.isSafeInteger(number)) row[name] = number;
  }
  return row;
}

function resultCode(cause: unknown): number | undefined {
  if (typeof cause !== "object" || cause === null) return undefined;
  if ("errcode" in cause && typeof cause.errcode === "number") return cause.errcode;
  if ("errno" in cause && typeof cause.errno === "number") return cause.errno;
  return undefined;
}

/** The low byte is the primary result code (sqlite.org/rescode.html). */
function kindByCode(code: number | undefined): SqliteError["kind"] | undefined {
  switch (code === undefined ? undefined : code & 0xff) {
    case 5: // SQLITE_BUSY
    case 6: // SQLITE_LOCKED
      return "busy";
    case 11: // SQLITE_CORRUPT
    case 26: // SQLITE_NOTADB
      return "corrupt";
    case 13: // SQLITE_FULL
      return "full";
    case 14: // SQLITE_CANTOPEN
      return "cannot_open";
    case 8: // SQLITE_READONLY
      return "readonly";
    case 19: // SQLITE_CONSTRAINT
      return "constraint";
    default:
      return undefined;
  }
}

function kindByText(text: string): SqliteError["kind"] | undefined {
  for (const [part, kind] of kindsByText) if (text.includes(part)) return kind;
  return undefined;
}

const kindsByText: readonly (readonly [string, SqliteError["kind"]])[] = [
  ["is locked", "busy"],
  ["file is not a database", "corrupt"],
  ["disk image is malformed", "corrupt"],
  ["malformed database schema", "corrupt"],
  ["database or disk is full", "full"],
  ["unable to open database", "cannot_open"],
  ["readonly database", "readonly"],
  ["constraint failed", "constraint"],
];
