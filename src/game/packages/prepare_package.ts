import { FileError, type FilesPort } from "../../ports/files.ts";
import { GitHttpError, type GitIo } from "../../ports/git_io.ts";
import { isFetched } from "./fetched_repository.ts";
import { checkOut } from "./git_checkout.ts";
import { GitRepository } from "./git_repository.ts";
import { type CopyContext, copyDirectory, copyObjects, findGitDirectory } from "./local_copy.ts";
import { PackageError } from "./package_error.ts";
import { FETCH_PAUSES_MS, PACKS_MAX } from "./package_limits.ts";
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
  /** Waits; rejects with the signal's reason. */
  pause(ms: number): Promise<void>;
  tell(progress: PackagesProgress): void;
}

/**
 * Gets a package and puts it beside `packages/<name>`, which is left alone. Rejects with
 * PackageError, FileError, GitHttpError or the signal's reason; what is half done is removed then. A
 * repository that has come as a whole stays for the next try when this program or the disk fails.
 */
export async function preparePackage(parts: PrepareParts, job: PrepareJob): Promise<Prepared> {
  const read = readPackageUrl(job.url);
  if (!read.ok) throw new PackageError(read.reason);
  const wrong = whyNoPackageName(job.name);
  if (wrong !== undefined) throw new PackageError(wrong);
  const { files, git: io, signal } = parts;
  const steps = new ProgressSteps(job.name, (progress) => parts.tell(progress));
  const context: PrepareContext = { files, io, signal, steps, pause: (ms) => parts.pause(ms) };
  const places = placesOf(job.directory, job.name);
  try {
    return await prepare(context, { ...job, source: read.source, places });
  } catch (error) {
    await files.remove(places.incoming);
    const mayStay = error instanceof FileError && await isFetched(files, places.fetched);
    if (!mayStay) await files.remove(places.fetched);
    throw error;
  }
}

type PrepareContext = CopyContext & Pick<PrepareParts, "pause">;

interface Wanted extends PrepareJob {
  readonly source: PackageSource;
  readonly places: PackagePlaces;
}

async function prepare(context: PrepareContext, wanted: Wanted): Promise<Prepared> {
  const { source, places } = wanted;
  if (source.kind === "http") return await prepareFromHttp(context, wanted);
  await context.files.remove(places.fetched);
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
  const repository = await emptyRepository(context, wanted);
  await copyObjects(context, { from: gitdir, to: wanted.places.fetched, known: false });
  await repository.setHead(hash);
  return await finish(context, wanted, { repository, hash });
}

async function prepareFromHttp(context: PrepareContext, wanted: Wanted): Promise<Prepared> {
  const { url } = wanted.source;
  let old: Old = await whatIsHere(context, wanted);
  for (let tries = 0;; tries++) {
    try {
      let { hash } = wanted;
      if (wanted.current !== undefined || old.isFetched) {
        hash ??= await new GitRepository(context, "").remoteHead(url);
        if (await isHere(context, wanted, hash)) return { changed: false, hash };
      }
      const kept = old.isFetched ? await reopened(context, wanted, hash) : undefined;
      return await finish(
        context,
        wanted,
        kept ?? await fetchFromHttp(context, wanted, old.base),
      );
    } catch (error) {
      context.signal.throwIfAborted();
      const isBroken = error instanceof GitHttpError && error.mayRetry;
      const pauseMs = FETCH_PAUSES_MS[tries];
      if (isBroken && pauseMs !== undefined) await context.pause(pauseMs);
      else if (isBroken || old === nothing) throw error;
      // What is here may be damaged, or nothing that the other side has any more.
      else old = nothing;
    }
  }
}

/** What need not be fetched. */
interface Old {
  /** An earlier try came so far. */
  readonly isFetched: boolean;
  /** The repository of the tree before. */
  readonly base: string | undefined;
}

const nothing: Old = { isFetched: false, base: undefined };

async function whatIsHere(context: CopyContext, { places }: Wanted): Promise<Old> {
  const base = await reusable(context, places);
  const hasFetched = await isFetched(context.files, places.fetched);
  return hasFetched || base !== undefined ? { isFetched: hasFetched, base } : nothing;
}

interface Fetched {
  readonly repository: GitRepository;
  readonly hash: string;
}

/** What an earlier try has fetched, if it is that commit from that address. */
async function reopened(
  context: CopyContext,
  { source, places }: Wanted,
  hash: string | undefined,
): Promise<Fetched | undefined> {
  const repository = new GitRepository(context, places.fetched);
  const [head, origin] = [await repository.head(), await repository.origin()];
  return head !== undefined && head === hash && origin === source.url
    ? { repository, hash: head }
    : undefined;
}

async function fetchFromHttp(
  context: CopyContext,
  wanted: Wanted,
  base: string | undefined,
): Promise<Fetched> {
  const { source, places } = wanted;
  const repository = await emptyRepository(context, wanted);
  const head = base === undefined ? undefined : await new GitRepository(context, base).head();
  if (base !== undefined && head !== undefined) {
    await copyObjects(context, { from: base, to: places.fetched, known: true });
    await repository.setHead(head);
  }
  const alone = head === undefined;
  const hash = await repository.fetch(source.url, { hash: wanted.hash, alone });
  await repository.setHead(hash);
  return { repository, hash };
}

/** Writes the files beside the package, with their repository. */
async function finish(
  context: CopyContext,
  { places }: Wanted,
  { repository, hash }: Fetched,
): Promise<Prepared> {
  await makeIncoming(context, places);
  const notes = await checkOut(context, repository, { directory: places.incoming, hash });
  await context.files.rename(places.fetched, `${places.incoming}/.git`);
  await context.io.files.syncDirectory(places.incoming);
  await context.io.files.syncDirectory(places.packages);
  return { changed: true, hash, notes };
}

/** Makes an empty directory for the package to come. */
async function makeIncoming({ files }: CopyContext, places: PackagePlaces): Promise<void> {
  await files.remove(places.incoming);
  await files.makeDirectory(places.packages, { mode: 0o755 });
  await files.makeDirectory(places.incoming, { mode: 0o755 });
}

/** Makes the repository that the package is to have, with nothing in it. */
async function emptyRepository(
  context: CopyContext,
  { source, places }: Wanted,
): Promise<GitRepository> {
  await context.files.remove(places.fetched);
  await context.files.makeDirectory(places.packages, { mode: 0o755 });
  await context.files.makeDirectory(places.fetched, { mode: 0o755 });
  const repository = new GitRepository(context, places.fetched);
  await repository.init(source.url);
  return repository;
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
