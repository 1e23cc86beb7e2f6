import { noSlot, type Slot } from "./log/message_log_types.ts";

/** Room at first; it doubles with what is really on the way. A power of two. */
const FIRST_CAPACITY = 64;

/** More room than this is given back once nothing is on the way: 17 bytes each. */
const KEPT_CAPACITY_MAX = 8192;

/** Confirmed entries between others that are tolerated before they are moved out. */
const GAPS_MIN = 64;

const isDone = 0;
const isWithoutId = 1;
const isWithId = 2;

/**
 * The messages that were sent on one connection and are not confirmed, in the order of sending: a
 * ring of numbers. Each message has a number that counts up by one; what a pong answers is told by
 * the number of the last message before its ping.
 *
 * What pongs answered but did not confirm is `held`: the upstream may yet acknowledge it by its id.
 */
export class SendWindow {
  #slots = new Int32Array(FIRST_CAPACITY);
  #bytes = new Int32Array(FIRST_CAPACITY);
  #numbers = new Float64Array(FIRST_CAPACITY);
  #states = new Uint8Array(FIRST_CAPACITY);
  /** Positions in the ring, modulo its length: entries are from `#head` up to `#tail`, those before
   * `#answered` were answered by a pong. */
  #head = 0;
  #answered = 0;
  #tail = 0;
  #lastNumber = 0;
  #size = 0;
  #totalBytes = 0;
  #heldSize = 0;
  #heldBytes = 0;

  /** Messages that are not confirmed, held ones included. */
  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#totalBytes;
  }

  get heldSize(): number {
    return this.#heldSize;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Number of the last message that was sent; 0 before the first. */
  get lastNumber(): number {
    return this.#lastNumber;
  }

  push(slot: Slot, bytes: number, hasId: boolean): void {
    if (this.#tail - this.#head === this.#slots.length) this.#rebuild();
    const at = this.#tail & (this.#slots.length - 1);
    this.#slots[at] = slot;
    this.#bytes[at] = bytes;
    this.#numbers[at] = ++this.#lastNumber;
    this.#states[at] = hasId ? isWithId : isWithoutId;
    this.#tail++;
    this.#size++;
    this.#totalBytes += bytes;
  }

  /** Calls with each message of a number above `number`, in order. */
  sentAfter(number: number, call: (slot: Slot) => void): void {
    const mask = this.#slots.length - 1;
    let from = this.#tail;
    while (from > this.#head && (this.#numbers[(from - 1) & mask] as number) > number) from--;
    for (let at = from; at < this.#tail; at++) call(this.#slots[at & mask] as Slot);
  }

  /**
   * A pong answers everything up to message `number`. Confirms those of them without an id, or all
   * of them; what is left is held.
   */
  answer(number: number, confirms: "without_id" | "all", confirm: (slot: Slot) => void): void {
    const mask = this.#slots.length - 1;
    while (this.#answered < this.#tail) {
      const at = this.#answered & mask;
      if ((this.#numbers[at] as number) > number) break;
      this.#answered++;
      const state = this.#states[at];
      if (state === isDone) continue;
      if (confirms === "all" || state === isWithoutId) {
        this.#remove(at);
        confirm(this.#slots[at] as Slot);
      } else {
        this.#heldSize++;
        this.#heldBytes += this.#bytes[at] as number;
      }
    }
    this.#tidy();
  }

  /** Confirms all that is held. */
  confirmHeld(confirm: (slot: Slot) => void): void {
    const mask = this.#slots.length - 1;
    for (let position = this.#head; position < this.#answered; position++) {
      const at = position & mask;
      if (this.#states[at] === isDone) continue;
      this.#forgetHeld(at);
      this.#remove(at);
      confirm(this.#slots[at] as Slot);
    }
    this.#tidy();
  }

  /** Takes out the oldest with an id that matches; noSlot when there is none. */
  takeMatching(matches: (slot: Slot) => boolean): Slot {
    const mask = this.#slots.length - 1;
    for (let position = this.#head; position < this.#tail; position++) {
      const at = position & mask;
      if (this.#states[at] !== isWithId) continue;
      const slot = this.#slots[at] as Slot;
      if (!matches(slot)) continue;
      if (position < this.#answered) this.#forgetHeld(at);
      this.#remove(at);
      this.#tidy();
      return slot;
    }
    return noSlot;
  }

  /** Takes out everything, in the order of sending, and begins anew. */
  takeAll(): Slot[] {
    const mask = this.#slots.length - 1;
    const slots: Slot[] = [];
    for (let position = this.#head; position < this.#tail; position++) {
      const at = position & mask;
      if (this.#states[at] !== isDone) slots.push(this.#slots[at] as Slot);
    }
    this.#empty();
    this.#lastNumber = 0;
    this.#size =
      this.#totalBytes =
      this.#heldSize =
      this.#heldBytes =
        0;
    return slots;
  }

  #remove(at: number): void {
    this.#states[at] = isDone;
    this.#size--;
    this.#totalBytes -= this.#bytes[at] as number;
  }

  #forgetHeld(at: number): void {
    this.#heldSize--;
    this.#heldBytes -= this.#bytes[at] as number;
  }

  /** Lets go of what is confirmed at the front, and of gaps once they are more than the rest: so a
   * search is bounded by what is not confirmed, and a message costs the same however late it is. */
  #tidy(): void {
    const mask = this.#slots.length - 1;
    let head = this.#head;
    while (head < this.#tail && this.#states[head & mask] === isDone) head++;
    this.#head = head;
    if (this.#answered < head) this.#answered = head;
    if (head === this.#tail) this.#empty();
    else if (this.#tail - head > this.#size * 2 + GAPS_MIN) this.#rebuild();
  }

  #empty(): void {
    this.#head = this.#answered = this.#tail = 0;
    if (this.#slots.length > KEPT_CAPACITY_MAX) this.#allocate(FIRST_CAPACITY);
  }

  /** Moves all entries together, into arrays of twice the room when they fill more than half. */
  #rebuild(): void {
    const old = { slots: this.#slots, bytes: this.#bytes };
    const oldNumbers = this.#numbers;
    const oldStates = this.#states;
    const mask = old.slots.length - 1;
    let capacity = FIRST_CAPACITY;
    while (capacity < this.#size * 2) capacity *= 2;
    this.#allocate(capacity);
    let to = 0;
    let answered = 0;
    for (let position = this.#head; position < this.#tail; position++) {
      if (position === this.#answered) answered = to;
      const at = position & mask;
      if (oldStates[at] === isDone) continue;
      this.#slots[to] = old.slots[at] as number;
      this.#bytes[to] = old.bytes[at] as number;
      this.#numbers[to] = oldNumbers[at] as number;
      this.#states[to] = oldStates[at] as number;
      to++;
    }
    this.#answered = this.#answered === this.#tail ? to : answered;
    this.#head = 0;
    this.#tail = to;
  }

  #allocate(capacity: number): void {
    this.#slots = new Int32Array(capacity);
    this.#bytes = new Int32Array(capacity);
    this.#numbers = new Float64Array(capacity);
    this.#states = new Uint8Array(capacity);
  }
}
