import { deflateSync, inflateSync } from "node:zlib";
import type { Zlib } from "../../ports/zlib.ts";

/** The system's zlib. */
export function nodeZlib(): Zlib {
  return {
    inflate(bytes, { outputBytesMax }) {
      try {
        // One more than allowed, since the least that `maxOutputLength` takes is 1.
        const output = inflateSync(bytes, { maxOutputLength: outputBytesMax + 1 });
        return output.length > outputBytesMax ? undefined : plain(output);
      } catch {
        // Broken, cut short or too long: the same to the caller, who answers for a stranger's bytes.
        return undefined;
      }
    },
    deflate: (bytes) => plain(deflateSync(bytes)),
  };
}

/** A plain array: a Buffer's `slice` would share what callers take for a copy. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
