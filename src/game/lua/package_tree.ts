import { FileError, type FilesPort } from "../../ports/files.ts";
import { encodeUtf8 } from "../../wire/utf8.ts";
import { prepareScript } from "./script_text.ts";

/** What a tree may hold. The largest collections of packages have some thousand scripts. */
export const packageTreeLimits = {
  bytesMax: 256 * 1_024 * 1_024,
  /** Of files and directories together; a package with pictures and sounds has some thousand. */
  entriesMax: 500_000,
  /** Also what ends a directory that is linked into itself. */
  depthMax: 24,
};

/** The folder of the data directory that scripts see. */
const root = "packages";
/** `lengths` of what is not a file. */
export const isDirectory = -1;

/**
 * All that scripts see of `packages/`, made once and shared by every worker. `paths` are relative to
 * the data directory; the text of `paths[i]` is at `offsets[i]`, `lengths[i]` bytes long, without a
 * byte order mark or first line for the shell. Files other than Lua's are there by name, and empty.
 */
export interface PackageTree {
  readonly paths: readonly string[];
  readonly offsets: Uint32Array;
  readonly lengths: Int32Array;
  readonly bytes: SharedArrayBuffer;
}

type Reads = Pick<FilesPort, "entries" | "info" | "read">;

interface Entry {
  readonly path: string;
  /** undefined for a directory. */
  readonly text: Uint8Array | undefined;
}

/**
 * Reads `packages/` of a data directory. Rejects with FileError when it cannot be read, and with
 * RangeError when it is too large. A file that vanishes meanwhile is left out.
 */
export async function readPackageTree(
  files: Reads,
  dataDirectory: string,
): Promise<PackageTree> {
  const reader = new TreeReader(files, dataDirectory);
  await reader.directory(root, 1);
  return pack(reader.entries);
}

/** The tree of a data directory that would hold these files alone: texts by their paths in it. */
export function packageTreeOf(files: Iterable<readonly [path: string, text: string]>): PackageTree {
  const entries = new Map<string, Entry>();
  for (const [path, text] of files) {
    const parts = path.split("/");
    for (let depth = 1; depth < parts.length; depth++) {
      const folder = parts.slice(0, depth).join("/");
      entries.set(folder, { path: folder, text: undefined });
    }
    entries.set(path, { path, text: prepareScript(encodeUtf8(text)) });
  }
  return pack([...entries.values()]);
}

class TreeReader {
  readonly entries: Entry[] = [];
  readonly #files: Reads;
  readonly #dataDirectory: string;
  #bytes = 0;

  constructor(files: Reads, dataDirectory: string) {
    this.#files = files;
    this.#dataDirectory = dataDirectory;
  }

  async directory(path: string, depth: number): Promise<void> {
    const { depthMax, entriesMax } = packageTreeLimits;
    if (depth > depthMax) throw tooLarge(path, `nested deeper than ${depthMax} directories`);
    this.#add({ path, text: undefined });
    const found = await this.#files.entries(this.#place(path));
    if (this.entries.length + found.length > entriesMax) {
      throw tooLarge(path, `more than ${entriesMax} files`);
    }
    for (const { name, kind } of found) {
      // What begins with a dot belongs to git and editors.
      if (name.startsWith(".")) continue;
      const inside = `${path}/${name}`;
      const known = kind === "link" || kind === "other" ? await this.#kindBehind(inside) : kind;
      if (known === "directory") await this.directory(inside, depth + 1);
      else if (known === "file") await this.#file(inside);
    }
  }

  async #kindBehind(path: string): Promise<"file" | "directory" | "other" | undefined> {
    return (await this.#files.info(this.#place(path)))?.kind;
  }

  async #file(path: string): Promise<void> {
    this.#add({ path, text: path.endsWith(".lua") ? await this.#script(path) : empty });
  }

  async #script(path: string): Promise<Uint8Array> {
    try {
      const bytesMax = packageTreeLimits.bytesMax - this.#bytes;
      const text = prepareScript(await this.#files.read(this.#place(path), { bytesMax }));
      this.#bytes += text.length;
      return text;
    } catch (error) {
      if (error instanceof FileError && error.code === "EFBIG") {
        throw tooLarge(path, `more than ${packageTreeLimits.bytesMax} bytes of Lua`);
      }
      throw error;
    }
  }

  #add(entry: Entry): void {
    this.entries.push(entry);
  }

  #place(path: string): string {
    return this.#dataDirectory === "" ? path : `${this.#dataDirectory}/${path}`;
  }
}

const empty = new Uint8Array(0);

function pack(entries: readonly Entry[]): PackageTree {
  const total = entries.reduce((sum, { text }) => sum + (text?.length ?? 0), 0);
  const shared = new SharedArrayBuffer(total);
  const bytes = new Uint8Array(shared);
  const offsets = new Uint32Array(entries.length);
  const lengths = new Int32Array(entries.length);
  let at = 0;
  for (const [index, { text }] of entries.entries()) {
    offsets[index] = at;
    lengths[index] = text === undefined ? isDirectory : text.length;
    if (text === undefined) continue;
    bytes.set(text, at);
    at += text.length;
  }
  return { paths: entries.map(({ path }) => path), offsets, lengths, bytes: shared };
}

function tooLarge(path: string, what: string): RangeError {
  return new RangeError(`Cannot load the packages: "${path}" has ${what}`);
}
