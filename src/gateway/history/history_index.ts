import { assert } from "../../base/assert.ts";
import { clientBytes, rowBytes } from "./history_limits.ts";
import { type HistoryClient, noRow, type Row } from "./history_types.ts";

const pageBits = 12;
const pageRows = 1 << pageBits;
const pageMask = pageRows - 1;

/** Columns; all arrays have a place for each row of the page. */
interface Page {
  readonly idLow: Uint32Array;
  readonly idHigh: Uint32Array;
  /** The client's next message. */
  readonly next: Int32Array;
  /** Of all clients. */
  readonly older: Int32Array;
  readonly newer: Int32Array;
  readonly client: Int32Array;
  readonly block: Int32Array;
  /** Where its record begins in the block, and its bytes. */
  readonly at: Uint32Array;
  readonly bytes: Uint32Array;
  /** When it came, since 1970. */
  readonly seconds: Uint32Array;
}

/** Where a message is, and which. */
export interface RowFields {
  readonly idLow: number;
  readonly idHigh: number;
  readonly block: number;
  readonly at: number;
  readonly bytes: number;
  readonly seconds: number;
}

/**
 * Which messages the history has: rows of typed arrays, linked for each client and for all of them,
 * from the oldest. A client's oldest is the only one that leaves.
 */
export class HistoryIndex {
  readonly #pages: Page[] = [];
  readonly #byId = new Map<string, HistoryClient>();
  readonly #byIndex: (HistoryClient | undefined)[] = [];
  readonly #freeIndexes: number[] = [];
  #free: Row = noRow;
  #oldest: Row = noRow;
  #newest: Row = noRow;
  size = 0;
  /** Of the records of all messages. */
  recordBytes = 0;

  get clients(): number {
    return this.#byId.size;
  }

  get oldest(): Row {
    return this.#oldest;
  }

  /** Rows are below this. */
  get end(): Row {
    return this.#pages.length << pageBits;
  }

  /** Of rows, in use or not, and clients. */
  get memoryBytes(): number {
    return this.end * rowBytes + this.#byId.size * clientBytes;
  }

  /** What the messages take, on disk and here. */
  get totalBytes(): number {
    return this.recordBytes + this.size * rowBytes + this.#byId.size * clientBytes;
  }

  all(): Iterable<HistoryClient> {
    return this.#byId.values();
  }

  client(id: string): HistoryClient | undefined {
    return this.#byId.get(id);
  }

  /** A client without messages must get one, or be tidied. */
  clientNamed(id: string): HistoryClient {
    return this.#byId.get(id) ?? this.#addClient(id);
  }

