import type { Client, Upstream } from "./gateway_types.ts";
import type { MessageLog, Slot } from "./log/message_log_types.ts";
import { MessageQueue } from "./message_queue.ts";

/**
 * Where messages of a client wait that is to have another upstream, while the old one still has some
 * of it: they must not overtake those. Once those are confirmed, or put back here, all go on.
 */
export class Detour implements Upstream {
  readonly isOpen = false;
  readonly client: Client;
  /** The upstream that still has some. */
  readonly from: Upstream;
  readonly #log: MessageLog;
  readonly #place: number;
  readonly #queue: MessageQueue;

  /** `place` is what its messages carry. */
  constructor(client: Client, from: Upstream, parts: { log: MessageLog; place: number }) {
    this.client = client;
    this.from = from;
    this.#log = parts.log;
    this.#place = parts.place;
    this.#queue = new MessageQueue(parts.log);
  }

  get url(): string {
    return this.from.url;
  }

  get pending(): number {
    return this.#queue.size;
  }

  push(slot: Slot): void {
    this.#log.setPlace(slot, this.#place);
    this.#queue.push(slot);
  }

  /** One that was sent and has come back goes before the others. */
  pushFront(slot: Slot): void {
    this.#log.setPlace(slot, this.#place);
    this.#queue.pushFront(slot);
  }

  /** noSlot when it is empty. */
  take(): Slot {
    return this.#queue.take();
  }

  /** Takes out a message that waits here. */
  remove(slot: Slot): void {
    this.#queue.remove(slot);
  }
}
