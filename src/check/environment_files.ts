import type { Settings } from "../config/settings.ts";
import { FileError } from "../ports/files.ts";
import type { Runtime } from "../ports/runtime.ts";
import { SqliteError } from "../ports/sqlite.ts";
import type { EnvironmentParts, Finding } from "./environment.ts";
import { reasonOf, show } from "./probe_failure.ts";
import { temporaryDirectory } from "./workspace.ts";

/** A database is copied through memory; state and routes fill a few megabytes. */
const copyBytesMax = 256 << 20;

/** A writer holds the file for milliseconds; more is somebody who keeps it locked. */
const busyTimeoutMs = 1_000;

/** Room that a directory must have: an empty file can be made on a full disk too. */
const trialBytes = 65_536;

/** Where the game's rules are looked for, relative to the working directory. */
const gameCorePath = "packages/freekill-core";

/** Whether every directory that will be written to can be, and whether another server is in it. */
export async function checkDirectories(parts: EnvironmentParts): Promise<Finding[]> {
  const { runtime, settings, lockPath } = parts;
  const uses = new Map<string, string[]>([[".", ["data directory"]]]);
  for (const [key, path] of writtenFiles(settings)) {
    if (path === "") continue;
    const directory = directoryOf(path);
    uses.set(directory, [...uses.get(directory) ?? [], key]);
  }
  const findings = await Promise.all(
    [...uses].map(([directory, keys]) => tryDirectory(runtime, directory, keys)),
  );
  return [...findings, ...await checkLock(runtime, lockPath)];
}

/** Whether the database opens and is whole; it is never written to, made or mended. */
export async function checkDatabase(runtime: Runtime, path: string): Promise<Finding[]> {
  const name = "database";
  const fail = (found: string, advice: string): Finding[] => [
    { name, status: "failed", found, advice },
  ];
  try {
    const info = await runtime.files.info(path);
    if (info === undefined) {
      return [{ name, status: "ok", found: `"${path}" will be made by serve`, advice: "" }];
    }
    if (info.kind !== "file") return fail(`"${path}" is a ${info.kind}`, "set another db_path");
    tryWritable(runtime, path);
    if (await isOpenElsewhere(runtime, path)) {
      // Both side files are there, so opening it read-only makes none.
      return checkIntegrity(runtime, path, { openPath: path, readonly: true });
    }
    if (info.bytes > copyBytesMax) {
      const found = `"${path}" has ${info.bytes} bytes, too many to be checked beforehand`;
      return [{ name, status: "note", found, advice: "serve checks it at its start" }];
    }
    return await checkCopy(runtime, path);
  } catch (error) {
    if (error instanceof SqliteError) return fail(error.message, advise(error));
    if (error instanceof FileError) return fail(error.message, "give this user access to it");
    throw error;
  }
}

/** Whether the game's rules are installed; a server runs without them too. */
export async function checkPackages(runtime: Runtime): Promise<Finding[]> {
  const name = "packages";
  const found = await runtime.files.info(gameCorePath);
  return found?.kind === "directory"
    ? [{ name, status: "ok", found: `${gameCorePath} is there`, advice: "" }]
    : [{
      name,
      status: "note",
      found: `${gameCorePath} is not there: the built-in game is played`,
      advice: "Qt clients need it: freekill-gw packages install <its address>",
    }];
}

function writtenFiles(settings: Settings): [key: string, path: string][] {
  const { watchdog } = settings;
  return [
    ["db_path", settings.db_path],
    ["log.file", settings.log.file],
    ["watchdog.status_path", watchdog.status_path],
    ["watchdog.event_log_path", watchdog.event_log_path],
    ["watchdog.stdout_log_path", watchdog.stdout_log_path],
    ["watchdog.stderr_log_path", watchdog.stderr_log_path],
  ];
}

async function tryDirectory(
  runtime: Runtime,
  directory: string,
  keys: readonly string[],
): Promise<Finding> {
  const name = "directory";
  const use = `"${directory}" (${keys.join(", ")})`;
  try {
    const existing = await nearestExisting(runtime, directory);
    const probe = `${existing}/.freekill-gw-check-${runtime.random.uuid()}`;
    const file = await runtime.files.openAppend(probe);
    try {
      try {
        await file.append(new Uint8Array(trialBytes));
        await file.dataSync();
      } finally {
        await file.close();
      }
    } finally {
      await runtime.files.remove(probe);
    }
    const made = existing === directory ? "" : ", will be made";
    return { name, status: "ok", found: `${use} is writable${made}`, advice: "" };
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    const found = `${use} cannot be written to: ${error.message}`;
    const advice = error.code === "ENOSPC" || error.code === "EDQUOT"
      ? "free some space there, or set another path"
      : "give this user the right to write there, or set another path";
    return { name, status: "failed", found, advice };
  }
}

