import { FileError, type FilesPort } from "../../ports/files.ts";

/** What of the files' port is needed to look at packages. */
export type PackageFiles = Pick<FilesPort, "entries" | "info" | "read" | "realPath">;

/** A scan that would pass one of these fails instead: a wrong md5 would lock all players out. */
export const walkLimits = {
  /** Names of all kinds: a core has 460, a hundred packages with sounds and git objects 200,000. */
  entriesMax: 1_000_000,
  /** Sources: a core has 422, a hundred packages some 20,000. */
  filesMax: 100_000,
  /** Directories in each other, from `packages/` on; a core has 7. */
  depthMax: 64,
} as const;

/** Directories that older clients have in `packages/` themselves; inside a package they count. */
const builtIn: readonly string[] = ["standard", "standard_cards", "maneuvering", "test"];

export const sourceKinds = ["lua", "qml", "js"] as const;
export type SourceKind = typeof sourceKinds[number];

export interface SourceFile {
  /** From `packages/` on. */
  readonly path: string;
  /** Not so for a link that leads nowhere, in circles or out of its package, a pipe, a device. */
  readonly isRegular: boolean;
}

export interface PackageSources {
  /** Names of all directories in `packages/`, in byte order. */
  readonly directories: readonly string[];
  /** What counts for the md5, in its order. */
  readonly sources: Readonly<Record<SourceKind, readonly SourceFile[]>>;
  /** What could not be followed, one line each. */
  readonly troubles: readonly string[];
}

/**
 * Finds the sources of the packages in `directory`/packages: directory by directory in byte order,
 * those inside in their place. `disabled` packages, names that end in `.disabled` and the four
 * built-in names are left out, all of them only directly in `packages/`.
 *
 * Links directly in `packages/` are the operator's and are followed; inside a package, which comes
 * from strangers, they are followed within that package and within `packages/`. Rejects with
 * FileError when `packages/` cannot be listed, and with RangeError beyond `walkLimits`; no
 * `packages/` is no packages.
 */
export async function findSources(
  files: PackageFiles,
  where: { directory: string; disabled: ReadonlySet<string> },
): Promise<PackageSources> {
  const walk = new Walk(files, where.directory);
  const root = `${where.directory}/packages`;
  const realRoot = await files.realPath(root);
  if (realRoot === undefined) return walk;
  for (const { name, kind } of await files.entries(root)) {
    const real = kind === "file" ? undefined : await walk.directoryAt(`${root}/${name}`);
    if (real === undefined) continue;
    walk.directories.push(name);
    const isLeftOut = name.endsWith(".disabled") || where.disabled.has(name) ||
      builtIn.includes(name);
    if (isLeftOut) continue;
    await walk.enter({ path: `packages/${name}`, chain: [real], homes: [realRoot, real] });
  }
  return walk;
}

interface Place {
  /** From `packages/` on. */
  readonly path: string;
  /** The real paths of this directory and of those that led to it, this one last. */
  readonly chain: readonly string[];
  /** Real paths of the directories that links may lead into. */
  readonly homes: readonly string[];
}

class Walk implements PackageSources {
  readonly directories: string[] = [];
  readonly sources: Record<SourceKind, SourceFile[]> = { lua: [], qml: [], js: [] };
  readonly troubles: string[] = [];
  readonly #files: PackageFiles;
  readonly #directory: string;
  #entries = 0;
  #count = 0;

  constructor(files: PackageFiles, directory: string) {
    this.#files = files;
    this.#directory = directory;
  }

  /** The real path of a directory; undefined for all else. */
  async directoryAt(path: string): Promise<string | undefined> {
    const found = await orUndefined(this.#files.info(path));
    return found?.kind === "directory" ? await orUndefined(this.#files.realPath(path)) : undefined;
  }

  async enter(place: Place): Promise<void> {
    const { path, chain } = place;
    if (chain.length >= walkLimits.depthMax) {
      const found = `its directories are over ${walkLimits.depthMax} deep`;
      throw new RangeError(`Cannot scan "${path}": ${found}`);
    }
    const entries = await orUndefined(this.#files.entries(`${this.#directory}/${path}`));
    if (entries === undefined) {
      this.troubles.push(`"${path}" cannot be listed and counts as empty`);
      return;
    }
    this.#entries += entries.length;
    if (this.#entries > walkLimits.entriesMax) {
      throw new RangeError(`Cannot scan packages: they have over ${walkLimits.entriesMax} files`);
    }
    for (const { name, kind } of entries) {
      const inside = `${path}/${name}`;
      if (kind === "file") this.#take(inside, true);
      else if (kind !== "directory") await this.#follow(place, inside);
      else {await this.enter({
          ...place,
          path: inside,
          chain: [...chain, `${chain.at(-1)}/${name}`],
        });}
    }
  }

  async #follow(place: Place, path: string): Promise<void> {
    const full = `${this.#directory}/${path}`;
    const target = await orUndefined(this.#files.realPath(full));
    if (target === undefined) return this.#refuse(path, "leads nowhere");
    if (!place.homes.some((home) => target === home || target.startsWith(`${home}/`))) {
      return this.#refuse(path, "leads out of its package");
    }
    const found = await orUndefined(this.#files.info(full));
    if (found?.kind === "file") return this.#take(path, true);
    if (found?.kind !== "directory") return this.#refuse(path, "is no regular file");
    if (place.chain.includes(target)) return this.#refuse(path, "leads in circles");
    await this.enter({ ...place, path, chain: [...place.chain, target] });
  }

  #refuse(path: string, why: string): void {
    this.troubles.push(`"${path}" ${why} and is not followed`);
    this.#take(path, false);
  }

  #take(path: string, isRegular: boolean): void {
    const kind = sourceKinds.find((one) => path.endsWith(`.${one}`));
    if (kind === undefined) return;
    if (++this.#count > walkLimits.filesMax) {
      const most = `over ${walkLimits.filesMax} Lua, QML and JavaScript files`;
      throw new RangeError(`Cannot scan packages: they have ${most}`);
    }
    this.sources[kind].push({ path, isRegular });
  }
}

/** What may have gone, or may not be read, is no failure of the scan. */
async function orUndefined<Value>(call: Promise<Value>): Promise<Value | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof FileError) return undefined;
    throw error;
  }
}
