import process from "node:process";

/** What `load` gives for the first name under which the C library is found: on glibc, musl, macOS.
 * undefined where none is, or where the runtime does not allow foreign functions. */
export function firstLibrary<T>(load: (library: string) => T): T | undefined {
  const arch = process.arch === "arm64" ? "aarch64" : "x86_64";
  for (const library of ["libc.so.6", `libc.musl-${arch}.so.1`, "libSystem.B.dylib"]) {
    try {
      return load(library);
    } catch {
      // Another system's name.
    }
  }
  return undefined;
}
