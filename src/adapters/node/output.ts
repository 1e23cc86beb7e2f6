import { writeSync } from "node:fs";

/** How long to sleep between attempts while a reader is slow. */
const RETRY_MS = 2;

/**
 * Writes all bytes to an open file, pipe or terminal before it returns, so that nothing is lost
 * when the process exits right after. A pipe that is full is waited for, at most `waitMsMax`.
 * Returns how many bytes were written; fewer mean that the reader is gone or too slow. Throws what
 * the system says for any other failure (ENOSPC, EIO, …).
 */
export function writeAll(fd: number, bytes: Uint8Array, waitMsMax = Infinity): number {
  let written = 0;
  let waitedMs = 0;
  while (written < bytes.length) {
    try {
      written += writeSync(fd, bytes, written, bytes.length - written);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "EPIPE") return written;
      if (code === "EINTR") continue;
      if (code !== "EAGAIN" && code !== "EWOULDBLOCK") throw error;
      if (waitedMs >= waitMsMax) return written;
      sleep(RETRY_MS);
      waitedMs += RETRY_MS;
    }
  }
  return written;
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
