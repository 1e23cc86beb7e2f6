import { FileError } from "../../src/ports/files.ts";
import type { LogFilesPort, LogFileWriter } from "../../src/ports/log_file.ts";

/** A call that reaches the disk. */
export interface DiskCall {
  readonly verb:
    | "list"
    | "open"
    | "append"
    | "sync"
    | "read"
    | "cut"
    | "remove"
    | "rename"
    | "syncDirectory"
    | "makeDirectory";
  readonly path: string;
  /** Counted from 1. */
  readonly number: number;
}

/**
 * A disk in memory that fails as disks do. Like a real one it keeps apart what is written and what
 * would survive a power loss: bytes after `dataSync`, names after `syncDirectory`. After a failed
 * `dataSync` it forgets what it could not write, as Linux does: later syncs succeed without it.
 */
export interface FakeDisk {
  /** The port of a program; `kill` and `losePower` end it for all who hold it. */
  start(): LogFilesPort;
  /** The program ends; what it wrote stays. */
  kill(): void;
  /** What was not synced goes: all of it, none or a part, as `fraction` (0–1) decides for each
   * file and each name. */
  losePower(fraction: () => number): void;
  /** Says for each call whether it fails, with a code; undefined: it works. */
  fails: ((call: DiskCall) => string | undefined) | undefined;
  /** How much of an append that fails is written all the same (0–1). */
  tornShare: () => number;
  readonly calls: number;
  readonly bytesAppended: number;
  readonly syncs: number;
  /** All that is in files. */
  readonly bytesKept: number;
  names(): string[];
  bytes(path: string): Uint8Array;
  /** Puts a file there, as if it had always been. */
  put(path: string, bytes: Uint8Array): void;
  flip(path: string, at: number, mask: number): void;
}

interface Inode {
  bytes: Uint8Array;
  size: number;
  /** So many bytes would survive. */
  synced: number;
  /** What a failed sync lost: it is there until a power loss, then it is zeros. */
  holes: { from: number; to: number }[];
}

