import { constants } from "node:fs";
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
} from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { FileError } from "../../ports/files.ts";
import type { LogFileReader, LogFilesPort, LogFileWriter } from "../../ports/log_file.ts";
import { fileError } from "./file_error.ts";

/** What a new file or directory allows, before the umask: its owner alone. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** Files of the machine, through node:fs/promises: no call blocks the thread. */
export function nodeLogFiles(): LogFilesPort {
  return {
    makeDirectory: (path) =>
      attempt("make directory", path, async () => {
        await mkdir(path, { recursive: true, mode: DIRECTORY_MODE });
      }),
    list: (directory) =>
      attempt("list", directory, async () => {
        const entries = await readdir(directory, { withFileTypes: true });
        const files = entries.filter((entry) => entry.isFile());
        return await Promise.all(files.map(async ({ name }) => {
          const { size } = await stat(join(directory, name));
          return { name, bytes: size };
        }));
      }),
    openAppend: (path) =>
      attempt("open", path, async () => {
        const file = await open(path, "a", FILE_MODE);
        try {
          return writer(path, file, (await file.stat()).size);
        } catch (error) {
          await file.close();
          throw error;
        }
      }),
    openRead: (path) => attempt("open", path, async () => reader(path, await open(path, "r"))),
    truncate: (path, bytes) =>
      attempt("cut", path, async () => {
        const file = await open(path, "r+");
        try {
          await file.truncate(bytes);
          await file.datasync();
        } finally {
          await file.close();
        }
      }),
    remove: (path) => attempt("remove", path, () => rm(path, { force: true })),
    rename: (from, to) => attempt("rename", from, () => rename(from, to)),
    syncDirectory: (directory) =>
      attempt("sync", directory, async () => {
        // Windows cannot and need not.
        if (process.platform === "win32") return;
        const file = await open(directory, "r");
        try {
          await file.sync();
        } finally {
          await file.close();
        }
      }),
  };
}

function writer(path: string, file: FileHandle, sizeFound: number): LogFileWriter {
  let tail: Promise<unknown> = Promise.resolve();
  let closing: Promise<void> | undefined;

  function next(verb: string, call: () => Promise<void>): Promise<void> {
    if (closing !== undefined) return Promise.reject(closed(verb, path));
    const done = tail.then(() => attempt(verb, path, call));
    // Whoever called hears of the failure; the next in line goes on.
    tail = done.catch(() => {});
    return done;
  }

  /** Undefined until it is asked for, null where there is none. */
  let synced: FileHandle | null | undefined;
  let isUnsynced = false;

  async function append(bytes: Uint8Array): Promise<void> {
    isUnsynced = true;
    await writeAll(file, bytes);
  }

  async function dataSync(): Promise<void> {
    await file.datasync();
    isUnsynced = false;
  }

  async function appendSynced(bytes: Uint8Array): Promise<void> {
    if (synced === undefined) synced = await openSynced(path);
    if (synced !== null && !isUnsynced) return await writeAll(synced, bytes);
    await append(bytes);
    await dataSync();
  }

  async function close(): Promise<void> {
    try {
      await synced?.close();
    } finally {
      await file.close();
    }
  }

  return {
    sizeFound,
    append: (bytes) => next("append to", () => append(bytes)),
    dataSync: () => next("sync", dataSync),
    appendSynced: (bytes) => next("write to", () => appendSynced(bytes)),
    close() {
      closing ??= tail.then(() => attempt("close", path, close));
      return closing;
    },
  };
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, null);
    at += bytesWritten;
  }
}

/**
 * The same file once more, its writes done when they would survive a power loss (O_DSYNC): one trip
 * to the thread pool in place of two. Null where the kernel does not say that it took the flag, and
 * where no more files can be opened: the two calls do the same.
 */
async function openSynced(path: string): Promise<FileHandle | null> {
  if (process.platform !== "linux") return null;
  const { O_WRONLY, O_APPEND, O_DSYNC } = constants;
  const file = await open(path, O_WRONLY | O_APPEND | O_DSYNC).catch(() => null);
  if (file === null) return null;
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(
      await readFile(`/proc/self/fdinfo/${file.fd}`, "utf8"),
    );
    if ((parseInt(flags?.[1] ?? "0", 8) & O_DSYNC) === O_DSYNC) return file;
  } catch {
    // Without /proc nobody knows.
  }
  await file.close();
  return null;
}

function reader(path: string, file: FileHandle): LogFileReader {
  let isClosed = false;
  return {
    read(into, from) {
      if (isClosed) return Promise.reject(closed("read", path));
      return read(0);

      // Without `attempt`: hundreds are under way at a time.
      function read(filled: number): Promise<number> {
        return file.read(into, filled, into.length - filled, from + filled).then(
          ({ bytesRead }) => {
            const now = filled + bytesRead;
            return bytesRead === 0 || now === into.length ? now : read(now);
          },
          (error: unknown) => {
            throw fileError("read", path, error);
          },
        );
      }
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      await attempt("close", path, () => file.close());
    },
  };
}

function closed(verb: string, path: string): FileError {
  return new FileError("EBADF", path, `Cannot ${verb} "${path}": it is closed (EBADF)`);
}

async function attempt<T>(verb: string, path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw fileError(verb, path, error);
  }
}
