import type { Client } from "./gateway_types.ts";

/** Below this many entries moving them to the front is not worth its work. */
const tidyAt = 1_024;

/**
 * Acknowledgements that wait for the disk, in the order of the log. Four arrays in step rather than
 * an object for each: there is one entry for each message.
 */
export class AckQueue {
  #sequences: number[] = [];
  #clients: Client[] = [];
  #messageIds: string[] = [];
  #takenAtMs: number[] = [];
  #head = 0;

  get size(): number {
    return this.#sequences.length - this.#head;
  }

  /** One with a lower `sequence` than those before it (a repeated message) waits for them too.
   * `takenAtMs` of a monotonic clock. */
  push(sequence: number, client: Client, message: { id: string; takenAtMs: number }): void {
    this.#sequences.push(sequence);
    this.#clients.push(client);
    this.#messageIds.push(message.id);
    this.#takenAtMs.push(message.takenAtMs);
  }

  /** Takes out all up to and including `sequence`, oldest first. */
  takeThrough(
    sequence: number,
    each: (client: Client, messageId: string, takenAtMs: number, sequence: number) => void,
  ): void {
    const sequences = this.#sequences;
    while (this.#head < sequences.length && (sequences[this.#head] as number) <= sequence) {
      const i = this.#head++;
      each(
        this.#clients[i] as Client,
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
      this.#clients = [];
      this.#messageIds = [];
      this.#takenAtMs = [];
    } else if (head >= tidyAt && head * 2 >= length) {
      this.#sequences = this.#sequences.slice(head);
      this.#clients = this.#clients.slice(head);
      this.#messageIds = this.#messageIds.slice(head);
      this.#takenAtMs = this.#takenAtMs.slice(head);
    } else {
      return;
    }
    this.#head = 0;
  }
}
