import type { FilesPort } from "../../ports/files.ts";
import type { PackagePlaces } from "./package_places.ts";

/** Of a HEAD: the name of a branch may be long. */
const HEAD_BYTES_MAX = 4_096;

/** Whether a git directory is at a commit, which is written once all that belongs to it is there. */
export async function isFetched(files: FilesPort, gitdir: string): Promise<boolean> {
  const path = `${gitdir}/HEAD`;
  if ((await files.info(path))?.kind !== "file") return false;
  const head = new TextDecoder().decode(await files.read(path, { bytesMax: HEAD_BYTES_MAX }));
  return /^[0-9a-f]{40}\n?$/.test(head);
}

/** Clears what is beside a package of what broke off. A repository that has come as a whole stays, or
 * goes back to where the next try looks for it. */
export async function keepFetched(files: FilesPort, places: PackagePlaces): Promise<void> {
  const inside = `${places.incoming}/.git`;
  if (await isFetched(files, inside)) {
    await files.remove(places.fetched);
    await files.rename(inside, places.fetched);
  } else if (!await isFetched(files, places.fetched)) await files.remove(places.fetched);
  await files.remove(places.incoming);
}
