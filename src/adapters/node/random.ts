import type { Random } from "../../ports/random.ts";

/** `getRandomValues` fills no more at once (Web Cryptography API §10.1.1). */
const FILL_BYTES_MAX = 65_536;

/** The system's source of randomness, through Web Crypto. */
export function nodeRandom(): Random {
  return {
    bytes(count) {
      const bytes = new Uint8Array(count);
      for (let from = 0; from < count; from += FILL_BYTES_MAX) {
        crypto.getRandomValues(bytes.subarray(from, from + FILL_BYTES_MAX));
      }
      return bytes;
    },
    fraction() {
      const [high, low] = crypto.getRandomValues(new Uint32Array(2));
      return ((high! >>> 5) * 2 ** 26 + (low! >>> 6)) / 2 ** 53;
    },
    uuid: () => crypto.randomUUID(),
  };
}
