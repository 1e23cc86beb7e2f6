import type { Dirent } from "node:fs";
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rm,
  stat,
  unlink,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import {
  type AppendFile,
  type DirectoryEntry,
  FileError,
  type FilesPort,
} from "../../ports/files.ts";
import { appendFile } from "./append_file.ts";
import { fileError } from "./file_error.ts";

/** What a new file or directory allows, before the umask: its owner alone. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** How much is asked for at once where the size is not known beforehand. */
const READ_CHUNK_BYTES = 65_536;

/** Files of the machine, through node:fs/promises: no call blocks the thread. */
export function nodeFiles(): FilesPort {
  return {
    read: (path, options) =>
      options?.cut === true
        ? readStart(path, options.bytesMax)
        : read(path, options?.bytesMax ?? Infinity),
    replace: (path, bytes, options) => replace(path, bytes, options?.mode ?? FILE_MODE),
    openAppend: (path, options) => openAppend(path, options?.mode ?? FILE_MODE),
    async info(path) {
      try {
        const found = await stat(path);
        const kind = found.isFile() ? "file" : found.isDirectory() ? "directory" : "other";
        return {
          kind,
          bytes: found.size,
          modifiedMs: Math.floor(found.mtimeMs),
          changedMs: Math.floor(found.ctimeMs),
        };
      } catch (error) {
        const failure = fileError("look at", path, error);
        if (failure.code === "ENOENT" || failure.code === "ENOTDIR") return undefined;
        throw failure;
      }
    },
    async list(path) {
      const names = await attempt("list", path, () => readdir(path, { encoding: "buffer" }));
      return names.sort(Buffer.compare).map((name) => name.toString());
    },
    async entries(path) {
      const found = await attempt("list", path, () => readdir(path, { withFileTypes: true }));
      const keyed = found.map((entry) => ({ entry, bytes: Buffer.from(entry.name) }));
      keyed.sort((one, other) => Buffer.compare(one.bytes, other.bytes));
      return keyed.map(({ entry }) => ({ name: entry.name, kind: kindOf(entry) }));
    },
    async realPath(path) {
      try {
        return await realpath(path);
      } catch (error) {
        const failure = fileError("look at", path, error);
        if (["ENOENT", "ENOTDIR", "ELOOP"].includes(failure.code)) return undefined;
        throw failure;
      }
    },
    async makeDirectory(path, options) {
      const mode = options?.mode ?? DIRECTORY_MODE;
      try {
        await mkdir(path, { recursive: true, mode });
      } catch (error) {
        const failure = fileError("make directory", path, error);
        if (failure.code !== "EEXIST") throw failure;
        const found = `Cannot make directory "${path}": it is there, but not a directory (EEXIST)`;
        throw new FileError("EEXIST", path, found, error);
      }
    },
    async rename(from, to) {
      await attempt("rename", from, () => rename(from, to));
    },
    async remove(path) {
      await attempt("remove", path, () => rm(path, { recursive: true, force: true }));
    },
  };
}

function kindOf(entry: Dirent): DirectoryEntry["kind"] {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "directory";
  return entry.isSymbolicLink() ? "link" : "other";
}

async function attempt<T>(verb: string, path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw fileError(verb, path, error);
  }
}

async function read(path: string, bytesMax: number): Promise<Uint8Array> {
  const file = await attempt("open", path, () => open(path, "r"));
  try {
    return await attempt("read", path, () => readOpen(file, path, bytesMax));
  } finally {
    await file.close();
  }
}

/** The first bytes of a file, all of them if it has no more. */
async function readStart(path: string, bytesMax: number): Promise<Uint8Array> {
  const file = await attempt("open", path, () => open(path, "r"));
  try {
    return await attempt("read", path, async () => {
      const bytes = new Uint8Array(bytesMax);
      let filled = 0;
      while (filled < bytesMax) {
        const { bytesRead } = await file.read(bytes, filled, bytesMax - filled, null);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return bytes.subarray(0, filled);
    });
  } finally {
    await file.close();
  }
}

/** Reads to the end, wherever that turns out to be: files grow, and those of /proc say 0. */
async function readOpen(file: FileHandle, path: string, bytesMax: number): Promise<Uint8Array> {
  const { size } = await file.stat();
  let bytes = new Uint8Array(checkedSize(size, path, bytesMax) + 1);
  let filled = 0;
  for (;;) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, null);
    if (bytesRead === 0) return bytes.subarray(0, filled);
    filled += bytesRead;
    checkedSize(filled, path, bytesMax);
    if (filled < bytes.length) continue;
    const grown = new Uint8Array(bytes.length + Math.max(bytes.length, READ_CHUNK_BYTES));
    grown.set(bytes);
    bytes = grown;
  }
}

function checkedSize(size: number, path: string, bytesMax: number): number {
  if (size <= bytesMax) return size;
  throw new FileError(
    "EFBIG",
    path,
    `Cannot read "${path}": it has ${size} bytes or more, allowed are ${bytesMax} (EFBIG)`,
  );
}

async function replace(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const beside = join(
    dirname(path),
    `.${basename(path)}.${crypto.randomUUID()}.tmp`,
  );
  try {
    const file = await open(beside, "wx", mode);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    // The first failure is the one to tell; this only tidies up, and often there is nothing left.
    await unlink(beside).catch(() => {});
    throw fileError("replace", path, error);
  }
}

async function openAppend(path: string, mode: number): Promise<AppendFile> {
  return await attempt("open", path, async () => {
    const { file, created } = await openForAppending(path, mode);
    try {
      if (created) await syncDirectory(dirname(path));
      const { size } = await file.stat();
      return appendFile(path, file, size);
    } catch (error) {
      await file.close();
      throw error;
    }
  });
}

async function openForAppending(
  path: string,
  mode: number,
): Promise<{ file: FileHandle; created: boolean }> {
  try {
    return { file: await open(path, "ax", mode), created: true };
  } catch (error) {
    if (fileError("open", path, error).code !== "EEXIST") throw error;
    return { file: await open(path, "a", mode), created: false };
  }
}

/** Makes a new name in a directory survive a power loss. Windows cannot and need not. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
