interface Page {
  readonly clientIndex: Int32Array;
  readonly low: Uint32Array;
  readonly high: Uint32Array;
  readonly bodyCrc: Uint32Array;
  readonly bodyBytes: Uint32Array;
  readonly stampMs: Float64Array;
}

const pageRows = 8_192;

/** An id whose message was delivered. */
export interface KnownId {
  clientIndex: number;
  low: number;
  high: number;
  bodyCrc: number;
  bodyBytes: number;
  stampMs: number;
}

/** The ids of delivered messages that are read back at start; the newest `max` of them. */
export class KnownIds {
  readonly #pages: Page[] = [];
  readonly #max: number;
  #end = 0;
  #from = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Rows from here up to `end` are kept. */
  get from(): number {
    return this.#from;
  }

  get end(): number {
    return this.#end;
  }

  /** Returns its row. */
  add(id: Readonly<KnownId>): number {
    const at = this.#end % pageRows;
    if (at === 0) this.#pages.push(newPage());
    const page = this.#pages.at(-1)!;
    page.clientIndex[at] = id.clientIndex;
    page.low[at] = id.low;
    page.high[at] = id.high;
    page.bodyCrc[at] = id.bodyCrc;
    page.bodyBytes[at] = id.bodyBytes;
    page.stampMs[at] = id.stampMs;
    this.#end++;
    if (this.#end - this.#from >= this.#max + pageRows) {
      this.#pages.shift();
      this.#from += pageRows;
    }
    return this.#end - 1;
  }

  /** Reads a row that is kept. */
  read(row: number, into: KnownId): void {
    const page = this.#pages[Math.floor((row - this.#from) / pageRows)]!;
    const at = row % pageRows;
    into.clientIndex = page.clientIndex[at]!;
    into.low = page.low[at]!;
    into.high = page.high[at]!;
    into.bodyCrc = page.bodyCrc[at]!;
    into.bodyBytes = page.bodyBytes[at]!;
    into.stampMs = page.stampMs[at]!;
  }
}

function newPage(): Page {
  return {
    clientIndex: new Int32Array(pageRows),
    low: new Uint32Array(pageRows),
    high: new Uint32Array(pageRows),
    bodyCrc: new Uint32Array(pageRows),
    bodyBytes: new Uint32Array(pageRows),
    stampMs: new Float64Array(pageRows),
  };
}
