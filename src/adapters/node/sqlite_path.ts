import { closeSync, existsSync, openSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { SqliteError } from "../../ports/sqlite.ts";
import { fileError } from "./file_error.ts";

/** The least that a database has (sqlite.org/fileformat.html §1.3.2). */
const PAGE_BYTES_MIN = 512;

/**
 * The path as SQLite gets it: absolute, so that no binding reads it as a `file:` URI with options.
 * `:memory:` stays. Throws SqliteError: `cannot_open` for a path that is none or where none can be
 * made, `corrupt` for a file that is too short to be a database (longer ones SQLite refuses
 * itself), and unless `isReadonly`, `readonly` for one that may not be written, as `isWritable`,
 * which is access(2), tells.
 */
export function databasePath(
  given: string,
  parts: { isReadonly: boolean; isWritable: (path: string) => boolean },
): string {
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
  if (!parts.isReadonly) refuseUnwritable(path, parts.isWritable);
  return path;
}

/** SQLite itself opens a file that it may not write for reading, and says so only at a write; even
 * an exclusive transaction succeeds and locks nothing. A side file counts as the database. */
function refuseUnwritable(path: string, isWritable: (path: string) => boolean): void {
  if (!existsSync(path)) {
    // An empty file is a new database to SQLite, whose own error would not tell the cause.
    attempt("cannot_open", "create database", path, () => closeSync(openSync(path, "ax", 0o644)));
    return;
  }
  for (const file of [path, `${path}-wal`, `${path}-shm`, `${path}-journal`]) {
    if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true || isWritable(file)) continue;
    // Opened only where that fails, to have the cause: closing would drop this process's locks.
    attempt("readonly", "write database", file, () => closeSync(openSync(file, "r+")));
  }
}

function attempt(kind: SqliteError["kind"], verb: string, path: string, call: () => void): void {
  try {
    call();
  } catch (error) {
    throw new SqliteError(kind, fileError(verb, path, error).message, error);
  }
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
