import type { RouteRule } from "../config/gateway_config.ts";
import type { Slices } from "./slices.ts";

/** Steps between two looks at the clock. */
const stepsBetweenLooks = 256;

type Prefixed = Pick<RouteRule, "clientIdPrefix">;

/**
 * Finds the rule with the longest prefix of a client id, among any number of rules. The prefixes are
 * in a hash table; an id is hashed once from its beginning on, which yields the hash of each of its
 * own prefixes, and those as long as some rule's are looked up, the longest first. Texts are compared
 * by UTF-16 units.
 */
export class RouteTable {
  readonly #rules: readonly Prefixed[];
  /** Open addressing: the position of a rule plus 1, or 0, and the hash of its prefix. */
  readonly #places: Int32Array;
  readonly #hashes: Int32Array;
  /** 1 for each length that a prefix has. */
  readonly #isLength: Uint8Array;
  /** Hashes of the beginnings of the id that is being looked up, by their length. */
  readonly #beginnings: Int32Array;
  #size = 0;

  private constructor(rules: readonly Prefixed[], longest: number) {
    this.#rules = rules;
    this.#isLength = new Uint8Array(longest + 1);
    this.#beginnings = new Int32Array(longest + 1);
    const slots = slotsFor(rules.length);
    this.#places = new Int32Array(slots);
    this.#hashes = new Int32Array(slots);
  }

  /** Of rules with equal prefixes the first counts. The list is kept and must not change. */
  static of(rules: readonly Prefixed[]): RouteTable {
    let longest = 0;
    for (const { clientIdPrefix } of rules) longest = Math.max(longest, clientIdPrefix.length);
    const table = new RouteTable(rules, longest);
    for (let place = 0; place < rules.length; place++) table.#add(place);
    return table;
  }

  /** The same in slices, while other work goes on. */
  static async build(rules: readonly Prefixed[], slices: Slices): Promise<RouteTable> {
    let longest = 0;
    for (let place = 0; place < rules.length; place++) {
      if (place % stepsBetweenLooks === 0 && slices.isOver) await slices.next();
      longest = Math.max(longest, (rules[place] as Prefixed).clientIdPrefix.length);
    }
    const table = new RouteTable(rules, longest);
    for (let place = 0; place < rules.length; place++) {
      if (place % stepsBetweenLooks === 0 && slices.isOver) await slices.next();
      table.#add(place);
    }
    return table;
  }

  /** Different prefixes. */
  get size(): number {
    return this.#size;
  }

  /** Position in the list of rules; undefined when no rule matches. */
  find(clientId: string): number | undefined {
    if (this.#size === 0) return undefined;
    const beginnings = this.#beginnings;
    const longest = Math.min(clientId.length, beginnings.length - 1);
    let hash = hashSeed;
    beginnings[0] = hash;
    for (let at = 0; at < longest; at++) {
      hash = hashOn(hash, clientId.charCodeAt(at));
      beginnings[at + 1] = hash;
    }
    for (let length = longest; length >= 0; length--) {
      if (this.#isLength[length] === 0) continue;
      const slot = this.#slotOf(clientId, length, beginnings[length] as number);
      const place = this.#places[slot] as number;
      if (place !== 0) return place - 1;
    }
    return undefined;
  }

  #add(place: number): void {
    const prefix = (this.#rules[place] as Prefixed).clientIdPrefix;
    let hash = hashSeed;
    for (let at = 0; at < prefix.length; at++) hash = hashOn(hash, prefix.charCodeAt(at));
    const slot = this.#slotOf(prefix, prefix.length, hash);
    if (this.#places[slot] !== 0) return;
    this.#places[slot] = place + 1;
    this.#hashes[slot] = hash;
    this.#isLength[prefix.length] = 1;
    this.#size += 1;
  }

  /** Where the prefix is that consists of the first `length` units, or where it would be. */
  #slotOf(text: string, length: number, hash: number): number {
    const mask = this.#places.length - 1;
    let slot = spread(hash) & mask;
    for (;;) {
      const place = this.#places[slot] as number;
      if (place === 0) return slot;
      if (this.#hashes[slot] === hash) {
        const prefix = (this.#rules[place - 1] as Prefixed).clientIdPrefix;
        if (prefix.length === length && text.startsWith(prefix)) return slot;
      }
      slot = (slot + 1) & mask;
    }
  }
}

/** A power of 2, so that at most half of them are taken. */
function slotsFor(rules: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(8, rules * 2)));
}

/** FNV-1a, unit by unit. */
const hashSeed = 0x811c9dc5 | 0;

function hashOn(hash: number, unit: number): number {
  return Math.imul(hash ^ unit, 0x01000193);
}

/** Its lower bits depend on few; all of them count here. */
function spread(hash: number): number {
  const bits = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return bits ^ (bits >>> 13);
}