  tidy(client: HistoryClient): void {
    if (client.count > 0 || this.#byIndex[client.index] !== client) return;
    this.#byId.delete(client.id);
    this.#byIndex[client.index] = undefined;
    this.#freeIndexes.push(client.index);
  }

  /** A row that is in no list yet. */
  take(client: HistoryClient, fields: RowFields): Row {
    if (this.#free === noRow) this.#grow();
    const row = this.#free;
    const page = this.#pages[row >> pageBits]!;
    const at = row & pageMask;
    this.#free = page.newer[at]!;
    page.idLow[at] = fields.idLow;
    page.idHigh[at] = fields.idHigh;
    page.client[at] = client.index;
    page.block[at] = fields.block;
    page.at[at] = fields.at;
    page.bytes[at] = fields.bytes;
    page.seconds[at] = fields.seconds;
    return row;
  }

  /** Puts a row behind all others. */
  link(client: HistoryClient, row: Row): void {
    const page = this.#pages[row >> pageBits]!;
    const at = row & pageMask;
    page.next[at] = noRow;
    page.newer[at] = noRow;
    page.older[at] = this.#newest;
    if (this.#newest === noRow) this.#oldest = row;
    else this.#pages[this.#newest >> pageBits]!.newer[this.#newest & pageMask] = row;
    this.#newest = row;
    if (client.last === noRow) client.first = row;
    else this.#pages[client.last >> pageBits]!.next[client.last & pageMask] = row;
    client.last = row;
    client.count++;
    this.size++;
    this.recordBytes += page.bytes[at]!;
  }

  /** Takes a client's oldest message out; its client may have none left. */
  removeFirst(client: HistoryClient): void {
    const row = client.first;
    assert(row !== noRow, "a client without history has an oldest message");
    const page = this.#pages[row >> pageBits]!;
    const at = row & pageMask;
    const older = page.older[at]!;
    const newer = page.newer[at]!;
    if (newer === noRow) this.#newest = older;
    else this.#pages[newer >> pageBits]!.older[newer & pageMask] = older;
    if (older === noRow) this.#oldest = newer;
    else this.#pages[older >> pageBits]!.newer[older & pageMask] = newer;
    client.first = page.next[at]!;
    if (client.first === noRow) client.last = noRow;
    client.count--;
    this.size--;
    this.recordBytes -= page.bytes[at]!;
    this.giveBack(row);
  }

  /** A row that is in no list. */
  giveBack(row: Row): void {
    const page = this.#pages[row >> pageBits]!;
    const at = row & pageMask;
    page.block[at] = noBlock;
    page.newer[at] = this.#free;
    this.#free = row;
  }

  /** Its record is elsewhere now. */
  move(row: Row, to: { block: number; at: number; bytes: number }): void {
    const page = this.#pages[row >> pageBits]!;
    const at = row & pageMask;
    this.recordBytes += to.bytes - page.bytes[at]!;
    page.block[at] = to.block;
    page.at[at] = to.at;
    page.bytes[at] = to.bytes;
  }

  clientOf(row: Row): HistoryClient {
    return this.#byIndex[this.#pages[row >> pageBits]!.client[row & pageMask]!]!;
  }

  next(row: Row): Row {
    return this.#pages[row >> pageBits]!.next[row & pageMask]!;
  }

  /** −1 for a row that is not in use. */
  block(row: Row): number {
    return this.#pages[row >> pageBits]!.block[row & pageMask]!;
  }

  at(row: Row): number {
    return this.#pages[row >> pageBits]!.at[row & pageMask]!;
  }

  bytes(row: Row): number {
    return this.#pages[row >> pageBits]!.bytes[row & pageMask]!;
  }

  seconds(row: Row): number {
    return this.#pages[row >> pageBits]!.seconds[row & pageMask]!;
  }

  idLow(row: Row): number {
    return this.#pages[row >> pageBits]!.idLow[row & pageMask]!;
  }

  idHigh(row: Row): number {
    return this.#pages[row >> pageBits]!.idHigh[row & pageMask]!;
  }

  #addClient(id: string): HistoryClient {
    const index = this.#freeIndexes.pop() ?? this.#byIndex.length;
    const client = { id, index, first: noRow, last: noRow, count: 0, segment: 0, name: 0 };
    this.#byId.set(id, client);
    this.#byIndex[index] = client;
    return client;
  }

  #grow(): void {
    const start = this.#pages.length << pageBits;
    const page: Page = {
      idLow: new Uint32Array(pageRows),
      idHigh: new Uint32Array(pageRows),
      next: new Int32Array(pageRows),
      older: new Int32Array(pageRows),
      newer: new Int32Array(pageRows),
      client: new Int32Array(pageRows),
      block: new Int32Array(pageRows).fill(noBlock),
      at: new Uint32Array(pageRows),
      bytes: new Uint32Array(pageRows),
      seconds: new Uint32Array(pageRows),
    };
    for (let row = 0; row < pageRows; row++) page.newer[row] = start + row + 1;
    page.newer[pageMask] = this.#free;
    this.#pages.push(page);
    this.#free = start;
  }
}

/** In place of a block: the row is not in use. */
const noBlock = -1;