export function fakeDisk(): FakeDisk {
  let names = new Map<string, Inode>();
  let durableNames = new Map<string, Inode>();
  let life = 0;
  let calls = 0;
  let bytesAppended = 0;
  let syncs = 0;

  function refuse(code: string, verb: string, path: string): never {
    throw new FileError(code, path, `Cannot ${verb} "${path}": ${code}`);
  }

  const disk: FakeDisk = {
    fails: undefined,
    tornShare: () => 0.5,
    start: () => port(life),
    kill() {
      life++;
    },
    losePower(fraction) {
      life++;
      const before = names;
      names = new Map(durableNames);
      for (const name of new Set([...before.keys(), ...durableNames.keys()])) {
        if (before.get(name) === durableNames.get(name) || fraction() < 0.5) continue;
        const inode = before.get(name);
        if (inode === undefined) names.delete(name);
        else names.set(name, inode);
      }
      for (const inode of new Set(names.values())) crash(inode, fraction());
      durableNames = new Map(names);
    },
    get calls() {
      return calls;
    },
    get bytesAppended() {
      return bytesAppended;
    },
    get syncs() {
      return syncs;
    },
    get bytesKept() {
      return [...names.values()].reduce((sum, inode) => sum + inode.size, 0);
    },
    names: () => [...names.keys()].sort(),
    bytes: (path) => content(names.get(path) ?? refuse("ENOENT", "read", path)).slice(),
    put(path, bytes) {
      const inode = { bytes: bytes.slice(), size: bytes.length, synced: bytes.length, holes: [] };
      names.set(path, inode);
      durableNames.set(path, inode);
    },
    flip(path, at, mask) {
      const inode = names.get(path) ?? refuse("ENOENT", "flip", path);
      inode.bytes[at] = inode.bytes[at]! ^ mask;
    },
  };

  function reach(born: number, verb: DiskCall["verb"], path: string): void {
    if (born !== life) refuse("EBADF", verb, path);
    calls++;
    const code = disk.fails?.({ verb, path, number: calls });
    if (code !== undefined) refuse(code, verb, path);
  }

  function openWriter(born: number, path: string, inode: Inode): LogFileWriter {
    let tail: Promise<unknown> = Promise.resolve();
    let isClosed = false;
    const next = (call: () => void): Promise<void> => {
      if (isClosed) return Promise.reject(new FileError("EBADF", path, "it is closed"));
      const done = tail.then(call);
      tail = done.catch(() => {});
      return done;
    };
    const append = (bytes: Uint8Array) => {
      try {
        reach(born, "append", path);
      } catch (error) {
        if (born === life) {
          extend(inode, bytes.subarray(0, Math.floor(bytes.length * disk.tornShare())));
        }
        throw error;
      }
      bytesAppended += bytes.length;
      extend(inode, bytes);
    };
    const dataSync = () => {
      try {
        reach(born, "sync", path);
      } catch (error) {
        if (born === life) inode.holes.push({ from: inode.synced, to: inode.size });
        throw error;
      } finally {
        if (born === life) inode.synced = inode.size;
      }
      syncs++;
    };
    return {
      sizeFound: inode.size,
      append: (bytes) => next(() => append(bytes)),
      dataSync: () => next(dataSync),
      // Two calls to the disk, each of which may fail or be the last.
      async appendSynced(bytes) {
        await next(() => append(bytes));
        await next(dataSync);
      },
      async close() {
        isClosed = true;
        await tail;
      },
    };
  }

  function port(born: number): LogFilesPort {
    return {
      async makeDirectory(path) {
        reach(born, "makeDirectory", path);
      },
      async list(directory) {
        reach(born, "list", directory);
        const prefix = directory === "." ? "" : `${directory}/`;
        return [...names].filter(([path]) =>
          path.startsWith(prefix) && !path.slice(prefix.length).includes("/")
        ).map(([path, inode]) => ({ name: path.slice(prefix.length), bytes: inode.size }));
      },
      async openAppend(path) {
        reach(born, "open", path);
        let inode = names.get(path);
        if (inode === undefined) {
          inode = { bytes: new Uint8Array(256), size: 0, synced: 0, holes: [] };
          names.set(path, inode);
        }
        return openWriter(born, path, inode);
      },
      async openRead(path) {
        reach(born, "open", path);
        const inode = names.get(path) ?? refuse("ENOENT", "open", path);
        let isClosed = false;
        return {
          async read(into, at) {
            if (isClosed) refuse("EBADF", "read", path);
            reach(born, "read", path);
            const found = content(inode).subarray(at, at + into.length);
            into.set(found);
            return found.length;
          },
          async close() {
            isClosed = true;
          },
        };
      },
      async truncate(path, bytes) {
        reach(born, "cut", path);
        const inode = names.get(path) ?? refuse("ENOENT", "cut", path);
        inode.size = Math.min(inode.size, bytes);
        inode.synced = Math.min(inode.synced, bytes);
      },
      async remove(path) {
        reach(born, "remove", path);
        names.delete(path);
      },
      async rename(from, to) {
        reach(born, "rename", from);
        const inode = names.get(from) ?? refuse("ENOENT", "rename", from);
        names.delete(from);
        names.set(to, inode);
      },
      async syncDirectory(directory) {
        reach(born, "syncDirectory", directory);
        durableNames = new Map(names);
      },
    };
  }

  return disk;
}

function content(inode: Inode): Uint8Array {
  return inode.bytes.subarray(0, inode.size);
}

function extend(inode: Inode, bytes: Uint8Array): void {
  if (inode.size + bytes.length > inode.bytes.length) {
    const larger = new Uint8Array(2 * (inode.size + bytes.length));
    larger.set(content(inode));
    inode.bytes = larger;
  }
  inode.bytes.set(bytes, inode.size);
  inode.size += bytes.length;
}

/** Keeps a part of what was not synced, from its beginning. */
function crash(inode: Inode, share: number): void {
  const kept = share < 0.3 ? 0 : share > 0.7 ? 1 : (share - 0.3) / 0.4;
  const size = inode.synced + Math.floor((inode.size - inode.synced) * kept);
  for (const { from, to } of inode.holes) inode.bytes.fill(0, from, Math.min(to, size));
  inode.holes = [];
  inode.size = size;
  inode.synced = size;
}
