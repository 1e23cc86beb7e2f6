import { unreachable } from "../base/assert.ts";
import type { PackagesProgress } from "../game/packages/packages_progress.ts";

/** A line for each of these more that are received, where lines stay on the screen. */
const LINE_BYTES = 16_777_216;

const BAR_COLUMNS = 24;
/** A bar is drawn so often at most: a terminal behind a slow line draws each. */
const BAR_MS = 100;

/** How far a change of packages is, in one line: `freekill-core: writing 12 of 446 files`. */
export function progressText({ name, phase, loaded, total }: PackagesProgress): string {
  switch (phase) {
    case "connect":
      return `${name}: asking for its repository`;
    case "receive":
      return `${name}: receiving, ${megabytes(loaded)}`;
    case "copy":
      return `${name}: copying its repository, ${megabytes(loaded)}`;
    case "index":
      return `${name}: looking through ${loaded} of ${total} objects`;
    case "write":
      return `${name}: writing ${loaded} of ${total} files`;
    case "swap":
      return `${name}: putting it in its place`;
    default:
      return unreachable(phase);
  }
}

/** Tells of each phase once, and of what is received now and then: for logs and pipes. */
export function progressLines(tell: (line: string) => void): (progress: PackagesProgress) => void {
  let told = "";
  return (progress) => {
    const { name, phase, loaded } = progress;
    const step = phase === "receive" ? Math.floor(loaded / LINE_BYTES) : 0;
    const key = `${name} ${phase} ${step}`;
    if (key === told) return;
    told = key;
    tell(progressText(progress));
  };
}

/** Draws one line of a terminal over and over, with a bar where the end is known. `now` in
 * milliseconds. */
export function progressBar(
  write: (text: string) => void,
  now: () => number,
): { draw(progress: PackagesProgress): void; clear(): void } {
  let drawn = "";
  let phase = "";
  let at = -Infinity;
  return {
    draw(progress) {
      const isNew = progress.phase !== phase;
      if (!isNew && now() - at < BAR_MS && progress.loaded !== progress.total) return;
      phase = progress.phase;
      at = now();
      drawn = `${bar(progress)}${progressText(progress)}`;
      // Back to the first column, and away with what is left of a longer line before.
      write(`\r${drawn}\x1b[K`);
    },
    clear() {
      if (drawn !== "") write("\r\x1b[K");
      drawn = "";
    },
  };
}

function bar({ phase, loaded, total }: PackagesProgress): string {
  if (total === 0 || phase === "swap") return "";
  const full = Math.min(BAR_COLUMNS, Math.floor(loaded * BAR_COLUMNS / total));
  return `[${"#".repeat(full)}${" ".repeat(BAR_COLUMNS - full)}] `;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
