import { type MessageLog, noSlot, type Slot } from "./log/message_log_types.ts";

/** Priorities of messages: 0 (usual) to 9 (goes first). */
const priorities = 10;

/** Messages of one client that are passed over for one of another: more would cost more than they
 * delay. */
const passedOverMax = 256;

/**
 * Messages in the order in which they are to go to one upstream: by priority, and in the order of
 * their arrival among equal ones. It is linked through the messages themselves, so that it takes no
 * memory of its own.
 */
export class MessageQueue {
  readonly #log: MessageLog;
  readonly #first: Int32Array = new Int32Array(priorities).fill(noSlot);
  readonly #last: Int32Array = new Int32Array(priorities).fill(noSlot);
  /** One bit for each priority that has messages. */
  #filled = 0;
  #size = 0;

  constructor(log: MessageLog) {
    this.#log = log;
  }

  get size(): number {
    return this.#size;
  }

  push(slot: Slot): void {
    const log = this.#log;
    const priority = log.priority(slot);
    const last = this.#last[priority] as Slot;
    log.setPrevious(slot, last);
    log.setNext(slot, noSlot);
    if (last === noSlot) {
      this.#first[priority] = slot;
      this.#filled |= 1 << priority;
    } else {
      log.setNext(last, slot);
    }
    this.#last[priority] = slot;
    this.#size++;
  }

  /** Before all others of its priority. */
  pushFront(slot: Slot): void {
    const log = this.#log;
    const priority = log.priority(slot);
    const first = this.#first[priority] as Slot;
    log.setPrevious(slot, noSlot);
    log.setNext(slot, first);
    if (first === noSlot) {
      this.#last[priority] = slot;
      this.#filled |= 1 << priority;
    } else {
      log.setPrevious(first, slot);
    }
    this.#first[priority] = slot;
    this.#size++;
  }

  /** Takes out the one that is to go next; noSlot when there is none. */
  take(): Slot {
    if (this.#filled === 0) return noSlot;
    const slot = this.#first[31 - Math.clz32(this.#filled)] as Slot;
    this.remove(slot);
    return slot;
  }

  /** Takes out the next one of any client but that with this number; noSlot when none is near, or it
   * is longer than `bytesMax`. */
  takeOther(clientIndex: number, bytesMax: number): Slot {
    if (this.#filled === 0) return noSlot;
    const log = this.#log;
    let slot = this.#first[31 - Math.clz32(this.#filled)] as Slot;
    for (let looked = 0; looked < passedOverMax && slot !== noSlot; looked++) {
      if (log.clientIndex(slot) !== clientIndex) {
        if (log.bodyBytes(slot) > bytesMax) return noSlot;
        this.remove(slot);
        return slot;
      }
      slot = log.next(slot);
    }
    return noSlot;
  }

  /** Takes out one that is in this queue. */
  remove(slot: Slot): void {
    const log = this.#log;
    const priority = log.priority(slot);
    const previous = log.previous(slot);
    const next = log.next(slot);
    if (previous === noSlot) this.#first[priority] = next;
    else log.setNext(previous, next);
    if (next === noSlot) this.#last[priority] = previous;
    else log.setPrevious(next, previous);
    if (this.#first[priority] === noSlot) this.#filled &= ~(1 << priority);
    log.setPrevious(slot, noSlot);
    log.setNext(slot, noSlot);
    this.#size--;
  }
}
