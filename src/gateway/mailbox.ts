import type { WaitingConfig } from "../config/gateway_config.ts";
import type { Client } from "./gateway_types.ts";
import { type MessageLog, noSlot, type Slot } from "./log/message_log_types.ts";

/**
 * Messages that wait for clients that are away. Each client's are linked through the messages
 * themselves, from the one that came first; all of them are bounded by count and bytes, for one
 * client and in total.
 */
export class Mailbox {
  readonly #log: MessageLog;
  #limits: WaitingConfig;
  #count = 0;
  #bytes = 0;

  constructor(log: MessageLog, limits: WaitingConfig) {
    this.#log = log;
    this.#limits = limits;
  }

  /** Other limits, for what comes from now on. */
  configure(limits: WaitingConfig): void {
    this.#limits = limits;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether one more message of so many bytes may wait for this client. */
  hasRoom(client: Client, bytes: number): boolean {
    const { perClient, perClientBytes, total, totalBytes } = this.#limits;
    return client.waitingCount < perClient && client.waitingBytes + bytes <= perClientBytes &&
      this.#count < total && this.#bytes + bytes <= totalBytes;
  }

  /** Puts a message of the log behind those that wait for the client already. */
  push(client: Client, slot: Slot): void {
    const log = this.#log;
    const last = client.waitingLast;
    log.setPrevious(slot, last);
    log.setNext(slot, noSlot);
    if (last === noSlot) client.waitingFirst = slot;
    else log.setNext(last, slot);
    client.waitingLast = slot;
    this.#account(client, 1, log.bodyBytes(slot));
  }

  /** Puts a message of the log before those that wait for the client already: they came later. */
  pushFirst(client: Client, slot: Slot): void {
    const log = this.#log;
    const first = client.waitingFirst;
    log.setPrevious(slot, noSlot);
    log.setNext(slot, first);
    if (first === noSlot) client.waitingLast = slot;
    else log.setPrevious(first, slot);
    client.waitingFirst = slot;
    this.#account(client, 1, log.bodyBytes(slot));
  }

  /** Takes a message out, wherever it stands. */
  remove(client: Client, slot: Slot): void {
    const log = this.#log;
    const previous = log.previous(slot);
    const next = log.next(slot);
    if (previous === noSlot) client.waitingFirst = next;
    else log.setNext(previous, next);
    if (next === noSlot) client.waitingLast = previous;
    else log.setPrevious(next, previous);
    this.#account(client, -1, -log.bodyBytes(slot));
  }

  #account(client: Client, count: number, bytes: number): void {
    client.waitingCount += count;
    client.waitingBytes += bytes;
    this.#count += count;
    this.#bytes += bytes;
  }
}
