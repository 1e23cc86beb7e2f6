import { type FrameBatch, frameOpcode, readUint64, writeUint64 } from "../wire/websocket_frame.ts";
import type { ConfirmedBy } from "./link_life.ts";
import type { LinkQueue } from "./link_types.ts";
import { noSlot, type Slot } from "./log/message_log_types.ts";
import { longBytesMin, type LongMessage } from "./long_messages.ts";
import { SendWindow } from "./send_window.ts";

export interface LinkLimits {
  readonly windowMessages: number;
  readonly windowBytes: number;
  readonly heldMessages: number;
  readonly batchBytes: number;
  readonly turnBytes: number;
  readonly stopMs: number;
}

/** Bounds of what is on the way to one upstream. */
export const linkLimits: LinkLimits = {
  /** Sent and not confirmed: half a second at 60,000 messages a second, for upstreams that
   * acknowledge in batches or from afar. What a lost connection sends again is no more than this. */
  windowMessages: 32_768,
  windowBytes: 32 << 20,
  /** Answered by pongs while it is not known whether the upstream acknowledges: five seconds at
   * 100,000 messages a second. */
  heldMessages: 524_288,
  /** One write to the socket, unless one message is larger: more saves nothing. */
  batchBytes: 262_144,
  /** Of one turn of the event loop; then others have theirs. */
  turnBytes: 1 << 20,
  /** How long `stop` awaits confirmations, in milliseconds. */
  stopMs: 2_000,
};

interface LongInProgress {
  readonly slot: Slot;
  readonly pieces: LongMessage;
}

/** Payload of our pings: the number of the last message before. */
const PING_BYTES = 8;

/**
 * Puts messages of a queue, pings and pongs into batches of frames, within the window of what may be
 * unconfirmed, and finds what a pong answers.
 */
export class LinkBatches {
  /** What was sent on this connection and is not confirmed. */
  readonly window = new SendWindow();
  /** The queue had nothing more when it was last asked, and has not called since. */
  isDrained = false;
  readonly #queue: LinkQueue;
  readonly #frames: FrameBatch;
  readonly #limits: LinkLimits;
  readonly #pingPayload = new Uint8Array(PING_BYTES);
  #lastPinged = 0;
  /** Payload of the last ping that is not answered; an older one need not be (RFC 6455 §5.5.3). */
  #pongDue: Uint8Array | undefined;
  #sentBefore = 0;
  /** The message that goes piece by piece now. */
  #long: LongInProgress | undefined;
  readonly #sent: (slot: Slot) => void;

  constructor(options: { queue: LinkQueue; frames: FrameBatch; limits: LinkLimits }) {
    this.#queue = options.queue;
    this.#frames = options.frames;
    this.#limits = options.limits;
    this.#sent = (slot) => this.#queue.sent(slot);
  }

  /** The batch; valid until the next `fill` of any link that shares its memory. */
  get bytes(): Uint8Array {
    return this.#frames.frames;
  }

  get length(): number {
    return this.#frames.length;
  }

