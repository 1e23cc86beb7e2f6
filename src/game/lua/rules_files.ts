import { isDirectory, type PackageTree } from "./package_tree.ts";

/** Where the data directory seems to be. Scripts look at the end of what they are told. */
const top = "/freekill";
const empty = new Uint8Array(0);

/**
 * A file system for one Lua state: the tree below `/freekill`, read-only, and a working directory.
 * Paths are resolved by their text alone and looked up in a table, so that nothing else can be
 * reached. Faults are undefined or false: scripts ask for files that are not there.
 */
export class RulesFiles {
  readonly #bytes: Uint8Array;
  readonly #tree: PackageTree;
  /** Index into the tree by path; the top itself is not in it. */
  readonly #indexes = new Map<string, number>();
  readonly #names = new Map<string, string[]>([["", []]]);
  #current: string;

  constructor(tree: PackageTree, workingDirectory: string) {
    this.#tree = tree;
    this.#bytes = new Uint8Array(tree.bytes);
    for (const [index, path] of tree.paths.entries()) {
      this.#indexes.set(path, index);
      if (tree.lengths[index] === isDirectory) this.#names.set(path, []);
      const slash = path.lastIndexOf("/");
      this.#names.get(path.slice(0, Math.max(0, slash)))?.push(path.slice(slash + 1));
    }
    this.#current = workingDirectory;
  }

  get currentDirectory(): string {
    return this.#current === "" ? top : `${top}/${this.#current}`;
  }

  kind(path: string): "file" | "directory" | undefined {
    const place = this.#resolve(path);
    if (place === undefined) return undefined;
    if (this.#names.has(place)) return "directory";
    return this.#indexes.has(place) ? "file" : undefined;
  }

  /** A view that must not be changed. */
  read(path: string): Uint8Array | undefined {
    const index = this.indexOf(path);
    const length = index === undefined ? undefined : this.#tree.lengths[index];
    if (index === undefined || length === undefined || length === isDirectory) return undefined;
    const offset = this.#tree.offsets[index] ?? 0;
    return length === 0 ? empty : this.#bytes.subarray(offset, offset + length);
  }

  /** The place in the tree of a file or directory. */
  indexOf(path: string): number | undefined {
    const place = this.#resolve(path);
    return place === undefined ? undefined : this.#indexes.get(place);
  }

  /** Names in a directory, without `.` and `..`. */
  list(path: string): readonly string[] | undefined {
    const place = this.#resolve(path);
    return place === undefined ? undefined : this.#names.get(place);
  }

  /** False when there is no such directory. */
  change(path: string): boolean {
    const place = this.#resolve(path);
    if (place === undefined || !this.#names.has(place)) return false;
    this.#current = place;
    return true;
  }

  /** The path below the top; undefined for one that leads out of it. */
  #resolve(path: string): string | undefined {
    const isAbsolute = path.startsWith("/");
    const parts = isAbsolute || this.#current === "" ? [] : this.#current.split("/");
    let given = path;
    if (isAbsolute) {
      if (path !== top && !path.startsWith(`${top}/`)) return undefined;
      given = path.slice(top.length);
    }
    for (const part of given.split("/")) {
      if (part === "" || part === ".") continue;
      if (part !== "..") parts.push(part);
      else if (parts.pop() === undefined) return undefined;
    }
    return parts.join("/");
  }
}
