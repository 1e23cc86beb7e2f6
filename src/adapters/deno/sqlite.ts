import { DatabaseSync } from "node:sqlite";
import type { SqliteDatabase, SqlitePort } from "../../ports/sqlite.ts";
import { sqliteDatabase, type SqliteDriver, sqliteError } from "../node/sqlite_database.ts";
import { databasePath, databaseSettings } from "../node/sqlite_path.ts";

/** SQLite through node:sqlite, which Deno builds in. */
export function denoSqlite(): SqlitePort {
  const kept = new Set<SqliteDriver>();
  return { open: (options) => open(options, kept) };
}

function open(
  options: { path: string; readonly?: boolean; busyTimeoutMs: number },
  kept: Set<SqliteDriver>,
): SqliteDatabase {
  const path = databasePath(options.path);
  const native = (() => {
    try {
      return new DatabaseSync(path, {
        readOnly: options.readonly === true,
        // As bun:sqlite has it, so that a statement means the same on both.
        enableDoubleQuotedStringLiterals: true,
      });
    } catch (error) {
      throw sqliteError(path, error);
    }
  })();
  native.exec(databaseSettings(options.busyTimeoutMs));
  return sqliteDatabase(path, {
    exec: (sql) => native.exec(sql),
    prepare: (sql) => {
      const statement = native.prepare(sql);
      statement.setReadBigInts(true);
      return statement;
    },
    close: () => native.close(),
  }, kept);
}
