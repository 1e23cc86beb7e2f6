/** What one package may have: whatever its repository says, no more is fetched, read or written. */
export const packageLimits = {
  /** Big packages of the field, with pictures and sounds, have some 10,000. */
  filesMax: 50_000,
  /** Of all files together; big ones have 500 MB. */
  bytesMax: 2_147_483_648,
  /** Of one file, and of each object of its repository, all of which are held in memory. */
  fileBytesMax: 134_217_728,
  /** What a repository sends; git's library takes seven times its size of memory meanwhile. Who has
   * more can clone it with git, and `sync` then. */
  packBytesMax: 268_435_456,
  /** Objects in what it sends: files, directories and versions. */
  packObjectsMax: 500_000,
  /** All objects of a pack, unpacked: what the library reads once to index it. */
  packUnpackedBytesMax: 2_147_483_648,
  /** Its list of branches and tags: 100,000 of them. */
  listBytesMax: 8_388_608,
  /** Directories in each other; the core has 7. */
  depthMax: 32,
  /** Of a path inside the package, in characters; systems allow 4,096 bytes for a whole one. */
  pathCharsMax: 1_000,
  /** Of one name, in bytes, as file systems allow. */
  nameBytesMax: 255,
} as const;

/** Before a further try of a connection that broke: a server that restarts, or a network that is
 * away for a moment, is back by then. What was on its way is lost: git cannot go on in the middle
 * of a pack. */
export const FETCH_PAUSES_MS: readonly number[] = [500, 1_000, 2_000];

/** Each upgrade adds a pack to those of the tree before; past so many all is fetched anew, so that
 * what nobody needs any more does not pile up. */
export const PACKS_MAX = 16;
