import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
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

  return {
    sizeFound,
    append: (bytes) =>
      next("append to", async () => {
        for (let at = 0; at < bytes.length;) {
          const { bytesWritten } = await file.write(bytes, at, bytes.length - at, null);
          at += bytesWritten;
        }
      }),
    dataSync: () => next("sync", () => file.datasync()),
    close() {
      closing ??= tail.then(() => attempt("close", path, () => file.close()));
      return closing;
    },
  };
}

function reader(path: string, file: FileHandle): LogFileReader {
  let isClosed = false;
  return {
    read(into, from) {
      if (isClosed) return Promise.reject(closed("read", path));
      return attempt("read", path, async () => {
        let filled = 0;
        while (filled < into.length) {
          const { bytesRead } = await file.read(into, filled, into.length - filled, from + filled);
          if (bytesRead === 0) break;
          filled += bytesRead;
        }
        return filled;
      });
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
