import { Database } from "bun:sqlite";
import { accessSync, constants } from "node:fs";
import type { SqliteDatabase, SqlitePort } from "../../ports/sqlite.ts";
import { sqliteDatabase, type SqliteDriver, sqliteError } from "../node/sqlite_database.ts";
import { databasePath, databaseSettings } from "../node/sqlite_path.ts";

/** SQLite through bun:sqlite. */
export function bunSqlite(): SqlitePort {
  const kept = new Set<SqliteDriver>();
  return { open: (options) => open(options, kept) };
}

function open(
  options: { path: string; readonly?: boolean; busyTimeoutMs: number },
  kept: Set<SqliteDriver>,
): SqliteDatabase {
  const path = databasePath(options.path, { isReadonly: options.readonly === true, isWritable });
  const native = (() => {
    try {
      return new Database(
        path,
        options.readonly === true
          ? { readonly: true, safeIntegers: true }
          : { readwrite: true, create: true, safeIntegers: true },
      );
    } catch (error) {
      throw sqliteError(path, error);
    }
  })();
  native.run(databaseSettings(options.busyTimeoutMs));
  return sqliteDatabase(path, {
    exec: (sql) => void native.run(sql),
    prepare: (sql) => native.prepare(sql),
    close: () => native.close(true),
  }, kept);
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    // Only whether is asked here, not why.
    return false;
  }
}
