import process from "node:process";

/** Whether a file descriptor is a terminal. node:tty is loaded when first asked for, because it
 * costs as much as the rest of a short command's start. */
export function isTerminal(fd: number): boolean {
  return process.getBuiltinModule("node:tty").isatty(fd);
}
