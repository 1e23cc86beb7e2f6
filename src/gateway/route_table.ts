import type { RouteRule } from "../config/gateway_config.ts";

const none = -1;

/**
 * Finds the rule with the longest prefix of a client id, among any number of rules. The prefixes lie
 * sorted in one buffer (by UTF-16 units, as JavaScript compares texts), and each knows the longest
 * other one that it begins with: the wanted one is the last that is not above the id, or one of those
 * that it begins with.
 */
export class RouteTable {
  /** The units of all prefixes, one after the other, and where each begins. */
  readonly #units: Uint16Array;
  readonly #starts: Uint32Array;
  /** The rule of each. */
  readonly #rules: Int32Array;
  /** The longest other prefix that it begins with. */
  readonly #parents: Int32Array;

  private constructor(
    { units, starts, rules }: { units: Uint16Array; starts: Uint32Array; rules: Int32Array },
  ) {
    this.#units = units;
    this.#starts = starts;
    this.#rules = rules;
    this.#parents = this.#findParents();
  }

  /** Of rules with equal prefixes the first counts. The rules are not kept. */
  static of(rules: readonly Pick<RouteRule, "clientIdPrefix">[]): RouteTable {
    const first = new Map<string, number>();
    let length = 0;
    for (const [index, { clientIdPrefix }] of rules.entries()) {
      if (first.has(clientIdPrefix)) continue;
      first.set(clientIdPrefix, index);
      length += clientIdPrefix.length;
    }
    const sorted = [...first.keys()].sort();
    const units = new Uint16Array(length);
    const starts = new Uint32Array(sorted.length + 1);
    const indexes = new Int32Array(sorted.length);
    let at = 0;
    for (const [place, prefix] of sorted.entries()) {
      starts[place] = at;
      indexes[place] = first.get(prefix) as number;
      for (let unit = 0; unit < prefix.length; unit++) units[at++] = prefix.charCodeAt(unit);
    }
    starts[sorted.length] = at;
    return new RouteTable({ units, starts, rules: indexes });
  }

  /** Different prefixes. */
  get size(): number {
    return this.#rules.length;
  }

  /** Position in the list of rules; undefined when no rule matches. */
  find(clientId: string): number | undefined {
    for (
      let place = this.#lastNotAbove(clientId);
      place !== none;
      place = this.#parents[place] as number
    ) {
      if (this.#length(place) === this.#common(place, clientId, 0)) {
        return this.#rules[place] as number;
      }
    }
    return undefined;
  }

  /** The last prefix that sorts before the id or is equal to it. */
  #lastNotAbove(id: string): number {
    let low = 0;
    let high = this.#rules.length;
    // Everything in between shares at least the fewer of the units that its neighbours share with
    // the id.
    let commonBelow = 0;
    let commonAbove = 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const common = this.#common(middle, id, Math.min(commonBelow, commonAbove));
      const isNotAbove = common === this.#length(middle) ||
        (common < id.length &&
          (this.#units[(this.#starts[middle] as number) + common] as number) <
            id.charCodeAt(common));
      if (isNotAbove) {
        low = middle + 1;
        commonBelow = common;
      } else {
        high = middle;
        commonAbove = common;
      }
    }
    return low - 1;
  }

  /** How many units a prefix shares with the id, of which so many are known. */
  #common(place: number, id: string, known: number): number {
    const start = this.#starts[place] as number;
    const end = Math.min(this.#length(place), id.length);
    let common = known;
    while (common < end && this.#units[start + common] === id.charCodeAt(common)) common++;
    return common;
  }

  #length(place: number): number {
    return (this.#starts[place + 1] as number) - (this.#starts[place] as number);
  }

  #findParents(): Int32Array {
    const parents = new Int32Array(this.#rules.length);
    for (let place = 0; place < parents.length; place++) {
      let parent = place - 1;
      // What a prefix begins with is among those that the one before it begins with.
      while (parent !== none && !this.#begins(place, parent)) parent = parents[parent] as number;
      parents[place] = parent;
    }
    return parents;
  }

  #begins(place: number, parent: number): boolean {
    const length = this.#length(parent);
    if (length > this.#length(place)) return false;
    const start = this.#starts[place] as number;
    const parentStart = this.#starts[parent] as number;
    for (let unit = 0; unit < length; unit++) {
      if (this.#units[start + unit] !== this.#units[parentStart + unit]) return false;
    }
    return true;
  }
}
