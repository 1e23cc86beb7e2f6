import { constants } from "node:fs";
import {
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rmdir,
  stat,
  unlink,
} from "node:fs/promises";
import { FileError } from "../../ports/files.ts";
import type { GitFiles } from "../../ports/git_io.ts";
import { fileError } from "./file_error.ts";

/** Everybody may read packages: they are what every client is told to install. */
const FILE_MODE = 0o644;
const DIRECTORY_MODE = 0o755;

const COPY_CHUNK_BYTES = 1_048_576;

/** Files of the machine for git repositories, through node:fs/promises. */
export function nodeGitFiles(): GitFiles {
  return {
    library: {
      readFile: (path, options) => readFile(path, options as null),
      writeFile: (path, data) => write(path, data, "w"),
      unlink,
      readdir: (path) => readdir(path),
      mkdir: async (path) => {
        await mkdir(path, { mode: DIRECTORY_MODE });
      },
      rmdir: (path) => rmdir(path),
      stat: (path) => stat(path),
      lstat: (path) => lstat(path),
      readlink: (path) => readlink(path, { encoding: "buffer" }),
      symlink: (_target, path) => {
        const message = `Cannot make "${path}": no links are made`;
        return Promise.reject(new FileError("EPERM", path, message));
      },
    },
    async writeNew(path, bytes) {
      try {
        await write(path, bytes, "wx");
      } catch (error) {
        throw fileError("write", path, error);
      }
    },
    async copyNew(from, to, { bytesMax }) {
      try {
        return await copy(from, to, bytesMax);
      } catch (error) {
        throw fileError("copy", from, error);
      }
    },
    async kindOf(path) {
      try {
        const found = await lstat(path);
        if (found.isSymbolicLink()) return "link";
        return found.isFile() ? "file" : found.isDirectory() ? "directory" : "other";
      } catch (error) {
        const failure = fileError("look at", path, error);
        if (failure.code === "ENOENT" || failure.code === "ENOTDIR") return "nothing";
        throw failure;
      }
    },
    async syncDirectory(path) {
      if (constants.O_DIRECTORY === undefined) return;
      const directory = await open(path, "r");
      try {
        await directory.sync();
      } finally {
        await directory.close();
      }
    },
  };
}

async function write(path: string, data: Uint8Array | string, flags: string): Promise<void> {
  const file = await open(path, flags, FILE_MODE);
  try {
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function copy(from: string, to: string, bytesMax: number): Promise<number> {
  // A link that somebody puts in the way of what was looked at before is not followed.
  const source = await open(from, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  try {
    const target = await open(to, "wx", FILE_MODE);
    try {
      const chunk = new Uint8Array(COPY_CHUNK_BYTES);
      let copied = 0;
      for (;;) {
        const { bytesRead } = await source.read(chunk, 0, chunk.length, null);
        if (bytesRead === 0) break;
        copied += bytesRead;
        if (copied > bytesMax) {
          const found = `Cannot copy "${from}": it has over ${bytesMax} bytes (EFBIG)`;
          throw new FileError("EFBIG", from, found);
        }
        for (let written = 0; written < bytesRead;) {
          const rest = bytesRead - written;
          written += (await target.write(chunk, written, rest, null)).bytesWritten;
        }
      }
      await target.sync();
      return copied;
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}
