import type { Clock } from "../ports/clock.ts";
import { FileError, type FilesPort } from "../ports/files.ts";

/** How often the files are looked at; a change counts when the next look finds nothing new. */
const lookEveryMs = 500;

type WatchedFiles = Pick<FilesPort, "info" | "realPath">;

/**
 * Looks whether files have changed: rewritten, replaced by another of the same name, or reached by a
 * symbolic link that leads elsewhere now. A change is reported once, when it has settled; of files
 * that are gone it is not, until they are back: they may just be being replaced.
 */
export class ConfigWatch {
  readonly #paths: readonly string[];
  readonly #files: WatchedFiles;
  readonly #changed: () => void;
  readonly #stop: () => void;
  /** As they were when they were last read, and at the last look. */
  #known: string | undefined;
  #seen: string | undefined;
  #isLooking = false;

  /** `marks` are the files as `marksOf` gave them before they were read first; without them, so are
   * the files at the first look. */
  constructor(
    paths: readonly string[],
    { files, clock, changed, marks }: {
      files: WatchedFiles;
      clock: Clock;
      changed: () => void;
      marks?: string;
    },
  ) {
    this.#paths = paths;
    this.#files = files;
    this.#changed = changed;
    this.#known = this.#seen = marks;
    this.#stop = clock.every(lookEveryMs, () => void this.look());
  }

  /** They are about to be read: what they are now is no change any more. */
  async reading(): Promise<void> {
    this.#known = this.#seen = await this.#identity();
  }

  stop(): void {
    this.#stop();
  }

  /** One look; called by the clock. */
  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const now = await this.#identity();
    this.#isLooking = false;
    const isSettled = now === this.#seen;
    this.#seen = now;
    if (this.#known === undefined) this.#known = now;
    if (!isSettled || now === undefined || now === this.#known) return;
    this.#known = now;
    this.#changed();
  }

  /** A text that differs when any of them does; undefined while one that was there is gone. */
  async #identity(): Promise<string | undefined> {
    const marks = await marksOf(this.#paths, this.#files);
    const before = this.#known?.split("\n") ?? [];
    const isGone = marks.split("\n").some((mark, at) => mark === "" && (before[at] ?? "") !== "");
    return isGone ? undefined : marks;
  }
}

/** Tells one state of files from another: a line for each, "" for one that is not there. */
export async function marksOf(paths: readonly string[], files: WatchedFiles): Promise<string> {
  return (await Promise.all(paths.map((path) => markOf(path, files)))).join("\n");
}

async function markOf(path: string, files: WatchedFiles): Promise<string> {
  try {
    const info = await files.info(path);
    if (info === undefined) return "";
    // A link that is set to another file of the same size and age.
    const real = await files.realPath(path);
    return JSON.stringify([info.bytes, info.modifiedMs, info.changedMs, real]);
  } catch (error) {
    if (error instanceof FileError) return `"${error.code}"`;
    throw error;
  }
}
