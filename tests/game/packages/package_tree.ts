import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { SqlitePort } from "../../../src/ports/sqlite.ts";

/** What lies at a path: a file's text, or where a link leads. */
export type TreeEntry = string | { readonly link: string };

/** Writes files and links below `directory`, with the directories that they need. */
export async function writeTree(
  directory: string,
  entries: Readonly<Record<string, TreeEntry>>,
): Promise<void> {
  for (const [path, entry] of Object.entries(entries)) {
    const full = `${directory}/${path}`;
    await mkdir(dirname(full), { recursive: true });
    if (typeof entry === "string") await writeFile(full, entry);
    else await symlink(entry.link, full);
  }
}

/** Makes packages.db as the original server does, with these rows. */
export function writePackagesDb(
  sqlite: SqlitePort,
  directory: string,
  rows: readonly (readonly [name: string, url: string, hash: string, enabled: number])[],
): void {
  const path = `${directory}/packages/packages.db`;
  const database = sqlite.open({ path, busyTimeoutMs: 1_000 });
  database.exec(
    "CREATE TABLE packages (name VARCHAR(128), url VARCHAR(255), hash CHAR(40), enabled BOOLEAN)",
  );
  const insert = database.prepare("INSERT INTO packages VALUES (?, ?, ?, ?)");
  database.exec("BEGIN");
  for (const row of rows) insert.run(...row);
  database.exec("COMMIT");
  database.close();
}
