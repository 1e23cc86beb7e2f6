import { inflateSync } from "node:zlib";
import type { GitIo } from "../../ports/git_io.ts";
import { nodeGitFiles } from "./git_files.ts";
import { fetchGitHttp } from "./git_http.ts";

/** Files, HTTP and zlib for git repositories. */
export function nodeGitIo(): GitIo {
  return { files: nodeGitFiles(), http: fetchGitHttp(), inflateAt };
}

const inflateAt: GitIo["inflateAt"] = (bytes, from, { outputBytesMax }) => {
  try {
    // One more than allowed, since the least that `maxOutputLength` takes is 1.
    const options = { info: true, maxOutputLength: outputBytesMax + 1 };
    const { buffer, engine } = inflateSync(bytes.subarray(from), options) as unknown as {
      buffer: Uint8Array;
      engine: { bytesWritten: number };
    };
    if (buffer.length > outputBytesMax) return undefined;
    return { output: buffer, end: from + engine.bytesWritten };
  } catch {
    // Broken, cut short or too long: the same to the caller, who answers for a stranger's bytes.
    return undefined;
  }
};
