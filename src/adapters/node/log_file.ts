import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
} from "node:fs";
import { dirname } from "node:path";
import { fileError } from "./file_error.ts";
import { writeAll } from "./output.ts";

const FILE_MODE = 0o600;

const lineEnd = Buffer.from("\n");

interface OpenFile {
  readonly fd: number;
  size: number;
  /** Whether its last line has no end yet. */
  isTorn: boolean;
}

/** A file of lines that is renamed away when it is full. */
export interface RotatingFile {
  /** Appends a line that ends in a newline. Never throws: failures go to `failed`, once until a
   * line gets through again. */
  write(line: string): void;
  close(): void;
}

/**
 * Opens `path` for appending: `path` is the newest, then `path.1` … `path.<filesMax−1>`. A line
 * that would take the file past `bytesMax` starts the next one; where files cannot be renamed, the
 * file itself begins anew. Throws FileError when it cannot be opened at first.
 */
export function rotatingFile(options: {
  path: string;
  bytesMax: number;
  filesMax: number;
  failed(error: Error): void;
}): RotatingFile {
  const { path, bytesMax, filesMax } = options;
  let file: OpenFile | undefined = openFile(path);
  let isFailing = false;
  let isClosed = false;

  function fail(error: unknown): void {
    if (!isFailing) options.failed(fileError("write log", path, error));
    isFailing = true;
  }

  function rotate(full: OpenFile): OpenFile {
    try {
      shift(path, filesMax);
    } catch (error) {
      // A directory that may not be written to must neither end the log nor let it grow.
      fail(error);
      ftruncateSync(full.fd);
      return { ...full, size: 0 };
    }
    closeSync(full.fd);
    file = undefined;
    return openFile(path);
  }

  function append(line: string): void {
    const bytes = Buffer.from(line);
    file ??= openFile(path);
    if (file.size > 0 && file.size + bytes.length > bytesMax) file = rotate(file);
    // What a full disk cut off must not swallow the next line.
    const whole = file.isTorn ? Buffer.concat([lineEnd, bytes]) : bytes;
    try {
      file.size += writeAll(file.fd, whole);
      file.isTorn = false;
    } catch (error) {
      const { size } = fstatSync(file.fd);
      file.isTorn ||= size !== file.size;
      file.size = size;
      throw error;
    }
  }

  return {
    write(line) {
      if (isClosed) return;
      try {
        append(line);
        isFailing = false;
      } catch (error) {
        fail(error);
      }
    },
    close() {
      if (!isClosed && file !== undefined) closeSync(file.fd);
      isClosed = true;
    },
  };
}

function openFile(path: string): OpenFile {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const fd = openSync(path, "a+", FILE_MODE);
    const { size } = fstatSync(fd);
    const last = new Uint8Array(1);
    if (size > 0) readSync(fd, last, 0, 1, size - 1);
    return { fd, size, isTorn: size > 0 && last[0] !== lineEnd[0] };
  } catch (error) {
    throw fileError("open log", path, error);
  }
}

/** Makes room for a new `path` by giving each file the next number; the oldest goes. */
function shift(path: string, filesMax: number): void {
  const nameOf = (number: number) => number === 0 ? path : `${path}.${number}`;
  rmSync(nameOf(filesMax - 1), { force: true });
  for (let number = filesMax - 2; number >= 0; number--) {
    try {
      renameSync(nameOf(number), nameOf(number + 1));
    } catch (error) {
      // Not every number need be there yet.
      if (fileError("rotate", path, error).code !== "ENOENT") throw error;
    }
  }
}
