import { readFileSync } from "node:fs";

/** Files kept for everything that is not an accepted connection: the database, logs, upstreams, and
 * what the kernel accepts ahead of us in one burst. */
const FILES_RESERVED_MAX = 2048;

/**
 * How many connections a listener may hold so that this process does not run out of files: the soft
 * limit less a reserve (at most half of it). Undefined where the system does not tell.
 */
export function connectionsMax(): number | undefined {
  const limit = openFilesMax();
  if (limit === undefined) return undefined;
  return limit - Math.min(Math.ceil(limit / 2), FILES_RESERVED_MAX);
}

function openFilesMax(): number | undefined {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"));
    return soft === null ? undefined : Number(soft[1]);
  } catch {
    // Not Linux: no limit of ours, the system's own applies.
    return undefined;
  }
}
