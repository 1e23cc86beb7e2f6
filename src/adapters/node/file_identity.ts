import { statSync } from "node:fs";

/** Which file a path leads to now, as device and inode; undefined when there is none. */
export function fileIdentity(path: string): string | undefined {
  try {
    const found = statSync(path, { bigint: true, throwIfNoEntry: false });
    return found === undefined ? undefined : `${found.dev}:${found.ino}`;
  } catch {
    // The directory was replaced by a file or closed to us: the path leads to no file any more.
    return undefined;
  }
}
