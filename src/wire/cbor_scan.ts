import { breakByte, type CborFault, CborHead, cborNestingMax, major } from "./cbor_head.ts";

export interface ScanLimits {
  /** Levels of arrays, maps, tags and chunked strings; 32 when absent. */
  readonly nestingMax?: number;
  /** Bytes of one item, refused as soon as a head declares more; no bound when absent. */
  readonly itemBytesMax?: number;
}

/**
 * Finds where items end in a stream without building them: each byte is looked at once, however the
 * stream was cut, and what is held is one counter a level.
 */
export class CborScanner {
  readonly #head = new CborHead();
  readonly #nestingMax: number;
  readonly #itemBytesMax: number;
  /** Items to come at each level; below zero for indefinite lengths, where it counts down from −1. */
  readonly #left: number[] = [];
  readonly #kinds: number[] = [];
  #contentLeft = 0;
  #inContent = false;
  #itemBytes = 0;

  constructor(limits: ScanLimits = {}) {
    this.#nestingMax = limits.nestingMax ?? cborNestingMax;
    this.#itemBytesMax = limits.itemBytesMax ?? Infinity;
  }

  /**
   * Goes on with the item at hand, from `from`. Returns where it ends, undefined when it needs more
   * than these bytes, or what is wrong with it; the scanner is of no use after a fault.
   */
  scan(bytes: Uint8Array, from: number): number | CborFault | undefined {
    let at = from;
    for (;;) {
      if (this.#inContent) {
        const taken = Math.min(this.#contentLeft, bytes.length - at);
        at += taken;
        this.#itemBytes += taken;
        this.#contentLeft -= taken;
        if (this.#contentLeft > 0) return undefined;
        this.#inContent = false;
        if (this.#completeItem()) return at;
      }
      if (at >= bytes.length) return undefined;
      const next = this.#head.read(bytes, at);
      this.#itemBytes += next - at;
      at = next;
      if (this.#head.status === "ill_formed") return "ill_formed";
      if (this.#head.status === "begun") continue;
      const outcome = this.#enter();
      if (outcome === "complete") {
        if (this.#completeItem()) return at;
      } else if (outcome !== undefined) return outcome;
    }
  }

  /** What the head just read begins, or completes at once. */
  #enter(): CborFault | "complete" | undefined {
    const { major: kind, indefinite, argument } = this.#head;
    const chunksOf = this.#kinds.at(-1);
    const inChunks = chunksOf === major.bytes || chunksOf === major.text;
    if (kind === major.simple && indefinite) return this.#leave();
    if (inChunks && (kind !== chunksOf || indefinite)) return "ill_formed";
    switch (kind) {
      case major.bytes:
      case major.text:
        if (indefinite) return this.#nest(kind, -1);
        if (argument > this.#itemBytesMax - this.#itemBytes) return "too_large";
        this.#contentLeft = argument;
        this.#inContent = true;
        return undefined;
      case major.array:
      case major.map: {
        if (indefinite) return this.#nest(kind, -1);
        const count = kind === major.map ? argument * 2 : argument;
        if (count > this.#itemBytesMax - this.#itemBytes) return "too_large";
        if (count > 0) return this.#nest(kind, count);
        return this.#left.length < this.#nestingMax ? "complete" : "nested_too_deep";
      }
      case major.tag:
        return this.#nest(kind, 1);
    }
    return this.#itemBytes > this.#itemBytesMax ? "too_large" : "complete";
  }

  #nest(kind: number, count: number): CborFault | undefined {
    if (this.#left.length >= this.#nestingMax) return "nested_too_deep";
    if (this.#itemBytes > this.#itemBytesMax) return "too_large";
    this.#left.push(count);
    this.#kinds.push(kind);
    return undefined;
  }

  /** A break: right only inside an indefinite length, and in a map only before a key. */
  #leave(): CborFault | "complete" {
    const left = this.#left.at(-1);
    if (left === undefined || left >= 0) return "ill_formed";
    if (this.#kinds.at(-1) === major.map && left % 2 === 0) return "ill_formed";
    this.#left.pop();
    this.#kinds.pop();
    return "complete";
  }

  /** Counts an item in what holds it; true when that was the outermost. */
  #completeItem(): boolean {
    for (;;) {
      const level = this.#left.length - 1;
      if (level < 0) {
        this.#itemBytes = 0;
        return true;
      }
      const left = --this.#left[level]!;
      if (left !== 0) return false;
      this.#left.pop();
      this.#kinds.pop();
    }
  }
}

/** Where the item at `from` ends, or what is wrong with it. */
export function itemEnd(bytes: Uint8Array, from: number, limits?: ScanLimits): number | CborFault {
  return new CborScanner(limits).scan(bytes, from) ?? "cut_short";
}

/**
 * The raw bytes of each item of an array, as views; undefined when the bytes are not exactly one
 * well-formed array of at most `itemsMax` items. The nesting limit counts the array itself.
 */
export function splitArray(bytes: Uint8Array, itemsMax: number): Uint8Array[] | undefined {
  const items: Uint8Array[] = [];
  const whole = visitItems(bytes, major.array, (from, to) => {
    items.push(bytes.subarray(from, to));
    return items.length <= itemsMax;
  });
  return whole ? items : undefined;
}

/**
 * The raw bytes of the values of some text keys of a map (text or byte strings in the shortest form
 * or not), the last where a key repeats; undefined when the bytes are not exactly one well-formed
 * map.
 */
export function readMap<Key extends string>(
  bytes: Uint8Array,
  keys: readonly Key[],
): Partial<Record<Key, Uint8Array>> | undefined {
  const found: Partial<Record<Key, Uint8Array>> = {};
  let isKey = true;
  let key: Key | undefined;
  const whole = visitItems(bytes, major.map, (from, to) => {
    if (isKey) key = keys.find((name) => holdsKey(bytes, { from, to, name }));
    else if (key !== undefined) found[key] = bytes.subarray(from, to);
    isKey = !isKey;
    return true;
  });
  return whole ? found : undefined;
}

/** Whether the item there is a string in one piece whose content is the name, in ASCII. */
function holdsKey(
  bytes: Uint8Array,
  key: { readonly from: number; readonly to: number; readonly name: string },
): boolean {
  const { from, to, name } = key;
  const kind = bytes[from]! >> 5;
  if (kind !== major.text && kind !== major.bytes) return false;
  const content = to - name.length;
  // Its head must have the size that its first byte tells: 1 byte, or 1 more and 1, 2, 4 or 8.
  const info = bytes[from]! & 31;
  if (content - from !== (info < 24 ? 1 : info < 28 ? 1 + (1 << (info - 24)) : 0)) return false;
  for (let at = 0; at < name.length; at++) {
    if (bytes[content + at] !== name.charCodeAt(at)) return false;
  }
  return true;
}

function visitItems(
  bytes: Uint8Array,
  kind: number,
  visit: (from: number, to: number) => boolean,
): boolean {
  if (bytes.length === 0) return false;
  const head = new CborHead();
  let at = head.read(bytes, 0);
  if (head.status !== "whole" || head.major !== kind) return false;
  const scanner = new CborScanner({ nestingMax: cborNestingMax - 1 });
  const count = head.indefinite ? Infinity : head.argument * (kind === major.map ? 2 : 1);
  let seen = 0;
  for (; seen < count; seen++) {
    if (head.indefinite && bytes[at] === breakByte) {
      at++;
      break;
    }
    const end = scanner.scan(bytes, at);
    if (typeof end !== "number" || !visit(at, end)) return false;
    at = end;
  }
  return at === bytes.length && (kind !== major.map || seen % 2 === 0);
}
