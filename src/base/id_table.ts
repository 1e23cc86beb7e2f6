/** What is found by its id. */
export interface HasId {
  readonly id: string;
}

const slotsMin = 16;

/** Shares of the slots that are taken: more make searches long, fewer waste memory. */
const fullestNumerator = 3;
const fullestDenominator = 4;

/**
 * Objects by their own id: an open-addressed hash table that stores nothing but the objects, 11 to
 * 22 bytes for each, where a `Map` takes 30 to 180 and grows fourfold at once. `seed` should be
 * unguessable where strangers choose the ids, so that they cannot make many of them collide.
 */
export class IdTable<T extends HasId> {
  readonly #seed: number;
  #slots: (T | undefined)[] = emptySlots<T>(slotsMin);
  #mask = slotsMin - 1;
  #size = 0;

  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  get size(): number {
    return this.#size;
  }

  get(id: string): T | undefined {
    const slots = this.#slots;
    for (let at = this.#home(id);; at = (at + 1) & this.#mask) {
      const item = slots[at];
      if (item === undefined || item.id === id) return item;
    }
  }

  /** Replaces what has the same id. */
  set(item: T): void {
    if (this.#put(item)) this.#size++;
    if (this.#size * fullestDenominator > this.#slots.length * fullestNumerator) {
      this.#resize(this.#slots.length * 2);
    }
  }

  /** Whether there was one. */
  delete(id: string): boolean {
    const slots = this.#slots;
    const mask = this.#mask;
    let hole = this.#home(id);
    while (slots[hole]?.id !== id) {
      if (slots[hole] === undefined) return false;
      hole = (hole + 1) & mask;
    }
    // What was put behind it because its place was taken moves up.
    for (let at = (hole + 1) & mask;; at = (at + 1) & mask) {
      const item = slots[at];
      if (item === undefined) break;
      const fromHome = (at - this.#home(item.id)) & mask;
      if (fromHome < ((at - hole) & mask)) continue;
      slots[hole] = item;
      hole = at;
    }
    slots[hole] = undefined;
    this.#size--;
    if (slots.length > slotsMin && this.#size * 8 < slots.length) this.#resize(slots.length / 2);
    return true;
  }

  /** In no order. Nothing may be added or deleted meanwhile. */
  *values(): Generator<T, void> {
    for (const item of this.#slots) if (item !== undefined) yield item;
  }

  #put(item: T): boolean {
    const slots = this.#slots;
    for (let at = this.#home(item.id);; at = (at + 1) & this.#mask) {
      const present = slots[at];
      if (present !== undefined && present.id !== item.id) continue;
      slots[at] = item;
      return present === undefined;
    }
  }

  #resize(length: number): void {
    const before = this.#slots;
    this.#slots = emptySlots<T>(length);
    this.#mask = length - 1;
    for (const item of before) if (item !== undefined) this.#put(item);
  }

  /** Two rounds of MurmurHash3's mixing for every two characters. */
  #home(id: string): number {
    let hash = this.#seed;
    for (let i = 0; i < id.length; i++) {
      hash = Math.imul(hash ^ id.charCodeAt(i), 0xcc9e2d51);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    return (hash ^ (hash >>> 13)) & this.#mask;
  }
}

function emptySlots<T>(length: number): (T | undefined)[] {
  return new Array<T | undefined>(length).fill(undefined);
}
