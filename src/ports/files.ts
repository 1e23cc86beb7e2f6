/** Files. Errors are FileError; nothing here blocks the serving thread. */

export class FileError extends Error {
  override readonly name = "FileError";
  /** The system's code: ENOENT, EACCES, ENOSPC, EIO, … */
  readonly code: string;
  readonly path: string;

  constructor(code: string, path: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.path = path;
  }
}

export interface FileInfo {
  readonly kind: "file" | "directory" | "other";
  readonly bytes: number;
  readonly modifiedMs: number;
  /** When bytes, name, mode or owner last changed (ctime): unlike `modifiedMs`, nobody can set it. */
  readonly changedMs: number;
}

export interface DirectoryEntry {
  readonly name: string;
  /** Of the name itself, not of what a symbolic link leads to; `other` also where the file system
   * does not tell. */
  readonly kind: "file" | "directory" | "link" | "other";
}

export interface AppendFile {
  /** Bytes in the file, as far as this handle wrote or found them. */
  readonly size: number;
  /** Appends all bytes, or rejects; a failed append may leave a torn tail. */
  append(bytes: Uint8Array): Promise<void>;
  /** fdatasync: when it resolves, what was appended survives a power loss. */
  dataSync(): Promise<void>;
  close(): Promise<void>;
}

export interface FilesPort {
  /** A file of more than `bytesMax` is refused (EFBIG), or with `cut` read so far and no further. */
  read(
    path: string,
    options?: { bytesMax?: number; cut?: false } | { bytesMax: number; cut: true },
  ): Promise<Uint8Array>;
  /** Writes beside `path`, syncs, renames over it: readers see the old or the new, never a part. */
  replace(path: string, bytes: Uint8Array, options?: { mode?: number }): Promise<void>;
  openAppend(path: string, options?: { mode?: number }): Promise<AppendFile>;
  /** undefined when there is nothing at `path`. */
  info(path: string): Promise<FileInfo | undefined>;
  /** Names in byte order, without `.` and `..`. */
  list(path: string): Promise<string[]>;
  /** As `list`, with the kind of each name, at no further cost. */
  entries(path: string): Promise<DirectoryEntry[]>;
  /** The absolute path without symbolic links; undefined when there is nothing at `path`, or a
   * link leads in circles. */
  realPath(path: string): Promise<string | undefined>;
  /** With parents; no error when it is there already. */
  makeDirectory(path: string, options?: { mode?: number }): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file or a directory with all in it; no error when there is none. */
  remove(path: string): Promise<void>;
}
