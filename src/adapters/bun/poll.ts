import { type WaitWritable, waitWritable } from "../node/poll.ts";

/** poll(2) through bun:ffi, which is loaded at the first call. */
export function bunWaitWritable(): WaitWritable {
  return waitWritable((library) => {
    const { dlopen } = require("bun:ffi") as typeof import("bun:ffi");
    const { symbols } = dlopen(library, {
      poll: { args: ["ptr", "u64", "i32"], returns: "i32" },
    });
    return (pollfd, timeoutMs) => symbols.poll(pollfd, 1, timeoutMs);
  });
}
