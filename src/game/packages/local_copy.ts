import type { FilesPort } from "../../ports/files.ts";
import type { GitContext } from "./git_repository.ts";
import { checkPack } from "./pack_check.ts";
import { PackageError } from "./package_error.ts";
import { packageLimits } from "./package_limits.ts";
import { TreePlan, writeTree } from "./tree_plan.ts";

/** A loose object begins with its kind and its length. */
const HEADER_BYTES_MAX = 32;

export interface CopyContext extends GitContext {
  readonly files: FilesPort;
}

/**
 * The git directory of a repository of this machine: `path` itself when it is a bare one, or the
 * `.git` in it; undefined when it is a plain directory. PackageError when there is no directory.
 */
export async function findGitDirectory(
  { io, files }: CopyContext,
  path: string,
): Promise<string | undefined> {
  if ((await files.info(path))?.kind !== "directory") {
    throw new PackageError(`there is no directory ${JSON.stringify(path)}`);
  }
  for (const candidate of [path, `${path}/.git`]) {
    const isThere = await Promise.all([
      io.files.kindOf(`${candidate}/HEAD`).then((kind) => kind === "file"),
      io.files.kindOf(`${candidate}/objects`).then((kind) => kind === "directory"),
    ]);
    if (isThere.every(Boolean)) return candidate;
  }
  return undefined;
}

/** Copies all objects of a repository of this machine, packed and loose, to another; unless they are
 * `known` to be well, what they unpack to is checked against `packageLimits`. */
export async function copyObjects(
  context: CopyContext,
  { from, to, known }: { from: string; to: string; known: boolean },
): Promise<void> {
  const copy = new Copy(context, known);
  for (const folder of await context.files.entries(`${from}/objects`)) {
    const isLoose = /^[0-9a-f]{2}$/.test(folder.name);
    if (folder.kind !== "directory" || !(isLoose || folder.name === "pack")) continue;
    const wanted = isLoose ? /^[0-9a-f]{38}$/ : /^pack-[0-9a-f]{40}\.(?:pack|idx)$/;
    const target = `${to}/objects/${folder.name}`;
    for (const { name, kind } of await context.files.entries(`${from}/objects/${folder.name}`)) {
      if (kind !== "file" || !wanted.test(name)) continue;
      await context.files.makeDirectory(target, { mode: 0o755 });
      await copy.one(`${from}/objects/${folder.name}/${name}`, `${target}/${name}`);
    }
  }
  // Where a repository has only a part of its history, this says which.
  if (await context.io.files.kindOf(`${from}/shallow`) === "file") {
    await copy.one(`${from}/shallow`, `${to}/shallow`);
  }
}

/** Copies a plain directory with all in it; links, pipes and devices are left out. Gives notes for
 * people. */
export async function copyDirectory(
  context: CopyContext,
  { from, to }: { from: string; to: string },
): Promise<string[]> {
  const plan = new TreePlan();
  await planDirectory({ context, plan, from }, "");
  if (plan.files.length === 0) {
    throw new PackageError(`there are no files in ${JSON.stringify(from)}`);
  }
  const { io, signal, steps, files } = context;
  const total = plan.files.length;
  await writeTree({ files, git: io.files, signal }, to, plan, (done) => {
    steps.at("write", done, total);
  });
  return plan.notes;
}

async function planDirectory(
  parts: { context: CopyContext; plan: TreePlan; from: string },
  prefix: string,
): Promise<void> {
  const { context, plan, from } = parts;
  context.signal.throwIfAborted();
  for (const { name, kind } of await context.files.entries(`${from}/${prefix}`)) {
    const path = prefix + name;
    const full = `${from}/${path}`;
    const found = kind === "other" ? await context.io.files.kindOf(full) : kind;
    if (found === "directory") {
      plan.addDirectory(path);
      await planDirectory(parts, `${path}/`);
    } else if (found === "file") {
      plan.addFile({
        path,
        write: (to, bytesMax) => context.io.files.copyNew(full, to, { bytesMax }),
      });
    } else plan.leaveOut();
  }
}

/** Bounds what is copied altogether. */
class Copy {
  readonly #context: CopyContext;
  readonly #isKnown: boolean;
  #bytes = 0;
  #files = 0;

  constructor(context: CopyContext, isKnown: boolean) {
    this.#context = context;
    this.#isKnown = isKnown;
  }

  async one(from: string, to: string): Promise<void> {
    const { io, signal, steps } = this.#context;
    signal.throwIfAborted();
    if (++this.#files > packageLimits.packObjectsMax) {
      throw new PackageError("its repository is too big: it has too many objects");
    }
    const bytesMax = packageLimits.packBytesMax - this.#bytes;
    const bytes = await io.files.copyNew(from, to, { bytesMax });
    this.#bytes += bytes;
    steps.at("copy", this.#bytes);
    if (!this.#isKnown) await this.#check(to, bytes);
  }

  async #check(path: string, bytesMax: number): Promise<void> {
    const { io, files } = this.#context;
    const isPack = path.endsWith(".pack");
    if (!isPack && !/\/[0-9a-f]{38}$/.test(path)) return;
    const bytes = await files.read(path, { bytesMax });
    if (isPack) return checkPack(io, bytes);
    const outputBytesMax = packageLimits.fileBytesMax + HEADER_BYTES_MAX;
    if (io.inflateAt(bytes, 0, { outputBytesMax }) !== undefined) return;
    const most = packageLimits.fileBytesMax;
    throw new PackageError(`its repository has an object that is damaged or over ${most} bytes`);
  }
}
