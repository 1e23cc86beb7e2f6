import { FileError } from "../../ports/files.ts";

/** The port's error for one of node:fs: what was tried, on which path, and the system's code. */
export function fileError(verb: string, path: string, cause: unknown): FileError {
  if (cause instanceof FileError) return cause;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "EIO";
  return new FileError(code, path, `Cannot ${verb} "${path}": ${explain(code, cause)}`, cause);
}

function explain(code: string, cause: unknown): string {
  const known = explanations[code];
  if (known !== undefined) return `${known} (${code})`;
  return cause instanceof Error ? cause.message : `${code}`;
}

const explanations: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or directory",
  ENOTDIR: "a part of the path is not a directory",
  EISDIR: "it is a directory",
  EACCES: "this user may not",
  EPERM: "this user may not",
  EROFS: "the file system is read-only",
  ENOSPC: "no space is left on the device",
  EDQUOT: "the user's disk quota is used up",
  EEXIST: "it exists already",
  EMFILE: "this process has too many open files",
  ENAMETOOLONG: "the name is too long",
  EBADF: "it is closed",
};
