import type { Slot } from "./log/message_log_types.ts";

/** Something that messages wait in. */
export interface Place {
  /** Takes out a message that waits there. */
  remove(slot: Slot): void;
}

/** Fits the 16 bits that a message has for the number of its place. */
export const placesMax = 65_535;

/** The numbers of what messages wait in; each message carries one of them. */
export class Places {
  readonly #byNumber: (Place | undefined)[] = [];
  readonly #free: number[] = [];

  /** How many more can be added. */
  get room(): number {
    return placesMax - this.#byNumber.length + this.#free.length;
  }

  /** The number that the next one gets. Throws RangeError when all are taken. */
  next(): number {
    if (this.room === 0) throw new RangeError(`More than ${placesMax} upstreams are in use`);
    return this.#free.at(-1) ?? this.#byNumber.length;
  }

  add(place: Place): number {
    const number = this.next();
    this.#free.pop();
    this.#byNumber[number] = place;
    return number;
  }

  /** Messages with this number wait in something else from now on. */
  replace(number: number, place: Place): void {
    this.#byNumber[number] = place;
  }

  /** No message that waits carries it any more. */
  free(number: number): void {
    this.#byNumber[number] = undefined;
    this.#free.push(number);
  }

  at(number: number): Place {
    const place = this.#byNumber[number];
    if (place === undefined) throw new Error(`No messages wait in place ${number}`);
    return place;
  }
}