  /** A new connection: nothing is sent, pinged or to be answered. Returns what was unconfirmed. */
  reset(): Slot[] {
    this.#pongDue = undefined;
    this.#lastPinged = 0;
    const slots = this.window.takeAll();
    if (this.#long !== undefined) slots.push(this.#long.slot);
    this.#long = undefined;
    return slots;
  }

  /** The upstream pings: the next batch begins with a pong. */
  pongSoon(payload: Uint8Array): void {
    this.#pongDue = payload.slice();
  }

  /** Begins a batch with as many messages as there are and may be. Answers whether one of them is
   * confirmed by pongs. */
  fill(confirmedBy: ConfirmedBy): boolean {
    const queue = this.#queue;
    const frames = this.#frames;
    frames.clear();
    if (this.#pongDue !== undefined) {
      frames.control(frameOpcode.pong, this.#pongDue);
      this.#pongDue = undefined;
    }
    this.#sentBefore = this.window.lastNumber;
    let needsPong = false;
    while (frames.length < this.#limits.batchBytes && this.hasRoom(confirmedBy)) {
      if (this.#long !== undefined) {
        needsPong = this.#goOn(this.#long, confirmedBy) || needsPong;
        continue;
      }
      const slot = queue.take();
      this.isDrained = slot === noSlot;
      if (this.isDrained) break;
      const bytes = queue.messageBytes(slot);
      const pieces = bytes > longBytesMin ? queue.long(slot, bytes) : undefined;
      if (pieces !== undefined) this.#long = { slot, pieces };
      else needsPong = this.#putWhole(slot, bytes, confirmedBy) || needsPong;
    }
    return needsPong;
  }

  /** Puts one message into the batch. Answers whether a pong confirms it. */
  #putWhole(slot: Slot, bytes: number, confirmedBy: ConfirmedBy): boolean {
    const frames = this.#frames;
    const at = frames.begin(frameOpcode.text, bytes);
    frames.finish(this.#queue.writeMessage(slot, frames.array, at));
    return this.#isOnItsWay(slot, bytes, confirmedBy);
  }

  #isOnItsWay(slot: Slot, bytes: number, confirmedBy: ConfirmedBy): boolean {
    const hasId = this.#queue.hasMessageId(slot);
    this.window.push(slot, bytes, hasId);
    return !hasId || confirmedBy !== "acks";
  }

  /** Puts the next piece of a long message into the batch, and messages of other clients behind it.
   * It counts as sent with its last piece. Answers whether a pong confirms one of them. */
  #goOn({ slot, pieces }: LongInProgress, confirmedBy: ConfirmedBy): boolean {
    if (pieces.put(this.#frames)) {
      this.#long = undefined;
      return this.#isOnItsWay(slot, pieces.bytes, confirmedBy);
    }
    if (!pieces.letsOthersPass) return false;
    const queue = this.#queue;
    let needsPong = false;
    while (this.#frames.length < this.#limits.batchBytes && this.hasRoom(confirmedBy)) {
      const other = queue.takeOther(slot);
      if (other === noSlot) break;
      const bytes = queue.messageBytes(other);
      needsPong = this.#putWhole(other, bytes, confirmedBy) || needsPong;
    }
    return needsPong;
  }

  /** Puts a ping behind the batch; its pong answers everything up to here. */
  ping(): void {
    this.#lastPinged = this.window.lastNumber;
    writeUint64(this.#pingPayload, 0, this.#lastPinged);
    this.#frames.control(frameOpcode.ping, this.#pingPayload);
  }

  /** The batch was written: tells the queue so of each message in it. */
  written(): void {
    if (this.window.lastNumber > this.#sentBefore) {
      this.window.sentAfter(this.#sentBefore, this.#sent);
    }
  }

  /** Which message a pong answers, and all before it; undefined when it answers no ping of ours,
   * which is allowed and means nothing (RFC 6455 §5.5.3). */
  answeredBy(pong: Uint8Array): { number: number; isLatest: boolean } | undefined {
    if (pong.length !== PING_BYTES) return undefined;
    const number = readUint64(pong, 0);
    if (number > this.#lastPinged) return undefined;
    return { number, isLatest: number === this.#lastPinged };
  }

  /** Whether one more message may be on the way. What is held, while it is not known who confirms,
   * takes no room in the window. */
  hasRoom(confirmedBy: ConfirmedBy): boolean {
    const { windowMessages, windowBytes, heldMessages } = this.#limits;
    const { size, bytes, heldSize, heldBytes } = this.window;
    if (confirmedBy !== "undecided") return size < windowMessages && bytes < windowBytes;
    return heldSize < heldMessages && size - heldSize < windowMessages &&
      bytes - heldBytes < windowBytes;
  }
}
