import type { LinkQueue } from "../../../src/gateway/link_types.ts";
import { noSlot, type Slot } from "../../../src/gateway/log/message_log_types.ts";

/** Messages that wait for a link, each kept until it is confirmed. */
export class EchoQueue implements LinkQueue {
  readonly #texts = new Map<Slot, Uint8Array>();
  readonly #waiting: Slot[] = [];
  #last = 0;

  push(text: string): void {
    const slot = ++this.#last;
    this.#texts.set(slot, new TextEncoder().encode(text));
    this.#waiting.push(slot);
  }

  take(): Slot {
    return this.#waiting.shift() ?? noSlot;
  }

  messageBytes(slot: Slot): number {
    return this.#bytes(slot).length;
  }

  writeMessage(slot: Slot, into: Uint8Array, at: number): number {
    const bytes = this.#bytes(slot);
    into.set(bytes, at);
    return at + bytes.length;
  }

  long(): undefined {
    return undefined;
  }

  takeOther(): Slot {
    return noSlot;
  }

  hasMessageId(): boolean {
    return false;
  }

  sent(): void {}

  confirm(slot: Slot): void {
    this.#texts.delete(slot);
  }

  /** Its connection is the only one. */
  putBack(slots: readonly Slot[]): void {
    for (const slot of slots) this.#texts.delete(slot);
  }

  #bytes(slot: Slot): Uint8Array {
    const bytes = this.#texts.get(slot);
    if (bytes === undefined) {
      throw new Error(`The link asks for the message ${slot}, which is gone`);
    }
    return bytes;
  }
}
