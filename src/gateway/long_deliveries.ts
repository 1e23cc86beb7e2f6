import type { Clock } from "../ports/clock.ts";
import type { CryptoPort, Sha256 } from "../ports/crypto.ts";
import { chunkHeadBytes, encodeEnd, writeChunkHead } from "../wire/gateway_chunk.ts";
import { quoteJson } from "../wire/gateway_frames.ts";
import type { UpstreamMessage } from "../wire/gateway_message.ts";
import { chunkDataBytes, ChunkedText, type ChunkSource } from "./chunked_text.ts";
import type { Client, ClientSession } from "./gateway_types.ts";
import { isLargerThan } from "./history/history_metadata.ts";
import type { HeldMessage } from "./history_replays.ts";
import { noSlot, type Slot } from "./log/message_log_types.ts";
import type { MemoryAccount } from "./memory_account.ts";

/** Larger messages go in chunks to clients that take them. */
export const wholeBytesMax = 1 << 20;

/** Sent in one turn of the event loop; then others have theirs. */
const turnBytes = 1 << 20;

/** Where a long message comes from: it waits under a slot, came just now, or is kept elsewhere. */
export type LongOrigin = Slot | HeldMessage | undefined;

interface Delivery {
  readonly session: ClientSession;
  readonly source: ChunkSource;
  readonly sha256: Sha256;
  origin: LongOrigin;
  index: number;
  /** What is to be made next; it is `over` when nothing is. */
  state: "start" | "chunks" | "end" | "over";
  /** Memory of each chunk in turn, and a frame for which there was no room yet. */
  readonly memory: Uint8Array;
  pending: Uint8Array | undefined;
  isDue: boolean;
  readonly held: HeldMessage[];
  heldBytes: number;
}

export interface LongDeliveriesParts {
  readonly clock: Clock;
  readonly crypto: CryptoPort;
  readonly memory: MemoryAccount;
  /** Of messages that wait for one client behind a long one. */
  heldBytesMax(): number;
  /** A long message that waited is delivered. */
  delivered(client: Client, slot: Slot): void;
  /** Sends what was held behind a long message; it may be long itself. */
  sendHeld(session: ClientSession, message: HeldMessage): "sent" | "slow" | "gone";
  /** This cannot be sent now: it is to wait, before all that came for the client meanwhile. */
  keepFirst(client: Client, message: HeldMessage): void;
  /** All that was held is sent: the connection takes more. */
  finished(session: ClientSession): void;
}

/** Long messages on their way to clients that take chunks, as fast as each reads; what comes for
 * such a client meanwhile waits behind. */
export class LongDeliveries {
  readonly #parts: LongDeliveriesParts;
  readonly #deliveries = new Map<ClientSession, Delivery>();
  /** Connections that have a long message waiting for which there was no memory. */
  readonly #roomless = new Set<ClientSession>();

  constructor(parts: LongDeliveriesParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#deliveries.size;
  }

  isBusy(session: ClientSession): boolean {
    return this.#deliveries.has(session);
  }

  /** Sends a message in chunks, if it is to be: `begun`: it is on its way now; `full`: too much is
   * waiting here, and `finished` follows; `whole`: it goes as it is. `message` was read from the text. */
  begin(
    session: ClientSession,
    text: string,
    message: UpstreamMessage,
    origin: LongOrigin,
  ): "begun" | "full" | "whole" {
    if (!session.takesChunks || !isLargerThan(text, wholeBytesMax)) return "whole";
    const { memory } = this.#parts;
    // One goes in any case: nothing else would ever make room for one that is too large.
    if (this.#deliveries.size > 0 && memory.totalBytes + text.length > memory.limitBytes) {
      this.#roomless.add(session);
      return "full";
    }
    const source = ChunkedText.of(text, message);
    if (source === undefined) return "whole";
    this.beginWith(session, source, origin);
    return "begun";
  }

  /** Sends a message in chunks; nothing else may be on its way to the connection. */
  beginWith(session: ClientSession, source: ChunkSource, origin: LongOrigin): void {
    const { memory, crypto } = this.#parts;
    memory.add("transfers", source.length);
    const delivery: Delivery = {
      session,
      source,
      sha256: crypto.newSha256(),
      origin,
      index: 0,
      state: "start",
      memory: new Uint8Array(chunkHeadBytes + chunkDataBytes),
      pending: undefined,
      isDue: false,
      held: [],
      heldBytes: 0,
    };
    this.#deliveries.set(session, delivery);
    this.#later(delivery);
  }

