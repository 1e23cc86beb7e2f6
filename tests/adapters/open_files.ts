import { readdirSync } from "node:fs";

/** How many files and sockets this process has open (Linux's /proc). */
export function openFiles(): number {
  return readdirSync("/proc/self/fd").length;
}
