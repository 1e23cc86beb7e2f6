import type { CryptoPort } from "../../ports/crypto.ts";
import { FileError, type FilesPort } from "../../ports/files.ts";
import type { GitIo } from "../../ports/git_io.ts";
import type { SqlitePort } from "../../ports/sqlite.ts";
import type { PackageEntry } from "../../wire/server_messages.ts";
import { explainStoreError } from "../accounts/store_batch.ts";
import { hashPackages, type KnownHashes } from "./package_md5.ts";
import { isForClients } from "./package_source.ts";
import { CORE_PACKAGE, packagesDbPath, readPackages } from "./packages_db.ts";

/** The list in the data directory, for operators to compare with a client's. */
export const LIST_FILE = "flist.txt";

/** Everybody may read it: it tells what every client is told. */
const LIST_MODE = 0o644;

/** For the log: the first ones show what is the matter. */
const TROUBLES_MAX = 20;

/** What the packages are at one time. */
export interface PackageFacts {
  /** What a client's must be: 32 hex digits. */
  readonly md5: string;
  /** For `UpdatePackage`: all enabled packages of packages.db that have an address which clients can
   * reach, in its order. */
  readonly updateList: readonly PackageEntry[];
  /** Names of packages that are disabled in packages.db; never the core's. */
  readonly disabled: readonly string[];
  /** Whether `packages/freekill-core` is there. */
  readonly hasCore: boolean;
  /** Length of the list that `md5` is the md5 of. */
  readonly listBytes: number;
  readonly files: { readonly lua: number; readonly qml: number; readonly js: number };
  /** How many files were read; the others had not changed since the last scan. */
  readonly filesRead: number;
  /** What is not as an operator would want it, one line each, and how many lines there were. */
  readonly troubles: readonly string[];
  readonly troubleCount: number;
}

export interface PackagesParts {
  readonly files: FilesPort;
  readonly crypto: Pick<CryptoPort, "md5">;
  readonly sqlite: SqlitePort;
  readonly git: GitIo;
}

/** A package that is in packages.db, in `packages/`, or in both. */
export interface ListedPackage {
  readonly name: string;
  /** "" when packages.db does not have it. */
  readonly url: string;
  readonly hash: string;
  readonly enabled: boolean;
  /** Whether its directory is there. */
  readonly isThere: boolean;
}

/**
 * Looks at the packages of a data directory and writes `flist.txt` unless that has the list already,
 * or there is neither.
 * Rejects with an Error whose message is one line.
 */
export async function scanPackages(
  parts: PackagesParts,
  where: { directory: string; now: number; known?: KnownHashes },
): Promise<{ facts: PackageFacts; known: KnownHashes }> {
  const { rows, troubles } = await explained(parts, where.directory, readPackages);
  const disabled = rows.filter((row) => !row.enabled).map(({ name }) => name);
  const scan = await hashPackages(parts, { ...where, disabled: new Set(disabled) });
  const enabled = rows.filter((row) => row.enabled);
  for (const { name } of enabled) {
    if (scan.directories.includes(name)) continue;
    troubles.push(`packages.db has ${JSON.stringify(name)} enabled, but packages/ lacks it`);
  }
  troubles.push(...scan.troubles, ...await writeList(parts.files, where.directory, scan.list));
  const updateList = enabled.filter(({ url }) => isForClients(url))
    .map(({ hash, name, url }) => ({ hash, name, url }));
  const facts = {
    md5: scan.md5,
    updateList,
    disabled,
    hasCore: scan.directories.includes(CORE_PACKAGE),
    listBytes: scan.listBytes,
    files: scan.files,
    filesRead: scan.filesRead,
    troubles: troubles.slice(0, TROUBLES_MAX),
    troubleCount: troubles.length,
  };
  return { facts, known: scan.known };
}

/** Those of packages.db in its order, then those that are only in `packages/`. Rejects with an
 * Error whose message is one line. */
export async function listPackages(
  parts: PackagesParts,
  directory: string,
): Promise<ListedPackage[]> {
  const { rows } = await explained(parts, directory, readPackages);
  const there = new Set(await directoriesIn(parts.files, `${directory}/packages`));
  const listed = rows.map((row) => ({ ...row, isThere: there.has(row.name) }));
  for (const { name } of rows) there.delete(name);
  const others = [...there].filter((name) => !name.endsWith(".disabled"))
    .map((name) => ({ name, url: "", hash: "", enabled: true, isThere: true }));
  return [...listed, ...others];
}

/** Calls what uses packages.db; its errors name the file and what is the matter. */
export async function explained<Value>(
  parts: PackagesParts,
  directory: string,
  call: (parts: PackagesParts & { directory: string }) => Promise<Value>,
): Promise<Value> {
  try {
    return await call({ ...parts, directory });
  } catch (cause) {
    if (cause instanceof FileError) throw cause;
    throw new Error(explainStoreError(packagesDbPath(directory), cause), { cause });
  }
}

async function directoriesIn(files: FilesPort, path: string): Promise<string[]> {
  if (await files.info(path) === undefined) return [];
  const names: string[] = [];
  for (const { name, kind } of await files.entries(path)) {
    if (kind === "file") continue;
    if (kind === "directory" || (await kindAt(files, `${path}/${name}`)) === "directory") {
      names.push(name);
    }
  }
  return names;
}

/** A link that leads in circles is an error to the files' port, and here just no directory. */
async function kindAt(files: FilesPort, path: string): Promise<string | undefined> {
  try {
    return (await files.info(path))?.kind;
  } catch (error) {
    if (error instanceof FileError) return undefined;
    throw error;
  }
}

/** A list that cannot be written is a trouble of the operator's, not of the players'. */
async function writeList(files: FilesPort, directory: string, list: string): Promise<string[]> {
  const path = `${directory}/${LIST_FILE}`;
  const bytes = new TextEncoder().encode(list);
  try {
    if (await hasBytes(files, path, bytes)) return [];
    // Nothing is put into the directory of a server that has no packages and never had.
    if (list === "" && await files.info(path) === undefined) return [];
    await files.replace(path, bytes, { mode: LIST_MODE });
    return [];
  } catch (error) {
    if (error instanceof FileError) return [error.message];
    throw error;
  }
}

async function hasBytes(files: FilesPort, path: string, wanted: Uint8Array): Promise<boolean> {
  const found = await files.info(path);
  if (found?.kind !== "file" || found.bytes !== wanted.length) return false;
  const bytes = await files.read(path, { bytesMax: wanted.length });
  return bytes.length === wanted.length && bytes.every((byte, i) => byte === wanted[i]);
}
