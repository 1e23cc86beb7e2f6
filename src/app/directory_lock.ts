import type { FilesPort } from "../ports/files.ts";
import type { ProcessPort } from "../ports/process.ts";
import { type SqliteDatabase, SqliteError, type SqlitePort } from "../ports/sqlite.ts";

/** The file that a running server holds locked in its data directory. */
export const lockFileName = "freekill-gw.lock";
/** Says who holds it, for the message of a second instance. */
const holderFileName = "freekill-gw.pid";

export type DirectoryLock =
  | { readonly ok: true; release(): Promise<void> }
  | { readonly ok: false; readonly reason: string };

/**
 * Keeps a second server out of a data directory. An SQLite file held exclusively: the system frees
 * that lock when the holder dies, however it dies, so there is no stale lock to remove by hand.
 */
export async function lockDirectory(
  parts: { sqlite: SqlitePort; files: FilesPort; process: ProcessPort; directory: string },
): Promise<DirectoryLock> {
  const { sqlite, files, process, directory } = parts;
  const holderPath = `${directory}/${holderFileName}`;
  let database: SqliteDatabase | undefined;
  try {
    database = sqlite.open({ path: `${directory}/${lockFileName}`, busyTimeoutMs: 0 });
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    database.exec("PRAGMA journal_mode = MEMORY");
    database.exec("BEGIN EXCLUSIVE");
    await files.replace(holderPath, new TextEncoder().encode(`${process.pid}\n`));
  } catch (error) {
    database?.close();
    if (error instanceof SqliteError && error.kind === "busy") {
      return { ok: false, reason: await describeHolder(files, holderPath, directory) };
    }
    if (error instanceof SqliteError && error.kind === "corrupt") {
      return {
        ok: false,
        reason:
          `Cannot use data directory "${directory}": its ${lockFileName} is not a lock of freekill-gw; remove that file`,
      };
    }
    return {
      ok: false,
      reason: `Cannot use data directory "${directory}": ${
        error instanceof Error ? error.message : String(error)
      }`,
    };
  }
  const held = database;
  return {
    ok: true,
    async release() {
      await files.remove(holderPath);
      held.close();
    },
  };
}

async function describeHolder(
  files: FilesPort,
  holderPath: string,
  directory: string,
): Promise<string> {
  let pid = "";
  try {
    const text = new TextDecoder().decode(await files.read(holderPath, { bytesMax: 64 }));
    pid = /^(\d+)\s*$/.exec(text)?.[1] ?? "";
  } catch {
    // The holder may be just starting or stopping; the message is complete without its number.
  }
  const who = pid === "" ? "another freekill-gw" : `another freekill-gw (process ${pid})`;
  return `Cannot use data directory "${directory}": ${who} is running in it; stop it first, or start in another directory`;
}
