import { firstLibrary } from "./c_library.ts";

/** Waits until a descriptor takes bytes without blocking; false when `timeoutMs` passed before. */
export type WaitWritable = (fd: number, timeoutMs: number) => boolean;

/** poll(2) on one `struct pollfd`; -1 when a signal came between. */
export type Poll = (pollfd: Uint8Array<ArrayBuffer>, timeoutMs: number) => number;

const POLLOUT = 4;

/**
 * Writing to a pipe or socket whose reader stands still blocks the thread, and only the system can
 * tell beforehand. `load` finds poll(2) in the C library named, at the first call; where there is
 * none, every descriptor passes as writable.
 */
export function waitWritable(load: (library: string) => Poll): WaitWritable {
  let poll: Poll | undefined;
  return (fd, timeoutMs) => {
    poll ??= firstLibrary(load) ?? (() => 1);
    // struct pollfd: int fd, short events, short revents, in this machine's byte order.
    const pollfd = new Uint8Array(8);
    new Int32Array(pollfd.buffer)[0] = fd;
    new Int16Array(pollfd.buffer)[2] = POLLOUT;
    const until = performance.now() + timeoutMs;
    for (let leftMs = timeoutMs;; leftMs = until - performance.now()) {
      const found = poll(pollfd, Math.max(0, Math.ceil(leftMs)));
      if (found > 0) return true;
      if (found === 0 || leftMs <= 0) return false;
    }
  };
}
