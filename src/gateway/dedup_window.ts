import type { MessageIdHash } from "./log/message_log_types.ts";

/** What a repetition is compared by. */
export interface DedupKey {
  readonly low: number;
  readonly high: number;
  readonly bodyCrc: number;
  readonly bodyBytes: number;
  /** Monotonic time: the wall clock may jump. */
  readonly nowMs: number;
}

/** `different`: the id is known with another body. */
export type DedupFinding =
  | { readonly kind: "new" }
  | { readonly kind: "different" }
  | {
    readonly kind: "same";
    /** The first copy's: what its acknowledgement waits for. */
    readonly sequence: number;
  };

export interface DedupLimits {
  readonly windowMs: number;
  /** Ids of one client, so that one cannot push out those of all others. */
  readonly perClient: number;
  readonly total: number;
}

export const dedupPerClient = 10_000;
export const dedupTotal = 1_000_000;

const pageBits = 13;
const pageRows = 1 << pageBits;
const pageMask = pageRows - 1;
const none = 0;

/** Heads of the chains; as many as ids at most, so that chains stay short. */
const bucketCount = 1 << 20;

/** Rows are counted from 1, so that 0 is none in a fresh array. 40 bytes an id. */
interface Page {
  readonly low: Uint32Array;
  readonly high: Uint32Array;
  readonly client: Uint32Array;
  /** CRC and length of the body in one. */
  readonly print: Uint32Array;
  readonly timeMs: Uint32Array;
  /** The lower 32 bits. */
  readonly sequence: Uint32Array;
  readonly chain: Uint32Array;
  readonly newerOfClient: Uint32Array;
  readonly newer: Uint32Array;
  readonly older: Uint32Array;
}

/**
 * The ids of acknowledged messages, for some time: a repetition is told from a new message, and from
 * another message with the same id. Pure, in typed arrays: 44 bytes an id with its share of the hash
 * table. Over a limit the oldest are forgotten first.
 */
export class DedupWindow {
  readonly #limits: DedupLimits;
  readonly #forgotten: (clientIndex: number) => void;
  readonly #pages: Page[] = [];
  /** Made with the first id. */
  #buckets = new Uint32Array(0);
  #rows = 0;
  #free = none;
  #oldest = none;
  #newest = none;
  #count = 0;
  #clientOldest = new Uint32Array(64);
  #clientNewest = new Uint32Array(64);
  #clientCount = new Uint32Array(64);
  #latestSequence = 0;
  #latestMs = -Infinity;

  /** `forgotten` is called once for each id that goes, with the client's number. */
  constructor(limits: DedupLimits, forgotten: (clientIndex: number) => void = () => {}) {
    this.#limits = limits;
    this.#forgotten = forgotten;
  }

  get size(): number {
    return this.#count;
  }

  /** Ids of one client. */
  known(clientIndex: number): number {
    return this.#clientCount[clientIndex] ?? 0;
  }

  /** Whether an id is known at all; for new ones that is all there is to ask. */
  has(clientIndex: number, id: MessageIdHash & { readonly nowMs: number }): boolean {
    this.expire(id.nowMs);
    return this.known(clientIndex) > 0 && this.#find(clientIndex, id) !== none;
  }

