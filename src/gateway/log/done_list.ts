import { putVarint, zigzag } from "./record_format.ts";

/** Bytes of one `done` record: damage to one costs few messages a second delivery. */
const recordBytesMax = 2_048;
/** A run that ends, and a number. */
const numberBytesMax = 1 + 8 + 8;

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
    const bytes = this.#bytes;
    let at = 0;
    let before = base;
    let run = 0;
    for (const sequence of waiting) {
      if (at > 0 && sequence === before + 1) {
        run++;
        before = sequence;
        continue;
      }
      at = endRun(bytes, at, run);
      run = 0;
      if (at + numberBytesMax > recordBytesMax) {
        put(bytes.subarray(0, at));
        at = 0;
        before = base;
      }
      at = putVarint(bytes, at, zigzag(sequence - before));
      before = sequence;
    }
    put(bytes.subarray(0, endRun(bytes, at, run)));
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

/** Numbers that go up by one, behind one that is written. */
function endRun(bytes: Uint8Array, at: number, count: number): number {
  if (count === 0) return at;
  if (count === 1) return putVarint(bytes, at, zigzag(1));
  return putVarint(bytes, putVarint(bytes, at, 0), count);
}
