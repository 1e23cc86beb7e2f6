import {
  quotedJsonBytes,
  upstreamHeadBytes,
  upstreamRouteBytes,
  writeUpstreamHead,
} from "../wire/gateway_frames.ts";
import type { Clients } from "./clients.ts";
import type { Upstream } from "./gateway_types.ts";
import type { Link, LinkQueue } from "./link_types.ts";
import { MessageQueue } from "./message_queue.ts";
import type { MessageLog, Slot } from "./log/message_log_types.ts";

/** What becomes of the messages of an upstream. */
export interface TargetOwner {
  /** It has left for its upstream. */
  sent(slot: Slot): void;
  /** It is delivered, and no longer in any queue. */
  delivered(slot: Slot): void;
  /** It could not be confirmed; whether it is to be sent again. If not, the owner has disposed of it. */
  mayRetry(slot: Slot): boolean;
}

/**
 * One upstream: the messages that wait for it, in order, and the link that takes them. A message on
 * the link is its own predecessor: that is how it is told from one that waits.
 */
export class UpstreamTarget implements Upstream, LinkQueue {
  readonly url: string;
  /** Its number among the upstreams; each of its messages carries it as `place`. */
  readonly index: number;
  readonly #log: MessageLog;
  readonly #clients: Clients;
  readonly #owner: TargetOwner;
  readonly #queue: MessageQueue;
  /** How the head of each message ends. */
  readonly #routeBytes: Uint8Array;
  #link: Link | undefined;
  /** Messages that the link has. */
  #onLink = 0;

  constructor(
    { url, index }: { url: string; index: number },
    parts: { log: MessageLog; clients: Clients; owner: TargetOwner },
  ) {
    this.url = url;
    this.index = index;
    this.#log = parts.log;
    this.#clients = parts.clients;
    this.#owner = parts.owner;
    this.#queue = new MessageQueue(parts.log);
    // A name and password in it are for the handshake alone.
    this.#routeBytes = upstreamRouteBytes(url.replace(/^(wss?:\/\/)[^/?#]*@/, "$1"));
  }

  get pending(): number {
    return this.#queue.size + this.#onLink;
  }

  /** Of them, those that have not been sent. */
  get queued(): number {
    return this.#queue.size;
  }

  get isOpen(): boolean {
    return this.#link?.state === "open";
  }

  get link(): Link | undefined {
    return this.#link;
  }

  /** Gives it the link that empties its queue. */
  connect(link: Link): void {
    this.#link = link;
    link.start();
  }

  push(slot: Slot): void {
    this.#log.setPlace(slot, this.index);
    this.#queue.push(slot);
    this.#link?.wake();
  }

  /** Takes out a message that waits here. */
  remove(slot: Slot): void {
    this.#queue.remove(slot);
  }

  take(): Slot {
    const slot = this.#queue.take();
    if (slot >= 0) {
      this.#log.setPrevious(slot, slot);
      this.#onLink++;
    }
    return slot;
  }

  messageBytes(slot: Slot): number {
    const log = this.#log;
    const client = this.#clients.at(log.clientIndex(slot));
    if (client.quotedBytes === 0) client.quotedBytes = quotedJsonBytes(client.id);
    const body = log.bodyBytes(slot);
    return upstreamHeadBytes(client.quotedBytes, log.stampMs(slot), this.#routeBytes) + body +
      (body === 0 ? 1 : 2);
  }

  writeMessage(slot: Slot, into: Uint8Array, at: number): number {
    const log = this.#log;
    const { id } = this.#clients.at(log.clientIndex(slot));
    const ms = log.stampMs(slot);
    let end = writeUpstreamHead(into, at, id, ms, log.stampNs(slot), this.#routeBytes);
    if (log.bodyBytes(slot) > 0) {
      into[end++] = comma;
      end = log.copyBody(slot, into, end);
    }
    into[end++] = closingBrace;
    return end;
  }

  hasMessageId(slot: Slot): boolean {
    return this.#log.hasMessageId(slot);
  }

  sent(slot: Slot): void {
    this.#owner.sent(slot);
  }

  confirm(slot: Slot): void {
    this.#onLink--;
    this.#owner.delivered(slot);
  }

  putBack(slots: readonly Slot[]): void {
    for (let i = slots.length - 1; i >= 0; i--) {
      const slot = slots[i] as Slot;
      this.#onLink--;
      if (this.#owner.mayRetry(slot)) this.#queue.pushFront(slot);
    }
  }
}

/** Whether a message to an upstream is on a link, and not in a queue. */
export function isOnLink(log: MessageLog, slot: Slot): boolean {
  return log.previous(slot) === slot;
}

const comma = 0x2c;
const closingBrace = 0x7d;
