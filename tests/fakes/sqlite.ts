import type { SqlitePort } from "../../src/ports/sqlite.ts";

/** The SQLite of the runtime that runs the test. There is no fake: with `:memory:` the real one is
 * as quick, and does not differ from what the program meets. */
export async function sqliteHere(): Promise<SqlitePort> {
  if ("Bun" in globalThis) return (await import("../../src/adapters/bun/sqlite.ts")).bunSqlite();
  // Not a literal, so that the type checker of the one runtime does not read the other's files.
  const path: string = "../../src/adapters/deno/sqlite.ts";
  const adapter: { denoSqlite(): SqlitePort } = await import(path);
  return adapter.denoSqlite();
}