async function nearestExisting(runtime: Runtime, directory: string): Promise<string> {
  for (let path = directory;; path = directoryOf(path)) {
    if (path === "." || /^([A-Za-z]:)?\/?$/.test(path)) return path;
    if (await runtime.files.info(path) !== undefined) return path;
  }
}

/** The part before the last slash; `.` and `/` are their own. */
function directoryOf(path: string): string {
  const end = path.replace(/[\\/]+$/, "").search(/[\\/][^\\/]*$/);
  return end < 0 ? "." : end === 0 ? "/" : path.slice(0, end);
}

/** Whether a server runs here: it holds this file locked as long as it does. */
export async function checkLock(runtime: Runtime, path: string): Promise<Finding[]> {
  const name = "instance";
  if (await runtime.files.info(path) === undefined) return [];
  try {
    const database = runtime.sqlite.open({ path, readonly: true, busyTimeoutMs: 0 });
    try {
      database.prepare("SELECT count(*) FROM sqlite_master").get();
    } finally {
      database.close();
    }
    tryWritable(runtime, path);
    return [{ name, status: "ok", found: "no other server runs in this directory", advice: "" }];
  } catch (error) {
    if (!(error instanceof SqliteError)) throw error;
    const isHeld = error.kind === "busy";
    return [{
      name,
      status: "failed",
      found: isHeld ? "a server runs in this directory" : error.message,
      advice: isHeld
        ? "stop it first, or use check --live for it"
        : `remove "${path}", or give this user the right to write it`,
    }];
  }
}

/** Opening alone reads and changes nothing, but refuses a file that may only be read. */
function tryWritable(runtime: Runtime, path: string): void {
  runtime.sqlite.open({ path, busyTimeoutMs: 0 }).close();
}

/** SQLite in WAL mode keeps both side files while a database is open, and after a kill -9. */
async function isOpenElsewhere(runtime: Runtime, path: string): Promise<boolean> {
  const sides = await Promise.all(["-wal", "-shm"].map((end) => runtime.files.info(path + end)));
  return sides.every((side) => side !== undefined);
}

/** Opening a database in WAL mode leaves files beside it, perhaps of another owner than the
 * server's, so the check works on a copy. */
async function checkCopy(runtime: Runtime, path: string): Promise<Finding[]> {
  const { files } = runtime;
  const directory = `${temporaryDirectory(runtime)}/freekill-gw-check-${runtime.random.uuid()}`;
  await files.makeDirectory(directory, { mode: 0o700 });
  try {
    const copy = `${directory}/copy.sqlite`;
    for (const end of ["", "-wal", "-journal"]) {
      if (await files.info(path + end) === undefined) continue;
      await files.replace(copy + end, await files.read(path + end, { bytesMax: copyBytesMax }));
    }
    return checkIntegrity(runtime, path, { openPath: copy, readonly: false });
  } finally {
    await files.remove(directory);
  }
}

function checkIntegrity(
  runtime: Runtime,
  path: string,
  { openPath, readonly }: { openPath: string; readonly: boolean },
): Finding[] {
  const database = runtime.sqlite.open({ path: openPath, readonly, busyTimeoutMs });
  try {
    const [first] = database.prepare("PRAGMA integrity_check(1)").all();
    const verdict = Object.values(first ?? {})[0];
    if (verdict === "ok") {
      return [{ name: "database", status: "ok", found: `"${path}" is whole`, advice: "" }];
    }
    throw new SqliteError("corrupt", `integrity_check says ${show(verdict)}`);
  } catch (error) {
    if (!(error instanceof SqliteError)) throw error;
    const found = `"${path}": ${reasonOf(error).replaceAll(openPath, path)}`;
    return [{ name: "database", status: "failed", found, advice: advise(error) }];
  } finally {
    database.close();
  }
}

function advise(error: SqliteError): string {
  switch (error.kind) {
    case "busy":
      return "another program keeps it locked: stop that one";
    case "corrupt":
      return "the file was left as it is: restore a backup, or move it away to start anew";
    case "cannot_open":
    case "readonly":
      return "give this user the right to read and write it";
    default:
      return "look at the file with the sqlite3 program";
  }
}
