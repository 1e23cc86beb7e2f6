import { noSlot, type Slot } from "./message_log_types.ts";

const pageBits = 12;
const pageSlots = 1 << pageBits;
const pageMask = pageSlots - 1;

/** What one message takes in the columns below. */
const rowBytes = 56;

/** Columns; all arrays have a place for each slot of the page. */
export interface TablePage {
  readonly sequence: Float64Array;
  readonly newer: Int32Array;
  readonly older: Int32Array;
  readonly next: Int32Array;
  readonly previous: Int32Array;
  readonly clientIndex: Int32Array;
  /** Which memory block holds the record. */
  readonly block: Int32Array;
  /** Position of the body in it; right before stands the stamp, and before that the id's hash. */
  readonly bodyAt: Int32Array;
  readonly bodyBytes: Int32Array;
  readonly bodyCrc: Uint32Array;
  /** Number of the segment that holds it on disk; 0: none. */
  readonly segment: Int32Array;
  readonly place: Uint16Array;
  readonly flags: Uint8Array;
  readonly tries: Uint8Array;
}

/** `flags` of a message; its priority is in the bits above. */
export const slotFlag = { live: 1, up: 2, ackAsked: 4, messageId: 8 } as const;
export const priorityShift = 4;

/**
 * The messages that wait, as rows of typed arrays. It grows by whole pages, so nothing is ever
 * copied; a row that was given back is used again.
 */
export class MessageTable {
  readonly #pages: TablePage[] = [];
  #free: Slot = noSlot;
  #oldest: Slot = noSlot;
  #newest: Slot = noSlot;

  get oldest(): Slot {
    return this.#oldest;
  }

  /** Of all rows, in use or not. */
  get bytes(): number {
    return this.end * rowBytes;
  }

  /** Slots are below this. */
  get end(): Slot {
    return this.#pages.length << pageBits;
  }

  page(slot: Slot): TablePage {
    return this.#pages[slot >> pageBits]!;
  }

  /** Takes a row; all but what the caller sets is as after `append`. */
  take(): Slot {
    if (this.#free === noSlot) this.#grow();
    const slot = this.#free;
    const page = this.#pages[slot >> pageBits]!;
    const row = slot & pageMask;
    this.#free = page.newer[row]!;
    page.next[row] = noSlot;
    page.previous[row] = noSlot;
    page.tries[row] = 0;
    page.place[row] = 0;
    page.segment[row] = 0;
    return slot;
  }

  /** Puts a row at the end of the list from the oldest to the newest. */
  link(slot: Slot): void {
    const page = this.#pages[slot >> pageBits]!;
    const row = slot & pageMask;
    const before = this.#newest;
    page.older[row] = before;
    page.newer[row] = noSlot;
    if (before === noSlot) this.#oldest = slot;
    else this.#pages[before >> pageBits]!.newer[before & pageMask] = slot;
    this.#newest = slot;
  }

  /** Takes a row out of that list. */
  unlink(slot: Slot): void {
    const page = this.#pages[slot >> pageBits]!;
    const row = slot & pageMask;
    const newer = page.newer[row]!;
    const older = page.older[row]!;
    if (newer === noSlot) this.#newest = older;
    else this.#pages[newer >> pageBits]!.older[newer & pageMask] = older;
    if (older === noSlot) this.#oldest = newer;
    else this.#pages[older >> pageBits]!.newer[older & pageMask] = newer;
  }

  /** Takes a row out of that list that stays in use: it is its own newer one from then on. */
  setAside(slot: Slot): void {
    this.unlink(slot);
    this.#pages[slot >> pageBits]!.newer[slot & pageMask] = slot;
  }

  /** Whether a row that was in that list with this sequence number still is. */
  isLinked(slot: Slot, sequence: number): boolean {
    const page = this.#pages[slot >> pageBits]!;
    const row = slot & pageMask;
    return (page.flags[row]! & slotFlag.live) !== 0 && page.sequence[row] === sequence &&
      page.newer[row] !== slot;
  }

  giveBack(slot: Slot): void {
    const page = this.#pages[slot >> pageBits]!;
    const row = slot & pageMask;
    page.flags[row] = 0;
    page.newer[row] = this.#free;
    this.#free = slot;
  }

  #grow(): void {
    const start = this.#pages.length << pageBits;
    const page: TablePage = {
      sequence: new Float64Array(pageSlots),
      newer: new Int32Array(pageSlots),
      older: new Int32Array(pageSlots),
      next: new Int32Array(pageSlots),
      previous: new Int32Array(pageSlots),
      clientIndex: new Int32Array(pageSlots),
      block: new Int32Array(pageSlots),
      bodyAt: new Int32Array(pageSlots),
      bodyBytes: new Int32Array(pageSlots),
      bodyCrc: new Uint32Array(pageSlots),
      segment: new Int32Array(pageSlots),
      place: new Uint16Array(pageSlots),
      flags: new Uint8Array(pageSlots),
      tries: new Uint8Array(pageSlots),
    };
    for (let row = 0; row < pageSlots; row++) page.newer[row] = start + row + 1;
    page.newer[pageMask] = this.#free;
    this.#pages.push(page);
    this.#free = start;
  }
}

/** The row of a slot within its page. */
export function rowOf(slot: Slot): number {
  return slot & pageMask;
}
