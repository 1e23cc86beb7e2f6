import type { CryptoPort } from "../../ports/crypto.ts";
import { FileError } from "../../ports/files.ts";
import { findSources, type PackageFiles, type SourceFile, sourceKinds } from "./package_walk.ts";

/** What a source counts as that cannot be read. */
export const UNREADABLE_MD5 = "0".repeat(32);

/** The largest source of the core has 200 KB; more is no source, and would fill the memory. */
const FILE_BYTES_MAX = 64 * 1_024 * 1_024;

/** Files that are read at once: disks and the runtimes' pools answer a few at a time. */
const READS_MAX = 8;

/** A file that changed so shortly before is hashed again the next time: clocks of file systems
 * tick in steps of up to 2 s, within which a further change would not show. */
const SETTLED_MS = 2_000;

/** md5 of sources by their paths, as of the time in `stamp`. */
export type KnownHashes = ReadonlyMap<string, { readonly stamp: string; readonly md5: string }>;

export interface PackagesMd5 {
  /** What clients must have: 32 hex digits. */
  readonly md5: string;
  /** `path=md5;` of all lua, then all qml, then all js files: what `md5` is the md5 of. */
  readonly list: string;
  readonly listBytes: number;
  readonly files: { readonly lua: number; readonly qml: number; readonly js: number };
  /** How many files were read; the others had not changed since `known`. */
  readonly filesRead: number;
  /** For the next time. */
  readonly known: KnownHashes;
  /** Names of all directories in `packages/`. */
  readonly directories: readonly string[];
  /** What counts as empty or as zeros, one line each. */
  readonly troubles: readonly string[];
}

/**
 * The md5 of the packages in `directory`/packages, as clients compute theirs: over each file's md5
 * with CRLF turned into LF (a lone CR stays), 32 zeros for one that cannot be read. `now` in epoch
 * milliseconds by the clock of the file system. Rejects as `findSources` does.
 */
export async function hashPackages(
  parts: { files: PackageFiles; crypto: Pick<CryptoPort, "md5"> },
  where: {
    directory: string;
    disabled: ReadonlySet<string>;
    now: number;
    known?: KnownHashes;
  },
): Promise<PackagesMd5> {
  const { directories, sources, troubles } = await findSources(parts.files, where);
  const all = sourceKinds.flatMap((kind) => sources[kind]);
  const hashes = new Hashes(parts, where);
  const digests = await hashes.all(all);
  const list = all.map(({ path }, i) => `${path}=${digests[i]};`).join("");
  const bytes = new TextEncoder().encode(list);
  return {
    md5: hex(parts.crypto.md5(bytes)),
    list,
    listBytes: bytes.length,
    files: { lua: sources.lua.length, qml: sources.qml.length, js: sources.js.length },
    filesRead: hashes.filesRead,
    known: hashes.known,
    directories,
    troubles: [...troubles, ...hashes.troubles],
  };
}

class Hashes {
  readonly known = new Map<string, { stamp: string; md5: string }>();
  readonly troubles: string[] = [];
  filesRead = 0;
  readonly #parts: { files: PackageFiles; crypto: Pick<CryptoPort, "md5"> };
  readonly #where: { directory: string; now: number; known?: KnownHashes };

  constructor(
    parts: { files: PackageFiles; crypto: Pick<CryptoPort, "md5"> },
    where: { directory: string; now: number; known?: KnownHashes },
  ) {
    this.#parts = parts;
    this.#where = where;
  }

  /** One for each source, in their order. */
  async all(sources: readonly SourceFile[]): Promise<string[]> {
    const digests: string[] = [];
    let next = 0;
    const lane = async () => {
      while (next < sources.length) {
        const index = next++;
        digests[index] = await this.#digest(sources[index]!);
      }
    };
    await Promise.all(Array.from({ length: READS_MAX }, lane));
    return digests;
  }

  async #digest({ path, isRegular }: SourceFile): Promise<string> {
    if (!isRegular) return UNREADABLE_MD5;
    const full = `${this.#where.directory}/${path}`;
    try {
      // Before the reading: a change in between makes the next stamp another one.
      const found = await this.#parts.files.info(full);
      if (found?.kind !== "file") return this.#unreadable(path, "there is no such file any more");
      const stamp = `${found.bytes} ${found.modifiedMs} ${found.changedMs}`;
      const before = this.#where.known?.get(path);
      const md5 = before?.stamp === stamp ? before.md5 : await this.#read(full);
      const changed = Math.max(found.changedMs, found.modifiedMs);
      if (changed < this.#where.now - SETTLED_MS) this.known.set(path, { stamp, md5 });
      return md5;
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      return this.#unreadable(path, error.code);
    }
  }

  async #read(path: string): Promise<string> {
    const bytes = await this.#parts.files.read(path, { bytesMax: FILE_BYTES_MAX });
    this.filesRead++;
    return hex(this.#parts.crypto.md5(withLineFeeds(bytes)));
  }

  #unreadable(path: string, why: string): string {
    this.troubles.push(`"${path}" cannot be read and counts as zeros: ${why}`);
    return UNREADABLE_MD5;
  }
}

/** CRLF turned into LF; the same bytes when there is none. */
export function withLineFeeds(bytes: Uint8Array): Uint8Array {
  let from = bytes.indexOf(CR);
  if (from < 0) return bytes;
  const out = new Uint8Array(bytes.length);
  out.set(bytes.subarray(0, from));
  let length = from;
  for (; from < bytes.length; from++) {
    if (bytes[from] !== CR || bytes[from + 1] !== LF) out[length++] = bytes[from]!;
  }
  return out.subarray(0, length);
}

const CR = 13;
const LF = 10;

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
