import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { SqliteError } from "../../ports/sqlite.ts";

/** The least that a database has (sqlite.org/fileformat.html §1.3.2). */
const PAGE_BYTES_MIN = 512;

/**
 * The path as SQLite gets it: absolute, so that no binding reads it as a `file:` URI with options.
 * `:memory:` stays. Throws SqliteError: `cannot_open` for a path that is none, `corrupt` for a file
 * that is too short to be a database. Longer ones SQLite refuses itself.
 */
export function databasePath(given: string): string {
  if (given === ":memory:") return given;
  if (given === "" || given.includes("\0")) {
    throw new SqliteError(
      "cannot_open",
      `Cannot open database ${JSON.stringify(given)}: it is not a path`,
    );
  }
  const path = resolve(given);
  if (isStump(path)) {
    throw new SqliteError("corrupt", `Cannot open database "${path}": file is not a database`);
  }
  return path;
}

/** What each connection starts with, the same on both runtimes; touches no file. */
export function databaseSettings(busyTimeoutMs: number): string {
  if (!Number.isSafeInteger(busyTimeoutMs) || busyTimeoutMs < 0) {
    throw new RangeError(`busyTimeoutMs must be a whole number from 0, got ${busyTimeoutMs}`);
  }
  return `PRAGMA busy_timeout=${busyTimeoutMs}; PRAGMA foreign_keys=ON;`;
}

/**
 * A file too short for one page: SQLite does not refuse it but overwrites it. Only its size is
 * looked at, because closing a file drops all locks that this process has on it (POSIX), also
 * those of a database that is open already.
 */
function isStump(path: string): boolean {
  // With a journal beside it, a crash may have cut off the first page: SQLite mends that.
  if (existsSync(`${path}-journal`)) return false;
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && found.isFile() && found.size > 0 && found.size < PAGE_BYTES_MIN;
}
