import { fstatSync, writeSync } from "node:fs";
import type { WaitWritable } from "./poll.ts";

/** How long to sleep between attempts while a reader is slow. */
const RETRY_MS = 2;

/** PIPE_BUF of Linux: so many bytes a pipe or socket that poll(2) calls writable takes at once. */
const CHUNK_BYTES_MAX = 4_096;

/** How long a reader that stands still may hold up the caller. */
export interface OutputBound {
  readonly waitMsMax: number;
  /** Without it only a descriptor that does not block keeps the bound. */
  readonly waitWritable?: WaitWritable | undefined;
}

/**
 * Writes all bytes to an open file, pipe or terminal before it returns, so that nothing is lost
 * when the process exits right after. A pipe that is full is waited for, at most as `bound` says.
 * Returns how many bytes were written; fewer mean that the reader is gone or too slow. Throws what
 * the system says for any other failure (ENOSPC, EIO, …).
 */
export function writeAll(fd: number, bytes: Uint8Array, bound?: OutputBound): number {
  const waitWritable = bound?.waitWritable;
  const until = performance.now() + (bound?.waitMsMax ?? Infinity);
  let written = 0;
  while (written < bytes.length) {
    const left = bytes.length - written;
    if (waitWritable !== undefined && !waitWritable(fd, Math.max(0, until - performance.now()))) {
      return written;
    }
    try {
      const length = waitWritable === undefined ? left : Math.min(left, CHUNK_BYTES_MAX);
      written += writeSync(fd, bytes, written, length);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "EPIPE") return written;
      if (code === "EINTR") continue;
      if (code !== "EAGAIN" && code !== "EWOULDBLOCK") throw error;
      if (performance.now() >= until) return written;
      sleep(RETRY_MS);
    }
  }
  return written;
}

/**
 * An output that never holds up its caller for longer than `waitMsMax`. The writer returns false
 * when the text is lost; after that nothing is waited for until a write goes through. A text that
 * was cut off is completed before the next one. Throws what `writeAll` throws.
 */
export function boundedOutput(fd: number, bound: OutputBound): (text: string) => boolean {
  let rest: Uint8Array = new Uint8Array(0);
  let isStalled = false;
  // A file is always writable.
  let isFile: boolean | undefined;
  return (text) => {
    isFile ??= fstatSync(fd).isFile();
    const bytes = Buffer.concat([rest, Buffer.from(text)]);
    const written = writeAll(fd, bytes, {
      waitMsMax: isStalled ? 0 : bound.waitMsMax,
      waitWritable: isFile ? undefined : bound.waitWritable,
    });
    isStalled = written < bytes.length;
    const isBegun = written > rest.length || text === "";
    rest = isBegun ? bytes.subarray(written) : rest.subarray(written);
    return isBegun;
  };
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
