import { noSlot, type Slot } from "./message_log_types.ts";

const pageBits = 12;
const pageNumbers = 1 << pageBits;

/** Slots by sequence number: nearly all of them are dense, so they are kept in arrays by pages. */
export class SequenceIndex {
  readonly #pages = new Map<number, { slots: Int32Array; count: number }>();
  #lastNumber = -1;
  #last: { slots: Int32Array; count: number } | undefined;

  get(sequence: number): Slot {
    const page = this.#page(Math.floor(sequence / pageNumbers));
    return page === undefined ? noSlot : page.slots[sequence % pageNumbers]!;
  }

  set(sequence: number, slot: Slot): void {
    const number = Math.floor(sequence / pageNumbers);
    let page = this.#page(number);
    if (page === undefined) {
      page = { slots: new Int32Array(pageNumbers).fill(noSlot), count: 0 };
      this.#pages.set(number, page);
      this.#lastNumber = number;
      this.#last = page;
    }
    if (page.slots[sequence % pageNumbers] === noSlot) page.count++;
    page.slots[sequence % pageNumbers] = slot;
  }

  delete(sequence: number): void {
    const number = Math.floor(sequence / pageNumbers);
    const page = this.#page(number);
    if (page === undefined || page.slots[sequence % pageNumbers] === noSlot) return;
    page.slots[sequence % pageNumbers] = noSlot;
    if (--page.count > 0) return;
    this.#pages.delete(number);
    this.#lastNumber = -1;
    this.#last = undefined;
  }

  /** From the lowest number on. */
  *inOrder(): Generator<Slot> {
    for (const number of [...this.#pages.keys()].sort((one, other) => one - other)) {
      for (const slot of this.#pages.get(number)!.slots) if (slot !== noSlot) yield slot;
    }
  }

  #page(number: number): { slots: Int32Array; count: number } | undefined {
    if (number === this.#lastNumber) return this.#last;
    const page = this.#pages.get(number);
    if (page !== undefined) {
      this.#lastNumber = number;
      this.#last = page;
    }
    return page;
  }
}
