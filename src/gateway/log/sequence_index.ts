import { noSlot } from "./message_log_types.ts";

const pageBits = 12;
const pageNumbers = 1 << pageBits;

interface Page {
  readonly values: Int32Array;
  count: number;
}

/**
 * A number for each sequence number, `noSlot` where there is none: nearly all of them are dense, so
 * they are kept in arrays by pages.
 */
export class SequenceIndex {
  readonly #pages = new Map<number, Page>();
  #lastNumber = -1;
  #last: Page | undefined;

  get(sequence: number): number {
    const page = this.#page(Math.floor(sequence / pageNumbers));
    return page === undefined ? noSlot : page.values[sequence % pageNumbers]!;
  }

  set(sequence: number, value: number): void {
    const number = Math.floor(sequence / pageNumbers);
    let page = this.#page(number);
    if (page === undefined) {
      page = { values: new Int32Array(pageNumbers).fill(noSlot), count: 0 };
      this.#pages.set(number, page);
      this.#lastNumber = number;
      this.#last = page;
    }
    if (page.values[sequence % pageNumbers] === noSlot) page.count++;
    page.values[sequence % pageNumbers] = value;
  }

  delete(sequence: number): void {
    const number = Math.floor(sequence / pageNumbers);
    const page = this.#page(number);
    if (page === undefined || page.values[sequence % pageNumbers] === noSlot) return;
    page.values[sequence % pageNumbers] = noSlot;
    if (--page.count > 0) return;
    this.#pages.delete(number);
    this.#lastNumber = -1;
    this.#last = undefined;
  }

  /** From the lowest sequence number on. */
  each(visit: (value: number, sequence: number) => void): void {
    for (const number of [...this.#pages.keys()].sort((one, other) => one - other)) {
      const { values } = this.#pages.get(number)!;
      for (let at = 0; at < pageNumbers; at++) {
        if (values[at] !== noSlot) visit(values[at]!, number * pageNumbers + at);
      }
    }
  }

  #page(number: number): Page | undefined {
    if (number === this.#lastNumber) return this.#last;
    const page = this.#pages.get(number);
    if (page !== undefined) {
      this.#lastNumber = number;
      this.#last = page;
    }
    return page;
  }
}
