import { putVarint, zigzag } from "./record_format.ts";

/** Bytes of one `done` record: damage to one costs few messages a second delivery. */
const recordBytesMax = 2_048;
const numberBytesMax = 8;

/** Messages that left and whose end is not noted on disk yet. No more than are on disk. */
export class DoneList {
  #waiting: number[] = [];
  #writing: number[] = [];
  readonly #bytes = new Uint8Array(recordBytesMax);

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  add(sequence: number): void {
    this.#waiting.push(sequence);
  }

  /** Gives `put` the bodies of records for all that waits; each is valid only during its call. */
  write(base: number, put: (body: Uint8Array) => void): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    this.#writing = this.#writing.length === 0 ? waiting : this.#writing.concat(waiting);
    let at = 0;
    let before = base;
    for (const sequence of waiting) {
      if (at + numberBytesMax > recordBytesMax) {
        put(this.#bytes.subarray(0, at));
        at = 0;
        before = base;
      }
      at = putVarint(this.#bytes, at, zigzag(sequence - before));
      before = sequence;
    }
    put(this.#bytes.subarray(0, at));
  }

  /** What was written is on its way to disk as safely as it has to be. */
  written(): void {
    this.#writing = [];
  }

  /** What was written may not be there. */
  failed(): void {
    this.#waiting = this.#writing.concat(this.#waiting);
    this.#writing = [];
  }
}