  /** Whether a message has to wait behind a long one, and does so here; `full`: it has to, but there
   * is no room. */
  hold(session: ClientSession, message: HeldMessage): "held" | "full" | "free" {
    const delivery = this.#deliveries.get(session);
    if (delivery === undefined) return "free";
    const bytes = message.text.length;
    const { memory } = this.#parts;
    const bytesMax = this.#parts.heldBytesMax();
    if (delivery.held.length > 0 && delivery.heldBytes + bytes > bytesMax) return "full";
    if (memory.totalBytes + bytes > memory.limitBytes) return "full";
    delivery.held.push(message);
    delivery.heldBytes += bytes;
    memory.add("transfers", bytes);
    return "held";
  }

  /** A connection takes more. Answers whether no long message is on its way to it. */
  drained(session: ClientSession): boolean {
    const delivery = this.#deliveries.get(session);
    if (delivery === undefined) return true;
    this.#later(delivery);
    return false;
  }

  /** A waiting message is dropped: what is on its way of it is delivered, but stands for no slot. */
  forget(slot: Slot): void {
    for (const delivery of this.#deliveries.values()) {
      if (delivery.origin === slot) delivery.origin = undefined;
    }
  }

  /** A connection is over: what was not sent waits for the next one. */
  left(session: ClientSession): void {
    this.#roomless.delete(session);
    const delivery = this.#deliveries.get(session);
    if (delivery === undefined) return;
    this.#end(delivery);
    const { origin, held } = delivery;
    this.#keepAll(session, typeof origin === "object" ? [origin, ...held] : held);
  }

  #later(delivery: Delivery): void {
    if (delivery.isDue) return;
    delivery.isDue = true;
    this.#parts.clock.soon(() => {
      delivery.isDue = false;
      if (delivery.state !== "over") this.#go(delivery);
    });
  }

  #go(delivery: Delivery): void {
    let sent = 0;
    while (sent < turnBytes) {
      const frame = delivery.pending ?? nextFrame(delivery);
      if (frame === undefined) return this.#sent(delivery);
      delivery.pending = frame;
      if (delivery.session.sendBinary(frame) !== "sent") return;
      delivery.pending = undefined;
      sent += frame.length;
    }
    this.#later(delivery);
  }

  /** The long message is gone; what came meanwhile follows, as far as it goes. */
  #sent(delivery: Delivery): void {
    const { delivered, sendHeld, finished } = this.#parts;
    const { session, origin, held } = delivery;
    this.#end(delivery);
    if (typeof origin === "number" && origin !== noSlot) delivered(session.client, origin);
    for (let at = 0; at < held.length; at++) {
      const message = held[at] as HeldMessage;
      // One of them may be long itself.
      const place = this.hold(session, message);
      if (place === "held") continue;
      if (place === "free" && sendHeld(session, message) === "sent") continue;
      return this.#keepAll(session, held.slice(at));
    }
    if (!this.isBusy(session)) finished(session);
  }

  #keepAll({ client }: ClientSession, messages: readonly HeldMessage[]): void {
    for (const message of messages.toReversed()) this.#parts.keepFirst(client, message);
  }

  #end(delivery: Delivery): void {
    delivery.state = "over";
    this.#deliveries.delete(delivery.session);
    if (this.#roomless.size > 0) this.#parts.clock.soon(() => this.#tryAgain());
    this.#parts.memory.add("transfers", -delivery.source.length - delivery.heldBytes);
    delivery.source.free();
  }

  #tryAgain(): void {
    const sessions = [...this.#roomless];
    this.#roomless.clear();
    for (const session of sessions) {
      if (session.client.session === session && !this.isBusy(session)) {
        this.#parts.finished(session);
      }
    }
  }
}

/** Makes the next frame; undefined after the last. A chunk is valid until the next. */
function nextFrame(delivery: Delivery): Uint8Array | undefined {
  const { memory, source, sha256, index } = delivery;
  if (delivery.state === "start") {
    delivery.state = "chunks";
    return source.startFrame;
  }
  if (delivery.state !== "chunks") return undefined;
  const length = source.next(memory.subarray(chunkHeadBytes));
  if (length === 0) {
    delivery.state = "end";
    const messageId = quoteJson(source.messageId);
    return encodeEnd(`{"messageId":${messageId},"checksum":"${sha256.hex()}"}`);
  }
  const dataAt = writeChunkHead(memory, 0, { index, hash: source.hash, length });
  delivery.index++;
  sha256.update(memory.subarray(dataAt, dataAt + length));
  return memory.subarray(0, dataAt + length);
}
