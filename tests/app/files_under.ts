import type { FilesPort } from "../../src/ports/files.ts";

/** The same files as a program in `directory` would see them: relative paths begin there. */
export function filesUnder(files: FilesPort, directory: string): FilesPort {
  const at = (path: string) => path.startsWith("/") ? path : `${directory}/${path}`;
  return {
    ...files,
    read: (path, options) => files.read(at(path), options),
    replace: (path, bytes, options) => files.replace(at(path), bytes, options),
    openAppend: (path, options) => files.openAppend(at(path), options),
    info: (path) => files.info(at(path)),
    list: (path) => files.list(at(path)),
    entries: (path) => files.entries(at(path)),
    realPath: (path) => files.realPath(at(path)),
    makeDirectory: (path, options) => files.makeDirectory(at(path), options),
    rename: (from, to) => files.rename(at(from), at(to)),
    remove: (path) => files.remove(at(path)),
  };
}
