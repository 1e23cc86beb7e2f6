import { type SqliteDatabase, SqliteError, type SqlitePort } from "../ports/sqlite.ts";

/**
 * Keeps a second watchdog away from the same files: an SQLite file held exclusively, which the
 * kernel lets go of however this process ends. Returns undefined when another one has it; throws
 * SqliteError when the file cannot be had at all. The lock lasts until it is closed.
 */
export function takeInstanceLock(
  sqlite: SqlitePort,
  path: string,
): { release(): void } | undefined {
  let database: SqliteDatabase | undefined;
  try {
    database = sqlite.open({ path, busyTimeoutMs: 0 });
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    // Else a journal file would lie beside it.
    database.exec("PRAGMA journal_mode = MEMORY");
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    if (error instanceof SqliteError && error.kind === "busy") return undefined;
    throw error;
  }
  const held = database;
  return { release: () => held.close() };
}
