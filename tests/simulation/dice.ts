import { fakeRandom } from "../fakes/random.ts";

/** Chance of one simulation: everything follows from the seed. */
export class Dice {
  readonly #fraction: () => number;

  constructor(seed: number) {
    this.#fraction = fakeRandom(seed).fraction;
  }

  /** From 0 up to, and without, 1. */
  fraction(): number {
    return this.#fraction();
  }

  /** A whole number from 0 up to, and without, `limit`. */
  below(limit: number): number {
    return Math.floor(this.#fraction() * limit);
  }

  /** A whole number of both ends and what lies between. */
  between(first: number, last: number): number {
    return first + this.below(last - first + 1);
  }

  chance(share: number): boolean {
    return this.#fraction() < share;
  }

  /** Undefined only of an empty list. */
  one<T>(list: readonly T[]): T | undefined {
    return list[this.below(list.length)];
  }

  /** One of the keys, as often as their weights say. */
  weighted<Key extends string>(weights: Readonly<Record<Key, number>>): Key {
    const entries = Object.entries(weights) as [Key, number][];
    let left = this.#fraction() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of entries) {
      left -= weight;
      if (left < 0) return key;
    }
    return entries[0]![0];
  }

  /** Milliseconds until something that happens every `mean` of them. */
  pause(mean: number): number {
    return Math.min(10 * mean, Math.ceil(-Math.log(1 - this.#fraction()) * mean));
  }
}
