import type { FilesPort } from "../../ports/files.ts";
import type { GitContext, GitEntry, GitRepository } from "./git_repository.ts";
import { PackageError } from "./package_error.ts";
import { TreePlan, writeTree } from "./tree_plan.ts";

/**
 * Writes the files of a commit into `directory`, byte for byte as they are in the repository.
 * Links become files, submodules nothing; names that lead out of the package, and more than
 * `packageLimits` allow, are a PackageError before anything is written. Gives notes for people.
 */
export async function checkOut(
  context: GitContext & { files: FilesPort },
  repository: GitRepository,
  { directory, hash }: { directory: string; hash: string },
): Promise<string[]> {
  const plan = new TreePlan();
  await planTree({ repository, plan, context, known: new Map() }, hash, "");
  if (plan.files.length === 0) throw new PackageError("its repository has no files");
  const { io, signal, steps, files } = context;
  const total = plan.files.length;
  steps.at("write", 0, total);
  await writeTree({ files, git: io.files, signal }, directory, plan, (done) => {
    steps.at("write", done, total);
  });
  return plan.notes;
}

async function planTree(
  parts: {
    repository: GitRepository;
    plan: TreePlan;
    context: GitContext;
    /** The same directory may be in many places. */
    known: Map<string, readonly GitEntry[]>;
  },
  hash: string,
  prefix: string,
): Promise<void> {
  const { repository, plan, context, known } = parts;
  const entries = known.get(hash) ?? await repository.entries(hash);
  known.set(hash, entries);
  for (const entry of entries) {
    const path = prefix + entry.name;
    const file = {
      path,
      async write(to: string, bytesMax: number) {
        const bytes = await repository.blob(entry.hash);
        if (bytes.length > bytesMax) {
          const shown = JSON.stringify(path);
          throw new PackageError(`its ${shown} has over ${bytesMax} bytes`);
        }
        await context.io.files.writeNew(to, bytes);
        return bytes.length;
      },
    };
    switch (entry.kind) {
      case "directory":
        plan.addDirectory(path);
        await planTree(parts, entry.hash, `${path}/`);
        break;
      case "file":
        plan.addFile(file);
        break;
      case "link":
        plan.addLink(file);
        break;
      case "submodule":
        plan.leaveOutSubmodule();
    }
  }
}
