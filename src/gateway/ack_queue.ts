import type { ClientSession } from "./gateway_types.ts";

/** Below this many entries moving them to the front is not worth its work. */
const tidyAt = 1_024;

/**
 * Acknowledgements that wait for the disk, in the order of the log. Four arrays in step rather than
 * an object for each: there is one entry for each message.
 */
export class AckQueue {
  #sequences: number[] = [];
  #askers: ClientSession[] = [];
  #messageIds: string[] = [];
  #takenAtMs: number[] = [];
  #head = 0;

  get size(): number {
    return this.#sequences.length - this.#head;
  }

  /** `asker` sent the message. One with a lower `sequence` than those before it (a repeated message) waits for them too.
   * `takenAtMs` of a monotonic clock. */
  push(sequence: number, asker: ClientSession, message: { id: string; takenAtMs: number }): void {
    this.#sequences.push(sequence);
    this.#askers.push(asker);
    this.#messageIds.push(message.id);
    this.#takenAtMs.push(message.takenAtMs);
  }

  /** Takes out all up to and including `sequence`, oldest first. */
  takeThrough(
    sequence: number,
    each: (asker: ClientSession, messageId: string, takenAtMs: number, sequence: number) => void,
  ): void {
    const sequences = this.#sequences;
    while (this.#head < sequences.length && (sequences[this.#head] as number) <= sequence) {
      const i = this.#head++;
      each(
        this.#askers[i] as ClientSession,
        this.#messageIds[i] as string,
        this.#takenAtMs[i] as number,
        sequences[i] as number,
      );
    }
    this.#tidy();
  }

  #tidy(): void {
    const head = this.#head;
    const length = this.#sequences.length;
    if (head === length) {
      if (length === 0) return;
      this.#sequences = [];
      this.#askers = [];
      this.#messageIds = [];
      this.#takenAtMs = [];
    } else if (head >= tidyAt && head * 2 >= length) {
      this.#sequences = this.#sequences.slice(head);
      this.#askers = this.#askers.slice(head);
      this.#messageIds = this.#messageIds.slice(head);
      this.#takenAtMs = this.#takenAtMs.slice(head);
    } else {
      return;
    }
    this.#head = 0;
  }
}
