import type { FileHandle } from "node:fs/promises";
import { type AppendFile, FileError } from "../../ports/files.ts";
import { fileError } from "./file_error.ts";

/**
 * An open file that only grows. Calls take effect in the order they were made. After a failed
 * dataSync nothing works any more, because the kernel forgets which pages it could not write: a
 * later sync would succeed without them.
 */
export function appendFile(path: string, file: FileHandle, sizeFound: number): AppendFile {
  let size = sizeFound;
  let tail: Promise<unknown> = Promise.resolve();
  let closing: Promise<void> | undefined;
  let syncFailure: FileError | undefined;

  function next<T>(verb: string, call: () => Promise<T>): Promise<T> {
    if (closing !== undefined) {
      return Promise.reject(
        new FileError("EBADF", path, `Cannot ${verb} "${path}": it is closed (EBADF)`),
      );
    }
    const done = tail.then(async () => {
      if (syncFailure !== undefined) throw syncFailure;
      try {
        return await call();
      } catch (error) {
        throw fileError(verb, path, error);
      }
    });
    // Whoever called hears of the failure; the next in line goes on.
    tail = done.catch(() => {});
    return done;
  }

  return {
    get size() {
      return size;
    },
    append: (bytes) =>
      next("append to", async () => {
        let written = 0;
        while (written < bytes.length) {
          const result = await file.write(bytes, written, bytes.length - written, null);
          written += result.bytesWritten;
          size += result.bytesWritten;
        }
      }),
    dataSync: () =>
      next("sync", async () => {
        try {
          await file.datasync();
        } catch (error) {
          syncFailure = fileError("sync", path, error);
          throw syncFailure;
        }
      }),
    close() {
      closing ??= tail.then(async () => {
        try {
          await file.close();
        } catch (error) {
          throw fileError("close", path, error);
        }
      });
      return closing;
    },
  };
}