  look(clientIndex: number, key: DedupKey): DedupFinding {
    this.expire(key.nowMs);
    const row = this.#find(clientIndex, key);
    if (row === none) return isNew;
    const page = this.#pages[row >> pageBits]!;
    const at = row & pageMask;
    if (page.print[at] !== printOf(key)) return isDifferent;
    const back = (this.#latestSequence - page.sequence[at]!) % 2 ** 32;
    return { kind: "same", sequence: this.#latestSequence - (back < 0 ? back + 2 ** 32 : back) };
  }

  /** Remembers an id; nothing changes when it is known already. `ageMs`: it came that long before
   * `nowMs`; ids must be added from the oldest on. */
  add(clientIndex: number, key: DedupKey, sequence: number, ageMs = 0): boolean {
    this.expire(key.nowMs);
    if (sequence > this.#latestSequence) this.#latestSequence = sequence;
    if (ageMs >= this.#limits.windowMs || this.#find(clientIndex, key) !== none) return false;
    this.#makeRoomFor(clientIndex);
    const row = this.#take();
    const page = this.#pages[row >> pageBits]!;
    const at = row & pageMask;
    page.low[at] = key.low;
    page.high[at] = key.high;
    page.client[at] = clientIndex;
    page.print[at] = printOf(key);
    // Time in the list never goes back, or expiry would stop at one from the future.
    this.#latestMs = Math.max(this.#latestMs, key.nowMs - ageMs);
    page.timeMs[at] = this.#latestMs;
    page.sequence[at] = sequence % 2 ** 32;
    this.#link(row, page, at);
    return true;
  }

  /** Forgets an id, because its message could not be stored. */
  forget(clientIndex: number, id: MessageIdHash): void {
    const row = this.#find(clientIndex, id);
    if (row !== none) this.#remove(row);
  }

  /** Forgets what is past the window. Cheap: it looks no further than the first that stays. */
  expire(nowMs: number): void {
    while (this.#oldest !== none) {
      const page = this.#pages[this.#oldest >> pageBits]!;
      // Times are kept in 32 bits: 49 days, in which any id has long gone.
      const age = (Math.floor(nowMs) - page.timeMs[this.#oldest & pageMask]!) | 0;
      if (age < this.#limits.windowMs) return;
      this.#remove(this.#oldest);
    }
  }

  #makeRoomFor(clientIndex: number): void {
    if (clientIndex >= this.#clientCount.length) this.#growClients(clientIndex);
    if (this.#clientCount[clientIndex]! >= this.#limits.perClient) {
      this.#remove(this.#clientOldest[clientIndex]!);
    }
    if (this.#count >= this.#limits.total) this.#remove(this.#oldest);
  }

  #find(clientIndex: number, id: MessageIdHash): number {
    if (this.#count === 0) return none;
    let row = this.#buckets[bucketOf(clientIndex, id.low, id.high)]!;
    while (row !== none) {
      const page = this.#pages[row >> pageBits]!;
      const at = row & pageMask;
      const isIt = page.low[at] === id.low && page.high[at] === id.high &&
        page.client[at] === clientIndex;
      if (isIt) return row;
      row = page.chain[at]!;
    }
    return none;
  }

  #take(): number {
    if (this.#free !== none) {
      const row = this.#free;
      this.#free = this.#pages[row >> pageBits]!.chain[row & pageMask]!;
      return row;
    }
    const row = ++this.#rows;
    if (row >> pageBits >= this.#pages.length) this.#pages.push(newPage());
    if (this.#buckets.length === 0) this.#buckets = new Uint32Array(bucketCount);
    return row;
  }

  #link(row: number, page: Page, at: number): void {
    const client = page.client[at]!;
    const bucket = bucketOf(client, page.low[at]!, page.high[at]!);
    page.chain[at] = this.#buckets[bucket]!;
    this.#buckets[bucket] = row;
    page.older[at] = this.#newest;
    page.newer[at] = none;
    if (this.#newest === none) this.#oldest = row;
    else this.#pages[this.#newest >> pageBits]!.newer[this.#newest & pageMask] = row;
    this.#newest = row;
    page.newerOfClient[at] = none;
    const before = this.#clientNewest[client]!;
    if (before === none) this.#clientOldest[client] = row;
    else this.#pages[before >> pageBits]!.newerOfClient[before & pageMask] = row;
    this.#clientNewest[client] = row;
    this.#clientCount[client]!++;
    this.#count++;
  }

  #remove(row: number): void {
    const page = this.#pages[row >> pageBits]!;
    const at = row & pageMask;
    const client = page.client[at]!;
    this.#unchain(row, bucketOf(client, page.low[at]!, page.high[at]!));
    const newer = page.newer[at]!;
    const older = page.older[at]!;
    if (newer === none) this.#newest = older;
    else this.#pages[newer >> pageBits]!.older[newer & pageMask] = older;
    if (older === none) this.#oldest = newer;
    else this.#pages[older >> pageBits]!.newer[older & pageMask] = newer;
    this.#removeOfClient(row, client);
    page.chain[at] = this.#free;
    this.#free = row;
    this.#count--;
    this.#forgotten(client);
  }

  #unchain(row: number, bucket: number): void {
    const next = this.#pages[row >> pageBits]!.chain[row & pageMask]!;
    let found = this.#buckets[bucket]!;
    if (found === row) {
      this.#buckets[bucket] = next;
      return;
    }
    for (;;) {
      const page = this.#pages[found >> pageBits]!;
      const at = found & pageMask;
      found = page.chain[at]!;
      if (found !== row) continue;
      page.chain[at] = next;
      return;
    }
  }

  /** Nearly always the client's oldest, else its newest, which could not be stored: a client's list
   * is short enough for what is between. */
  #removeOfClient(row: number, client: number): void {
    const next = this.#pages[row >> pageBits]!.newerOfClient[row & pageMask]!;
    this.#clientCount[client]!--;
    let found = this.#clientOldest[client]!;
    if (found === row) {
      this.#clientOldest[client] = next;
      if (next === none) this.#clientNewest[client] = none;
      return;
    }
    for (;;) {
      const page = this.#pages[found >> pageBits]!;
      const at = found & pageMask;
      if (page.newerOfClient[at] === row) {
        page.newerOfClient[at] = next;
        if (next === none) this.#clientNewest[client] = found;
        return;
      }
      found = page.newerOfClient[at]!;
    }
  }

  #growClients(clientIndex: number): void {
    const length = Math.max(clientIndex + 1, this.#clientCount.length * 2);
    this.#clientOldest = grown(this.#clientOldest, length);
    this.#clientNewest = grown(this.#clientNewest, length);
    this.#clientCount = grown(this.#clientCount, length);
  }
}

/**
 * 64 bits of a message id, the same in each run of the program. Two ids with one hash would be
 * taken for a repetition or refused, and a client can only do that to itself.
 */
export function hashMessageId(messageId: string): MessageIdHash {
  let low = 0x9e3779b9 ^ messageId.length;
  let high = 0x85ebca6b;
  for (let at = 0; at < messageId.length; at++) {
    const unit = messageId.charCodeAt(at);
    low = Math.imul(low ^ unit, 0x9e3779b1);
    high = Math.imul(high ^ unit, 0x5f356495);
    low ^= low >>> 15;
  }
  low = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
  high = Math.imul(high ^ (high >>> 16), 0x27d4eb2f) ^ Math.imul(low ^ (low >>> 13), 0x165667b1);
  return { low: low >>> 0, high: high >>> 0 };
}

const isNew = { kind: "new" } as const;
const isDifferent = { kind: "different" } as const;

function bucketOf(client: number, low: number, high: number): number {
  const mixed = Math.imul(low ^ Math.imul(client, 0x9e3779b1), 0x85ebca6b) ^ high;
  return (mixed ^ (mixed >>> 15)) & (bucketCount - 1);
}

function printOf(key: DedupKey): number {
  return (key.bodyCrc ^ Math.imul(key.bodyBytes, 0x9e3779b1)) >>> 0;
}

function grown(array: Uint32Array<ArrayBuffer>, length: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(length);
  larger.set(array);
  return larger;
}

function newPage(): Page {
  const column = () => new Uint32Array(pageRows);
  return {
    low: column(),
    high: column(),
    client: column(),
    print: column(),
    timeMs: column(),
    sequence: column(),
    chain: column(),
    newerOfClient: column(),
    newer: column(),
    older: column(),
  };
}
