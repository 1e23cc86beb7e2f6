import type { FilesPort } from "../../ports/files.ts";
import { GitHttpError, type GitIo } from "../../ports/git_io.ts";
import { checkOut } from "./git_checkout.ts";
import { GitRepository } from "./git_repository.ts";
import { type CopyContext, copyDirectory, copyObjects, findGitDirectory } from "./local_copy.ts";
import { PackageError } from "./package_error.ts";
import { FETCH_TRIES, PACKS_MAX } from "./package_limits.ts";
import { type PackagePlaces, placesOf } from "./package_places.ts";
import { type PackageSource, readPackageUrl, whyNoPackageName } from "./package_source.ts";
import { type PackagesProgress, ProgressSteps } from "./packages_progress.ts";

export interface PrepareJob {
  /** The data directory. */
  readonly directory: string;
  readonly name: string;
  readonly url: string;
  /** The commit that is wanted; by default what HEAD of the repository is at. */
  readonly hash?: string;
  /** What is there now; nothing is prepared when that is what is wanted. */
  readonly current?: string;
}

export type Prepared =
  | { readonly changed: false; readonly hash: string }
  /** It lies in `placesOf(…).incoming`, complete and synced. `hash` is "" for a plain directory. */
  | { readonly changed: true; readonly hash: string; readonly notes: readonly string[] };

export interface PrepareParts {
  readonly files: FilesPort;
  readonly git: GitIo;
  readonly signal: AbortSignal;
  tell(progress: PackagesProgress): void;
}

/**
 * Gets a package and puts it beside `packages/<name>`, which is left alone. Rejects with
 * PackageError, FileError, GitHttpError or the signal's reason; what is half done is removed then.
 */
export async function preparePackage(parts: PrepareParts, job: PrepareJob): Promise<Prepared> {
  const read = readPackageUrl(job.url);
  if (!read.ok) throw new PackageError(read.reason);
  const wrong = whyNoPackageName(job.name);
  if (wrong !== undefined) throw new PackageError(wrong);
  const { files, git: io, signal } = parts;
  const steps = new ProgressSteps(job.name, (progress) => parts.tell(progress));
  const context: CopyContext = { files, io, signal, steps };
  const places = placesOf(job.directory, job.name);
  try {
    return await prepare(context, { ...job, source: read.source, places });
  } catch (error) {
    await files.remove(places.incoming);
    throw error;
  }
}

interface Wanted extends PrepareJob {
  readonly source: PackageSource;
  readonly places: PackagePlaces;
}

async function prepare(context: CopyContext, wanted: Wanted): Promise<Prepared> {
  const { source, places } = wanted;
  if (source.kind === "http") return await prepareFromHttp(context, wanted);
  const gitdir = await findGitDirectory(context, source.path);
  if (gitdir !== undefined) return await prepareFromLocal(context, wanted, gitdir);
  await makeIncoming(context, places);
  const notes = await copyDirectory(context, { from: source.path, to: places.incoming });
  return { changed: true, hash: "", notes };
}

async function prepareFromLocal(
  context: CopyContext,
  wanted: Wanted,
  gitdir: string,
): Promise<Prepared> {
  const hash = wanted.hash ?? await new GitRepository(context, gitdir).head();
  if (hash === undefined) throw new PackageError("its repository is empty");
  if (await isHere(context, wanted, hash)) return { changed: false, hash };
  const to = await makeIncoming(context, wanted.places);
  const repository = new GitRepository(context, to);
  await repository.init(wanted.source.url);
  await copyObjects(context, { from: gitdir, to, known: false });
  return await finish(context, wanted, { repository, hash });
}

async function prepareFromHttp(context: CopyContext, wanted: Wanted): Promise<Prepared> {
  let base = await reusable(context, wanted.places);
  for (let tries = 1;; tries++) {
    try {
      const { url } = wanted.source;
      if (wanted.current !== undefined) {
        const hash = wanted.hash ?? await new GitRepository(context, "").remoteHead(url);
        if (await isHere(context, wanted, hash)) return { changed: false, hash };
      }
      return await fetchFromHttp(context, wanted, base);
    } catch (error) {
      context.signal.throwIfAborted();
      const isBroken = error instanceof GitHttpError && error.mayRetry;
      if (isBroken ? tries >= FETCH_TRIES : base === undefined) throw error;
      // What is here may be damaged, or nothing that the other side has any more.
      if (!isBroken) base = undefined;
    }
  }
}

async function fetchFromHttp(
  context: CopyContext,
  wanted: Wanted,
  base: string | undefined,
): Promise<Prepared> {
  const { source, places } = wanted;
  const to = await makeIncoming(context, places);
  const repository = new GitRepository(context, to);
  await repository.init(source.url);
  const head = base === undefined ? undefined : await new GitRepository(context, base).head();
  if (base !== undefined && head !== undefined) {
    await copyObjects(context, { from: base, to, known: true });
    await repository.setHead(head);
  }
  const alone = head === undefined;
  const hash = await repository.fetch(source.url, { hash: wanted.hash, alone });
  return await finish(context, wanted, { repository, hash });
}

async function finish(
  context: CopyContext,
  { places }: Wanted,
  { repository, hash }: { repository: GitRepository; hash: string },
): Promise<Prepared> {
  await repository.setHead(hash);
  const notes = await checkOut(context, repository, { directory: places.incoming, hash });
  await context.io.files.syncDirectory(places.packages);
  return { changed: true, hash, notes };
}

/** Makes an empty directory for the package to come; gives where its repository is to be. */
async function makeIncoming({ files }: CopyContext, places: PackagePlaces): Promise<string> {
  await files.remove(places.incoming);
  await files.makeDirectory(places.packages, { mode: 0o755 });
  await files.makeDirectory(places.incoming, { mode: 0o755 });
  return `${places.incoming}/.git`;
}

/** Whether a commit is what the table and the directory have. */
async function isHere(context: CopyContext, wanted: Wanted, hash: string): Promise<boolean> {
  if (wanted.current !== hash) return false;
  return await new GitRepository(context, `${wanted.places.package}/.git`).head() === hash;
}

/** The repository of the tree before, if it is not full of old packs. */
async function reusable(
  { io, files }: CopyContext,
  places: PackagePlaces,
): Promise<string | undefined> {
  const gitdir = `${places.package}/.git`;
  const packs = `${gitdir}/objects/pack`;
  if (await io.files.kindOf(gitdir) !== "directory") return undefined;
  if (await io.files.kindOf(packs) !== "directory") return undefined;
  const names = await files.list(packs);
  return names.filter((name) => name.endsWith(".pack")).length < PACKS_MAX ? gitdir : undefined;
}
