import type { FilesPort } from "../../ports/files.ts";
import type { GitFiles } from "../../ports/git_io.ts";
import { PackageError } from "./package_error.ts";
import { packageLimits } from "./package_limits.ts";

/** How many files are written at once: each waits for the disk to have it. */
const WRITES_MAX = 8;

/** Directories are for everybody to read, as the files in them are. */
const DIRECTORY_MODE = 0o755;

export interface PlannedFile {
  /** Inside the package, with `/`. */
  readonly path: string;
  /** Writes it to a path where nothing is yet; gives how many bytes it had. */
  write(to: string, bytesMax: number): Promise<number>;
}

/** What a package will have, put together before anything is written; every path is checked. */
export class TreePlan {
  readonly directories: string[] = [];
  readonly files: PlannedFile[] = [];
  readonly #names = new Set<string>();
  #left = 0;
  #links = 0;
  #submodules = 0;

  /** Throws PackageError when a name cannot be in a package, or there is too much of everything. */
  addDirectory(path: string): void {
    this.#check(path);
    this.directories.push(path);
  }

  addFile(file: PlannedFile): void {
    this.#check(file.path);
    this.files.push(file);
  }

  /** A link becomes a file that holds where it led, as git has it on systems without links. */
  addLink(file: PlannedFile): void {
    this.addFile(file);
    this.#links++;
  }

  /** What lies in another repository is not fetched. */
  leaveOutSubmodule(): void {
    this.#submodules++;
  }

  /** A pipe, a device, a link in a plain directory. */
  leaveOut(): void {
    this.#left++;
  }

  /** What is otherwise than in the repository, for the operator. */
  get notes(): string[] {
    const notes: string[] = [];
    if (this.#links > 0) notes.push(`${this.#links} symbolic links became plain files`);
    if (this.#submodules > 0) notes.push(`${this.#submodules} submodules were left out`);
    if (this.#left > 0) notes.push(`${this.#left} links and special files were left out`);
    return notes;
  }

  #check(path: string): void {
    const names = path.split("/");
    const wrong = names.length > packageLimits.depthMax
      ? "lies too deep"
      : names.map(whyNoName).find((why) => why !== undefined);
    if (wrong !== undefined || path.length > packageLimits.pathCharsMax) {
      const shown = JSON.stringify(path.slice(0, 200));
      throw new PackageError(`its ${shown} ${wrong ?? "is too long"}`);
    }
    if (this.#names.has(path)) {
      throw new PackageError(`it has ${JSON.stringify(path.slice(0, 200))} twice`);
    }
    this.#names.add(path);
    if (this.#names.size > packageLimits.filesMax) {
      const most = packageLimits.filesMax;
      throw new PackageError(`it has too many files and directories; allowed are ${most}`);
    }
  }
}

/** Names that mean something else to a system or to git, on any system: packages are carried from
 * one to another. undefined when it is a plain name. */
function whyNoName(name: string): string | undefined {
  // What HFS+ does not see, and what NTFS takes for the end of a name.
  const plain = name.replace(/[\u200C-\u200F\u202A-\u202E\u206A-\u206F\uFEFF]/gu, "")
    .toLowerCase().replace(/:.*$/s, "").replace(/[. ]+$/, "");
  if (name === "" || plain === "" || name === "." || name === "..") {
    return "would lead out of the package";
  }
  if (/[/\\\p{Cc}]/u.test(name)) return "has a character that no name may have";
  if (plain === ".git" || /^\.?git~\d$/.test(plain)) return "would be a repository of git";
  if (new TextEncoder().encode(name).length > packageLimits.nameBytesMax) return "is too long";
  return undefined;
}

/**
 * Writes all of a plan below `directory`, which is there, and syncs it. `wrote` hears after each
 * file how many are done. Rejects with PackageError, FileError or the signal's reason.
 */
export async function writeTree(
  parts: { files: FilesPort; git: GitFiles; signal: AbortSignal },
  directory: string,
  plan: TreePlan,
  wrote: (done: number) => void,
): Promise<void> {
  for (const path of plan.directories) {
    parts.signal.throwIfAborted();
    await parts.files.makeDirectory(`${directory}/${path}`, { mode: DIRECTORY_MODE });
  }
  let next = 0;
  let done = 0;
  let bytes = 0;
  let failed = false;
  const lane = async () => {
    while (next < plan.files.length && !failed) {
      parts.signal.throwIfAborted();
      const file = plan.files[next++]!;
      try {
        bytes += await file.write(`${directory}/${file.path}`, packageLimits.fileBytesMax);
        if (bytes > packageLimits.bytesMax) {
          throw new PackageError(`it has over ${packageLimits.bytesMax} bytes`);
        }
      } catch (error) {
        failed = true;
        throw error;
      }
      wrote(++done);
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: WRITES_MAX }, lane));
  const fault = lanes.find(({ status }) => status === "rejected");
  if (fault?.status === "rejected") throw fault.reason;
  for (const path of plan.directories) await parts.git.syncDirectory(`${directory}/${path}`);
  await parts.git.syncDirectory(directory);
}
