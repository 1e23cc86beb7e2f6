import type { FilesPort } from "../../ports/files.ts";
import type { GitIo } from "../../ports/git_io.ts";
import { GitRepository } from "./git_repository.ts";
import { ProgressSteps } from "./packages_progress.ts";
import { readPackageUrl, whyNoPackageName } from "./package_source.ts";

/** A directory in `packages/` that is a git repository. */
export interface SurveyedPackage {
  readonly name: string;
  /** The commit that it is at. */
  readonly hash: string;
  /** Where it came from; "" where that cannot be told to clients or is not known. */
  readonly url: string;
}

/** Looks at which commits the packages are; what is no git repository, or a broken one, is left out.
 * Rejects with FileError. */
export async function surveyPackages(
  { files, git: io }: { files: FilesPort; git: GitIo },
  directory: string,
): Promise<SurveyedPackage[]> {
  const packages = `${directory}/packages`;
  if ((await files.info(packages))?.kind !== "directory") return [];
  const found: SurveyedPackage[] = [];
  for (const { name, kind } of await files.entries(packages)) {
    if (kind === "file" || whyNoPackageName(name) !== undefined) continue;
    const gitdir = `${packages}/${name}/.git`;
    if (await io.files.kindOf(`${gitdir}/HEAD`) !== "file") continue;
    const { signal } = new AbortController();
    const steps = new ProgressSteps(name, () => {});
    const repository = new GitRepository({ io, signal, steps }, gitdir);
    const hash = await repository.head();
    if (hash === undefined) continue;
    const read = readPackageUrl(await repository.origin() ?? "");
    found.push({ name, hash, url: read.ok ? read.source.url : "" });
  }
  return found;
}
