import { Buffer } from "node:buffer";
import { DatabaseSync } from "node:sqlite";
import type { SqliteDatabase, SqlitePort } from "../../ports/sqlite.ts";
import { sqliteDatabase, type SqliteDriver, sqliteError } from "../node/sqlite_database.ts";
import { firstLibrary } from "../node/c_library.ts";
import { databasePath, databaseSettings } from "../node/sqlite_path.ts";

/** SQLite through node:sqlite, which Deno builds in. */
export function denoSqlite(): SqlitePort {
  const kept = new Set<SqliteDriver>();
  let access: ((path: string) => boolean) | undefined;
  // Loaded for the first database, and taken as writable where foreign functions are not allowed.
  const isWritable = (path: string) => (access ??= firstLibrary(loadAccess) ?? (() => true))(path);
  return { open: (options) => open(options, kept, isWritable) };
}

function open(
  options: { path: string; readonly?: boolean; busyTimeoutMs: number },
  kept: Set<SqliteDriver>,
  isWritable: (path: string) => boolean,
): SqliteDatabase {
  const path = databasePath(options.path, { isReadonly: options.readonly === true, isWritable });
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

/** access(2). Deno's own looks at the mode alone: not at groups, root or read-only file systems. */
function loadAccess(library: string): (path: string) => boolean {
  const W_OK = 2;
  const { symbols } = Deno.dlopen(library, {
    access: { parameters: ["buffer", "i32"], result: "i32" },
  });
  return (path) => symbols.access(Buffer.from(`${path}\0`), W_OK) === 0;
}
