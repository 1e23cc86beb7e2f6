import { type WaitWritable, waitWritable } from "../node/poll.ts";

/** poll(2) through Deno's foreign functions (`--allow-ffi`), loaded at the first call. */
export function denoWaitWritable(): WaitWritable {
  return waitWritable((library) => {
    const { symbols } = Deno.dlopen(library, {
      poll: { parameters: ["buffer", "usize", "i32"], result: "i32" },
    });
    return (pollfd, timeoutMs) => symbols.poll(pollfd, 1n, timeoutMs);
  });
}
