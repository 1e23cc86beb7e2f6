/** SQLite, synchronously: to be used in the store worker, never on a thread that serves sockets. */

/** Whole numbers come back as `number` while they are safe (±2^53−1), else as `bigint`. */
export type SqliteValue = null | number | bigint | string | Uint8Array;
export type SqliteRow = Record<string, SqliteValue>;

export interface SqliteStatement {
  /** `parameters` fill the `?` in order; a wrong count, or a value that is not a `SqliteValue`
   * (undefined, NaN, boolean, …), throws TypeError and runs nothing. */
  run(...parameters: SqliteValue[]): { changes: number };
  get(...parameters: SqliteValue[]): SqliteRow | undefined;
  all(...parameters: SqliteValue[]): SqliteRow[];
}

/** `kind` lets the owner say what to do: wait, free space, give up on the file. */
export class SqliteError extends Error {
  override readonly name = "SqliteError";
  readonly kind: "busy" | "corrupt" | "full" | "cannot_open" | "readonly" | "constraint" | "other";

  constructor(kind: SqliteError["kind"], message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

export interface SqliteDatabase {
  /** Runs statements without parameters. */
  exec(sql: string): void;
  /** Only anonymous `?` parameters; named or numbered ones throw TypeError. */
  prepare(sql: string): SqliteStatement;
  close(): void;
}

export interface SqlitePort {
  /**
   * Opens, or creates unless `readonly`. Throws SqliteError; a file that is not a database is
   * `corrupt` at the latest at the first statement, and is never overwritten. One that this user
   * may only read is refused as `readonly` unless that was asked for.
   */
  open(options: { path: string; readonly?: boolean; busyTimeoutMs: number }): SqliteDatabase;
}
