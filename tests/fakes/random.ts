import type { Random } from "../../src/ports/random.ts";

/** The same sequence for the same seed (mulberry32). For tests only: anybody can guess it. */
export function fakeRandom(seed = 1): Random {
  let state = seed >>> 0;
  const next32 = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const bytes = (count: number) => Uint8Array.from({ length: count }, () => next32() & 0xff);
  return {
    bytes,
    fraction: () => ((next32() >>> 5) * 2 ** 26 + (next32() >>> 6)) / 2 ** 53,
    uuid() {
      const id = bytes(16);
      id[6] = (id[6]! & 0x0f) | 0x40;
      id[8] = (id[8]! & 0x3f) | 0x80;
      const hex = [...id].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      return [[0, 8], [8, 12], [12, 16], [16, 20], [20, 32]]
        .map(([from, to]) => hex.slice(from, to)).join("-");
    },
  };
}
