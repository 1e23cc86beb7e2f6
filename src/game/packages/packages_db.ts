import { assert } from "../../base/assert.ts";
import type { FilesPort } from "../../ports/files.ts";
import { type SqliteDatabase, SqliteError, type SqlitePort } from "../../ports/sqlite.ts";
import { numberOf, rollBack, textOf } from "../accounts/store_batch.ts";

/** The rules themselves: no client plays without. */
export const CORE_PACKAGE = "freekill-core";

/** All go to each outdated client in one `UpdatePackage`: with the longest texts that is 1.4 MB.
 * Big servers have 200. */
const ROWS_MAX = 1_000;

const lengthsMax = { name: 128, url: 1_024, hash: 128 } as const;

/** Nothing that serves players waits for it; another program may be installing a package. */
const BUSY_TIMEOUT_MS = 5_000;

export interface PackageRow {
  /** Of its directory in `packages/`. */
  readonly name: string;
  /** Of its git repository. */
  readonly url: string;
  /** Of the commit that is there, 40 hex digits. */
  readonly hash: string;
  readonly enabled: boolean;
}

/** What becomes of a package; also what its journal says meanwhile. */
export type PackageChange =
  | { readonly kind: "put"; readonly name: string; readonly url: string; readonly hash: string }
  | { readonly kind: "remove"; readonly name: string };

export interface PackagesDbParts {
  readonly sqlite: SqlitePort;
  readonly files: Pick<FilesPort, "info">;
  /** The data directory. */
  readonly directory: string;
}

/** Where the table is. */
export function packagesDbPath(directory: string): string {
  return `${directory}/packages/packages.db`;
}

/** Whether a text can be a directory in `packages/`, and in the table. */
export function isPackageName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && name.length <= lengthsMax.name &&
    name.isWellFormed() && !/[/\\\p{Cc}]/u.test(name);
}

/**
 * The rows in their order, the first of each name; none where there is no file or no table, and
 * nothing is made. The core counts as enabled whatever is written. `troubles`: rows that were left
 * out, one line each. Rejects with SqliteError when the file cannot be used, and with RangeError
 * when it has too many rows.
 */
export async function readPackages(
  parts: PackagesDbParts,
): Promise<{ rows: PackageRow[]; troubles: string[] }> {
  const path = packagesDbPath(parts.directory);
  if (await parts.files.info(path) === undefined) return { rows: [], troubles: [] };
  const database = openForReading(parts.sqlite, path);
  try {
    return hasTable(database) ? readRows(database) : { rows: [], troubles: [] };
  } finally {
    database.close();
  }
}

/** Enables or disables a package that is in the table or, as `isThere` says, in `packages/`.
 * `changed`: whether it was otherwise before; the file is made only if something is to be kept. */
export async function writeEnabled(
  parts: PackagesDbParts,
  wanted: { name: string; enabled: boolean; isThere: boolean },
): Promise<{ ok: true; changed: boolean } | { ok: false; reason: string }> {
  const { name, enabled, isThere } = wanted;
  if (name === CORE_PACKAGE && !enabled) {
    return { ok: false, reason: `${CORE_PACKAGE} cannot be disabled: it is the game itself` };
  }
  const { rows } = await readPackages(parts);
  const row = rows.find((one) => one.name === name);
  if (row === undefined && !isThere) {
    return { ok: false, reason: `there is no package ${JSON.stringify(name)}` };
  }
  assert(isPackageName(name), "a package has the name of a directory");
  if ((row?.enabled ?? true) === enabled) return { ok: true, changed: false };
  const database = parts.sqlite.open({
    path: packagesDbPath(parts.directory),
    busyTimeoutMs: BUSY_TIMEOUT_MS,
  });
  try {
    write(database, { name, enabled });
  } finally {
    database.close();
  }
  return { ok: true, changed: true };
}

/** Writes what has become of a package: a new one is enabled, one that was there stays as it was.
 * On disk when it returns; throws SqliteError. */
export function recordChange(
  { sqlite, directory }: Omit<PackagesDbParts, "files">,
  change: PackageChange,
): void {
  const path = packagesDbPath(directory);
  const database = sqlite.open({ path, busyTimeoutMs: BUSY_TIMEOUT_MS });
  try {
    inTransaction(database, () => {
      const { name } = change;
      if (change.kind === "remove") {
        database.prepare("DELETE FROM packages WHERE name = ?").run(name);
        return;
      }
      const { url, hash } = change;
      const { changes } = database.prepare("UPDATE packages SET url = ?, hash = ? WHERE name = ?")
        .run(url, hash, name);
      if (changes === 0) {
        database.prepare("INSERT INTO packages (name, url, hash, enabled) VALUES (?, ?, ?, 1)")
          .run(name, url, hash);
      }
    });
  } finally {
    database.close();
  }
}

/** Not only for reading where that is possible: what a crash has left half done is undone then. */
function openForReading(sqlite: SqlitePort, path: string): SqliteDatabase {
  try {
    return sqlite.open({ path, busyTimeoutMs: BUSY_TIMEOUT_MS });
  } catch (error) {
    if (!(error instanceof SqliteError) || error.kind !== "readonly") throw error;
    return sqlite.open({ path, readonly: true, busyTimeoutMs: BUSY_TIMEOUT_MS });
  }
}

function hasTable(database: SqliteDatabase): boolean {
  const sql = "SELECT 1 AS found FROM sqlite_master WHERE name = 'packages'";
  return database.prepare(sql).get() !== undefined;
}

function readRows(database: SqliteDatabase): { rows: PackageRow[]; troubles: string[] } {
  const sql = "SELECT name, url, hash, enabled FROM packages ORDER BY rowid LIMIT ?";
  const found = database.prepare(sql).all(ROWS_MAX + 1);
  if (found.length > ROWS_MAX) {
    throw new RangeError(`its table packages has over ${ROWS_MAX} rows`);
  }
  const rows = new Map<string, PackageRow>();
  const troubles: string[] = [];
  for (const values of found) {
    const name = textOf(values["name"]);
    const url = textOf(values["url"]);
    const hash = textOf(values["hash"]);
    if (!isPackageName(name) || url.length > lengthsMax.url || hash.length > lengthsMax.hash) {
      const shown = JSON.stringify(name.slice(0, lengthsMax.name));
      troubles.push(`packages.db has an unusable row for ${shown}, which is left out`);
      continue;
    }
    if (rows.has(name)) continue;
    const enabled = name === CORE_PACKAGE || numberOf(values["enabled"]) !== 0;
    rows.set(name, { name, url, hash, enabled });
  }
  return { rows: [...rows.values()], troubles };
}

function write(database: SqliteDatabase, { name, enabled }: { name: string; enabled: boolean }) {
  inTransaction(database, () => {
    const value = enabled ? 1 : 0;
    const { changes } = database.prepare("UPDATE packages SET enabled = ? WHERE name = ?")
      .run(value, name);
    if (changes === 0) {
      database.prepare("INSERT INTO packages (name, url, hash, enabled) VALUES (?, '', '', ?)")
        .run(name, value);
    }
  });
}

/** With the table, made when it is missing; undone when `call` throws. */
function inTransaction(database: SqliteDatabase, call: () => void): void {
  database.exec("PRAGMA synchronous = FULL");
  database.exec("BEGIN IMMEDIATE");
  try {
    database.exec(
      "CREATE TABLE IF NOT EXISTS packages (name VARCHAR(128), url VARCHAR(255), hash CHAR(40), enabled BOOLEAN)",
    );
    call();
    database.exec("COMMIT");
  } catch (error) {
    rollBack(database);
    throw error;
  }
}
