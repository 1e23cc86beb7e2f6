import {
  quotedJsonBytes,
  upstreamHeadBytes,
  upstreamRouteBytes,
  writeUpstreamHead,
} from "../wire/gateway_frames.ts";
import type { Sha256 } from "../ports/crypto.ts";
import type { Clients } from "./clients.ts";
import type { Detour } from "./detour.ts";
import type { Client, Upstream } from "./gateway_types.ts";
import type { Link, LinkQueue } from "./link_types.ts";
import {
  ChunkedMessage,
  FragmentedMessage,
  longBytesMin,
  type LongMessage,
} from "./long_messages.ts";
import { MessageQueue } from "./message_queue.ts";
import type { MessageLog, Slot } from "./log/message_log_types.ts";

/** Where messages go when rules change; see `Rerouting`. */
export interface TargetMoves {
  /** Where a message goes that a link puts back; undefined when it stays with its upstream. */
  detourOf(client: Client, from: UpstreamTarget): Detour | undefined;
  /** A link has nothing of this client any more. */
  leftLink(client: Client): void;
  /** A link has put back what it had, of all its clients. */
  putBack(): void;
}

/** Messages of more than `messageBytesMax` bytes go to an upstream in chunks. */
export interface ChunkingOptions {
  readonly messageBytesMax: number;
  sha256(): Sha256;
}

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
  /** The number of the rules by which its messages are here; see `Upstreams.generation`. */
  generation: number;
  #index: number;
  readonly #log: MessageLog;
  readonly #clients: Clients;
  readonly #owner: TargetOwner;
  readonly #moves: TargetMoves;
  #queue: MessageQueue;
  /** While it is being looked through after a change of the rules: what was not looked at yet, and
   * the number that those messages carry. */
  #unswept: { readonly queue: MessageQueue; readonly index: number } | undefined;
  readonly #chunking: ChunkingOptions | undefined;
  /** How the head of each message ends. */
  readonly #routeBytes: Uint8Array;
  #link: Link | undefined;
  /** Messages that the link has. */
  #onLink = 0;

  constructor(
    { url, index, generation }: { url: string; index: number; generation: number },
    parts:
      & { log: MessageLog; clients: Clients; owner: TargetOwner; moves: TargetMoves }
      /** Absent: nothing goes in chunks. */
      & { chunking?: ChunkingOptions },
  ) {
    this.url = url;
    this.#index = index;
    this.generation = generation;
    this.#log = parts.log;
    this.#clients = parts.clients;
    this.#owner = parts.owner;
    this.#moves = parts.moves;
    this.#chunking = parts.chunking;
    this.#queue = new MessageQueue(parts.log);
    // A name and password in it are for the handshake alone.
    this.#routeBytes = upstreamRouteBytes(url.replace(/^(wss?:\/\/)[^/?#]*@/, "$1"));
  }

  /** Its number among the places; each of its messages carries it. */
  get index(): number {
    return this.#index;
  }

  get pending(): number {
    return this.queued + this.#onLink;
  }

  /** Of them, those that have not been sent. */
  get queued(): number {
    return this.#queue.size + (this.#unswept?.queue.size ?? 0);
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
    const unswept = this.#unswept;
    if (unswept !== undefined) {
      // Behind what was here before it.
      this.#log.setPlace(slot, unswept.index);
      unswept.queue.push(slot);
      return;
    }
    this.#log.setPlace(slot, this.#index);
    this.#queue.push(slot);
    this.#link?.wake();
  }

  /** Rules have changed: all that waits is in the queue that this returns, to be looked at one by
   * one, and so is what comes meanwhile. What stays gets another number. */
  beginSweep(index: number): { readonly queue: MessageQueue; readonly index: number } {
    const unswept = { queue: this.#queue, index: this.#index };
    this.#unswept = unswept;
    this.#queue = new MessageQueue(this.#log);
    this.#index = index;
    return unswept;
  }

  /** The next message of the sweep stays here. */
  keep(slot: Slot): void {
    this.#log.setPlace(slot, this.#index);
    this.#queue.push(slot);
    this.#link?.wake();
  }

  /** Nothing is left to be looked at. */
  endSweep(): void {
    this.#unswept = undefined;
  }

  /** Takes out a message that waits here. */
  remove(slot: Slot): void {
    this.#queue.remove(slot);
  }

  take(): Slot {
    return this.#taken(this.#queue.take());
  }

  takeOther(slot: Slot): Slot {
    return this.#taken(this.#queue.takeOther(this.#log.clientIndex(slot), longBytesMin));
  }

  long(slot: Slot, bytes: number): LongMessage | undefined {
    const log = this.#log;
    const { id } = this.#clients.at(log.clientIndex(slot));
    const headBytes = bytes - log.bodyBytes(slot) - (log.bodyBytes(slot) === 0 ? 1 : 2);
    const head = new Uint8Array(headBytes);
    writeUpstreamHead(head, 0, id, log.stampMs(slot), log.stampNs(slot), this.#routeBytes);
    const source = { log, slot, head, clientId: id };
    const chunking = this.#chunking;
    const chunked = chunking !== undefined && bytes > chunking.messageBytesMax
      ? ChunkedMessage.of(source, chunking.sha256)
      : undefined;
    return chunked ?? new FragmentedMessage(source);
  }

  #taken(slot: Slot): Slot {
    if (slot >= 0) {
      this.#log.setPrevious(slot, slot);
      this.#onLink++;
      this.#clients.at(this.#log.clientIndex(slot)).onLink++;
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
    const client = this.#clients.at(this.#log.clientIndex(slot));
    this.#onLink--;
    client.onLink--;
    this.#owner.delivered(slot);
    if (client.onLink === 0 && client.upstream !== this) this.#moves.leftLink(client);
  }

  putBack(slots: readonly Slot[]): void {
    for (let i = slots.length - 1; i >= 0; i--) {
      const slot = slots[i] as Slot;
      const client = this.#clients.at(this.#log.clientIndex(slot));
      this.#onLink--;
      client.onLink--;
      if (!this.#owner.mayRetry(slot)) continue;
      const detour = this.#moves.detourOf(client, this);
      if (detour !== undefined) {
        detour.pushFront(slot);
      } else {
        this.#log.setPlace(slot, this.#index);
        this.#queue.pushFront(slot);
      }
    }
    this.#moves.putBack();
  }
}

/** Whether a message to an upstream is on a link, and not in a queue. */
export function isOnLink(log: MessageLog, slot: Slot): boolean {
  return log.previous(slot) === slot;
}

const comma = 0x2c;
const closingBrace = 0x7d;
