import { type AppendFile, FileError, type FilesPort } from "../../src/ports/files.ts";

/** Files in memory, with the disk's failures at the test's command. Paths use `/`. */
export interface FakeFiles extends FilesPort {
  /** The next call that would reach the disk rejects with this code and changes nothing (an
   * append writes half its bytes first, as a full disk does). */
  failNext(code: string): void;
  /** Power loss: bytes that were appended and not synced are gone, open handles are dead. */
  crash(): void;
  /** What a reader would find at `path`, as text; undefined when there is none. */
  text(path: string): string | undefined;
}

interface Entry {
  bytes: Uint8Array;
  /** How many of the bytes would survive a power loss. */
  synced: number;
  modifiedMs: number;
}

export function fakeFiles(options: { now?: () => number } = {}): FakeFiles {
  const now = options.now ?? (() => 0);
  const files = new Map<string, Entry>();
  const directories = new Set<string>(["/", "."]);
  let failure: string | undefined;
  let life = 0;

  function refuse(code: string, verb: string, path: string): never {
    throw new FileError(code, path, `Cannot ${verb} "${path}": ${code}`);
  }

  function reach(verb: string, path: string): void {
    const code = failure;
    failure = undefined;
    if (code !== undefined) refuse(code, verb, path);
  }

  function needDirectory(verb: string, path: string): void {
    if (files.has(path)) refuse("ENOTDIR", verb, path);
    if (!directories.has(path)) refuse("ENOENT", verb, path);
  }

  function namesIn(path: string): string[] {
    reach("list", path);
    needDirectory("list", path);
    return [...files.keys(), ...directories].filter((name) =>
      name !== path && parent(name) === path
    ).map((name) => name.slice(name.lastIndexOf("/") + 1)).sort(byBytes);
  }

  function openHandle(path: string, entry: Entry): AppendFile {
    const born = life;
    let isClosed = false;
    const needOpen = (verb: string) => {
      if (isClosed || born !== life) refuse("EBADF", verb, path);
    };
    return {
      get size() {
        return entry.bytes.length;
      },
      async append(bytes) {
        needOpen("append to");
        try {
          reach("append to", path);
        } catch (error) {
          extend(entry, bytes.subarray(0, bytes.length >> 1));
          throw error;
        }
        extend(entry, bytes);
      },
      async dataSync() {
        needOpen("sync");
        reach("sync", path);
        entry.synced = entry.bytes.length;
      },
      async close() {
        isClosed = true;
      },
    };
  }

  function extend(entry: Entry, bytes: Uint8Array): void {
    const joined = new Uint8Array(entry.bytes.length + bytes.length);
    joined.set(entry.bytes);
    joined.set(bytes, entry.bytes.length);
    entry.bytes = joined;
    entry.modifiedMs = now();
  }

  return {
    failNext(code) {
      failure = code;
    },
    crash() {
      life++;
      for (const entry of files.values()) entry.bytes = entry.bytes.slice(0, entry.synced);
    },
    text(path) {
      const entry = files.get(normal(path));
      return entry && new TextDecoder().decode(entry.bytes);
    },
    async read(given, limits) {
      const path = normal(given);
      reach("read", path);
      if (directories.has(path)) refuse("EISDIR", "read", path);
      const entry = files.get(path) ?? refuse("ENOENT", "read", path);
      if (limits?.cut === true) return entry.bytes.slice(0, limits.bytesMax);
      if (entry.bytes.length > (limits?.bytesMax ?? Infinity)) refuse("EFBIG", "read", path);
      return entry.bytes.slice();
    },
    async replace(given, bytes) {
      const path = normal(given);
      reach("replace", path);
      needDirectory("replace", parent(path));
      if (directories.has(path)) refuse("EISDIR", "replace", path);
      files.set(path, { bytes: bytes.slice(), synced: bytes.length, modifiedMs: now() });
    },
    async openAppend(given) {
      const path = normal(given);
      reach("open", path);
      needDirectory("open", parent(path));
      if (directories.has(path)) refuse("EISDIR", "open", path);
      const entry = files.get(path) ?? { bytes: new Uint8Array(), synced: 0, modifiedMs: now() };
      files.set(path, entry);
      return openHandle(path, entry);
    },
    async info(given) {
      const path = normal(given);
      reach("look at", path);
      if (directories.has(path)) {
        return { kind: "directory", bytes: 0, modifiedMs: 0, changedMs: 0 };
      }
      const entry = files.get(path);
      if (entry === undefined) return undefined;
      const { modifiedMs } = entry;
      return { kind: "file", bytes: entry.bytes.length, modifiedMs, changedMs: modifiedMs };
    },
    async list(given) {
      return namesIn(normal(given));
    },
    async entries(given) {
      const path = normal(given);
      return namesIn(path).map((name) => {
        const isDirectory = directories.has(normal(`${path}/${name}`));
        return { name, kind: isDirectory ? "directory" : "file" };
      });
    },
    async realPath(given) {
      const path = normal(given);
      reach("look at", path);
      return files.has(path) || directories.has(path) ? normal(`/${path}`) : undefined;
    },
    async makeDirectory(given) {
      reach("make directory", given);
      for (let path = normal(given); !directories.has(path); path = parent(path)) {
        if (files.has(path)) refuse(path === normal(given) ? "EEXIST" : "ENOTDIR", "make", path);
        directories.add(path);
      }
    },
    async rename(givenFrom, givenTo) {
      const from = normal(givenFrom);
      const to = normal(givenTo);
      reach("rename", from);
      needDirectory("rename", parent(to));
      const entry = files.get(from);
      if (entry === undefined && !directories.has(from)) refuse("ENOENT", "rename", from);
      if (entry !== undefined) {
        if (directories.has(to)) refuse("EISDIR", "rename", from);
        files.delete(from);
        files.set(to, entry);
        return;
      }
      for (const [path, inside] of [...files]) {
        if (!path.startsWith(`${from}/`)) continue;
        files.delete(path);
        files.set(to + path.slice(from.length), inside);
      }
      for (const path of [...directories]) {
        if (path !== from && !path.startsWith(`${from}/`)) continue;
        directories.delete(path);
        directories.add(to + path.slice(from.length));
      }
    },
    async remove(given) {
      const path = normal(given);
      reach("remove", path);
      for (const name of [...files.keys(), ...directories]) {
        if (name !== path && !name.startsWith(`${path}/`)) continue;
        files.delete(name);
        directories.delete(name);
      }
    },
  };
}

function normal(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  if (path.startsWith("/")) return `/${parts.join("/")}`;
  return parts.length === 0 ? "." : parts.join("/");
}

function parent(path: string): string {
  const slash = path.lastIndexOf("/");
  if (slash < 0) return ".";
  return slash === 0 ? "/" : path.slice(0, slash);
}

function byBytes(one: string, other: string): number {
  const encoder = new TextEncoder();
  const left = encoder.encode(one);
  const right = encoder.encode(other);
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    if (left[at] !== right[at]) return left[at]! - right[at]!;
  }
  return left.length - right.length;
}
