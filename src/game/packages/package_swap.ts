import type { FilesPort } from "../../ports/files.ts";
import type { GitFiles } from "../../ports/git_io.ts";
import { isFetched, keepFetched } from "./fetched_repository.ts";
import { PackageError } from "./package_error.ts";
import { placesOf, readPlace } from "./package_places.ts";
import { whyNoPackageName } from "./package_source.ts";
import { CORE_PACKAGE, type PackageChange } from "./packages_db.ts";

export interface SwapParts {
  readonly files: FilesPort;
  readonly git: Pick<GitFiles, "kindOf" | "syncDirectory">;
  /** Writes the change into packages.db; it is on disk when this resolves. */
  record(change: PackageChange): Promise<void>;
  /** The data directory. */
  readonly directory: string;
}

/** A journal has two texts of 255 characters at most. */
const JOURNAL_BYTES_MAX = 16_384;

/**
 * Puts what was prepared in the place of a package, or takes a package away. Until a journal lies
 * beside it nothing has happened; from then on `recoverPackages` brings it to an end whenever this
 * breaks off: the old one comes back while the new one has not moved, else the new one is recorded.
 */
export async function changePackage(
  parts: SwapParts,
  change: PackageChange,
  { mayReplace }: { mayReplace: boolean },
): Promise<void> {
  const { files, git, directory } = parts;
  const { name } = change;
  const wrong = whyNoPackageName(name);
  if (wrong !== undefined) throw new PackageError(wrong);
  const places = placesOf(directory, name);
  const before = await git.kindOf(places.package);
  if (change.kind === "put") {
    if (await git.kindOf(places.incoming) !== "directory") {
      throw new PackageError(`nothing was prepared for ${name}`);
    }
    if (before !== "nothing" && !mayReplace) {
      throw new PackageError(`there is a package ${name} already`);
    }
    // Somebody has led it to a place of his own; what is there is his to bring up to date.
    if (before === "link") {
      throw new PackageError(`packages/${name} is a symbolic link: upgrade what it leads to`);
    }
  } else if (name === CORE_PACKAGE) {
    throw new PackageError(`${CORE_PACKAGE} cannot be removed: it is the game itself`);
  }
  await files.remove(places.outgoing);
  await files.replace(places.journal, new TextEncoder().encode(JSON.stringify(change)));
  try {
    if (before !== "nothing") await files.rename(places.package, places.outgoing);
    if (change.kind === "put") await files.rename(places.incoming, places.package);
  } catch (error) {
    await recover(parts, name);
    throw error;
  }
  await finish(parts, change);
}

/**
 * Brings to an end what broke off: to be called before anything else is done to the packages, and
 * by nobody who does not own the data directory. Gives one line for each package that it concerned.
 */
export async function recoverPackages(parts: SwapParts): Promise<string[]> {
  const packages = `${parts.directory}/packages`;
  if ((await parts.files.info(packages))?.kind !== "directory") return [];
  const names = new Set<string>();
  for (const entry of await parts.files.list(packages)) {
    const place = readPlace(entry);
    if (place === undefined || whyNoPackageName(place.name) !== undefined) continue;
    // One that waits for the next try is nothing that broke off now.
    const waits = place.kind === "fetched" && await isFetched(parts.files, `${packages}/${entry}`);
    if (!waits) names.add(place.name);
  }
  const lines: string[] = [];
  for (const name of names) lines.push(await recover(parts, name));
  return lines;
}

async function recover(parts: SwapParts, name: string): Promise<string> {
  const { files, git } = parts;
  const places = placesOf(parts.directory, name);
  const change = await readJournal(files, places.journal, name);
  const isThere = await git.kindOf(places.package) !== "nothing";
  const hasNew = await git.kindOf(places.incoming) !== "nothing";
  const hasMoved = change?.kind === "put" ? isThere && !hasNew : !isThere;
  if (change !== undefined && hasMoved) {
    await finish(parts, change);
    return `Package ${name}: what broke off was brought to an end.`;
  }
  const hasOld = await git.kindOf(places.outgoing) !== "nothing";
  if (!isThere && hasOld) await files.rename(places.outgoing, places.package);
  await git.syncDirectory(places.packages);
  // First: without the new one beside it, it would say that the new one is in its place.
  await files.remove(places.journal);
  await git.syncDirectory(places.packages);
  await keepFetched(files, places);
  await files.remove(places.outgoing);
  return `Package ${name}: leftovers of what broke off were removed.`;
}

async function finish(parts: SwapParts, change: PackageChange): Promise<void> {
  const { files, git } = parts;
  const places = placesOf(parts.directory, change.name);
  await git.syncDirectory(places.packages);
  await parts.record(change);
  await files.remove(places.outgoing);
  await files.remove(places.incoming);
  await files.remove(places.fetched);
  await files.remove(places.journal);
}

/** undefined where there is none, or one that is not whole: then nothing has happened yet. */
async function readJournal(
  files: FilesPort,
  path: string,
  expected: string,
): Promise<PackageChange | undefined> {
  if (await files.info(path) === undefined) return undefined;
  const bytes = await files.read(path, { bytesMax: JOURNAL_BYTES_MAX });
  try {
    const { kind, name, url, hash } = JSON.parse(new TextDecoder().decode(bytes));
    if (name !== expected) return undefined;
    if (kind === "remove") return { kind, name };
    const isWhole = kind === "put" && typeof url === "string" && typeof hash === "string";
    return isWhole ? { kind, name, url, hash } : undefined;
  } catch {
    // Not ours, or changed by somebody: as if it were not there.
    return undefined;
  }
}
