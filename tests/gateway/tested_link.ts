import assert from "node:assert/strict";
import type { LinkEnd, LinkOwner, LinkQueue, LinkState } from "../../src/gateway/link_types.ts";
import { noSlot, type Slot } from "../../src/gateway/log/message_log_types.ts";

const encoder = new TextEncoder();

/**
 * A queue for a link that keeps account of every message, and fails as soon as the link does what it
 * may not: confirm what it does not have, confirm or put back twice, change the order.
 */
export class CheckedQueue implements LinkQueue {
  readonly waiting: Slot[] = [];
  /** On the link, in the order of sending. */
  readonly onLink = new Set<Slot>();
  readonly confirmed: Slot[] = [];
  sends = 0;
  putBacks = 0;
  #next = 0;
  readonly #texts = new Map<Slot, string>();
  readonly #withoutId = new Set<Slot>();

  /** Adds messages, of about `bytes` bytes each. */
  add(count: number, { bytes = 0, hasId = true } = {}): void {
    for (let i = 0; i < count; i++) {
      const slot = this.#next++;
      const id = hasId ? { messageId: `m${slot}` } : {};
      this.#texts.set(slot, JSON.stringify({ type: 0, slot, ...id, data: "€".repeat(bytes / 3) }));
      if (!hasId) this.#withoutId.add(slot);
      this.waiting.push(slot);
    }
  }

  get added(): number {
    return this.#next;
  }

  text(slot: Slot): string {
    return this.#texts.get(slot) ?? "";
  }

  slotOf(messageId: string): Slot {
    return Number(messageId.slice(1));
  }

  take(): Slot {
    const slot = this.waiting.shift();
    if (slot === undefined) return noSlot;
    this.onLink.add(slot);
    return slot;
  }

  messageBytes(slot: Slot): number {
    return encoder.encode(this.text(slot)).length;
  }

  writeMessage(slot: Slot, into: Uint8Array, at: number): number {
    const bytes = encoder.encode(this.text(slot));
    into.set(bytes, at);
    return at + bytes.length;
  }

  long(): undefined {
    return undefined;
  }

  takeOther(): Slot {
    return noSlot;
  }

  hasMessageId(slot: Slot): boolean {
    return !this.#withoutId.has(slot);
  }

  sent(slot: Slot): void {
    assert.ok(this.onLink.has(slot), `${slot} was sent, but is not on the link`);
    this.sends++;
  }

  confirm(slot: Slot): void {
    assert.ok(this.onLink.delete(slot), `${slot} was confirmed, but is not on the link`);
    this.confirmed.push(slot);
  }

  putBack(slots: readonly Slot[]): void {
    assert.deepEqual(slots, [...this.onLink], "all that is on the link, in the order of sending");
    this.putBacks += slots.length;
    this.onLink.clear();
    this.waiting.unshift(...slots);
  }
}

/** Notes what a link reports. */
export class NotingOwner implements LinkOwner {
  readonly texts: string[] = [];
  readonly binaries: Uint8Array[] = [];
  readonly states: LinkState[] = [];
  readonly ends: LinkEnd[] = [];
  /** Called with each text. */
  heard: (text: string) => void = () => {};

  text(text: string): void {
    this.texts.push(text);
    this.heard(text);
  }

  binary(bytes: Uint8Array): void {
    this.binaries.push(bytes.slice());
  }

  changed(state: LinkState, end: LinkEnd | undefined): void {
    this.states.push(state);
    if (end !== undefined) this.ends.push(end);
  }
}

/** Lets acknowledgements that come to `owner` confirm messages of `queue` through `link`. */
export function passAcks(
  parts: { owner: NotingOwner; queue: CheckedQueue },
  link: { acknowledged(matches: (slot: Slot) => boolean): boolean },
): void {
  parts.owner.heard = (text) => {
    const { action, messageId } = JSON.parse(text) as { action?: string; messageId?: string };
    if (action !== "ack" || messageId === undefined) return;
    link.acknowledged((slot) => slot === parts.queue.slotOf(messageId));
  };
}
