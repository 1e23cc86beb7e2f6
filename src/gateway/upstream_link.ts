import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/log.ts";
import type { Random } from "../ports/random.ts";
import type { TcpPort } from "../ports/tcp.ts";
import { FrameBatch, frameOpcode, readUint64, writeUint64 } from "../wire/websocket_frame.ts";
import { LinkLife } from "./link_life.ts";
import type { Link, LinkEnd, LinkOwner, LinkQueue, LinkState } from "./link_types.ts";
import { noSlot, type Slot } from "./log/message_log_types.ts";
import { SendWindow } from "./send_window.ts";
import { UpstreamConnection } from "./upstream_connection.ts";
import { parseUpstreamUrl, type UpstreamAddress } from "./upstream_url.ts";

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

/** Payload of our pings: the number of the last message before. */
const PING_BYTES = 8;

export interface UpstreamLinkOptions {
  /** `ws:` or `wss:`. */
  readonly url: string;
  readonly queue: LinkQueue;
  readonly owner: LinkOwner;
  readonly tcp: TcpPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly upstreamAck: "auto" | "required" | "none";
  /** Of one message that the upstream sends. */
  readonly messageBytesMax: number;
  /** PEM of the only authorities to trust for `wss:`; those of the system when absent. */
  readonly authorities?: string;
  /** `linkLimits` when absent. */
  readonly limits?: LinkLimits;
  /** Where batches are put together. Links of one thread may share it. */
  readonly batch?: FrameBatch;
}

/**
 * The connection to one upstream: takes messages from its queue within a window, sends them in
 * batches, has them confirmed by acknowledgements or pongs, and puts back what was not confirmed
 * when the connection went. It connects again for ever. Throws RangeError for a URL that it cannot
 * use.
 */
export class UpstreamLink implements Link {
  readonly #options: UpstreamLinkOptions;
  readonly #address: UpstreamAddress;
  readonly #queue: LinkQueue;
  readonly #owner: LinkOwner;
  readonly #clock: Clock;
  readonly #limits: LinkLimits;
  readonly #life: LinkLife;
  readonly #window = new SendWindow();
  readonly #batch: FrameBatch;
  readonly #pingPayload = new Uint8Array(PING_BYTES);
  #connection: UpstreamConnection | undefined;
  #opened = 0;
  #lastState: LinkState = "closed";
  #isFlushDue = false;
  #isBlocked = false;
  #blockedBytes = 0;
  /** The last `take` found nothing. */
  #isDrained = false;
  #lastPinged = 0;
  /** Payload of the last ping that is not answered; an older one need not be (RFC 6455 §5.5.3). */
  #pongDue: Uint8Array | undefined;
  #timerAt = Infinity;
  #cancelTimer: () => void = () => {};
  #stop: { readonly promise: Promise<void>; resolve(): void; cancel(): void } | undefined;
  readonly #confirm: (slot: Slot) => void;
  readonly #sent: (slot: Slot) => void;
  readonly #flushNow: () => void;

  constructor(options: UpstreamLinkOptions) {
    const address = parseUpstreamUrl(options.url);
    if ("fault" in address) throw new RangeError(`An upstream's URL ${address.fault}`);
    this.#options = options;
    this.#address = address;
    this.#queue = options.queue;
    this.#owner = options.owner;
    this.#clock = options.clock;
    this.#limits = options.limits ?? linkLimits;
    this.#life = new LinkLife({ upstreamAck: options.upstreamAck });
    this.#batch = options.batch ?? new FrameBatch((count) => options.random.bytes(count));
    this.#confirm = (slot) => this.#queue.confirm(slot);
    this.#sent = (slot) => this.#queue.sent(slot);
    this.#flushNow = () => {
      this.#isFlushDue = false;
      this.#flush();
    };
  }

  get state(): LinkState {
    return this.#life.state;
  }

  get unconfirmed(): number {
    return this.#window.size;
  }

  get bufferedBytes(): number {
    return this.#connection?.bufferedBytes ?? 0;
  }

  get reconnects(): number {
    return Math.max(0, this.#opened - 1);
  }

  start(): void {
    this.#life.start(this.#clock.monotonic());
    this.#wake();
  }

  wake(): void {
    this.#isDrained = false;
    if (this.#isFlushDue || this.#isBlocked || this.#life.state !== "open") return;
    this.#isFlushDue = true;
    this.#clock.soon(this.#flushNow);
  }

  acknowledged(matches: (slot: Slot) => boolean): boolean {
    const wasUndecided = this.#life.confirmedBy === "undecided";
    this.#life.acked(this.#clock.monotonic());
    // What was held counts again, and whether a ping is needed has changed.
    if (wasUndecided) this.#arm();
    const slot = this.#window.takeMatching(matches);
    if (slot === noSlot) return false;
    this.#queue.confirm(slot);
    this.#confirmedSome();
    return true;
  }

  stop(): Promise<void> {
    if (this.#stop !== undefined) return this.#stop.promise;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stop = { promise, resolve, cancel: () => {} };
    if (this.#life.state !== "open") {
      this.#finish();
    } else {
      this.#stop.cancel = this.#clock.after(this.#limits.stopMs, () => this.#finish());
      this.wake();
    }
    return promise;
  }

  #wake(): void {
    for (;;) {
      const now = this.#clock.monotonic();
      if (this.#isBlocked && this.bufferedBytes < this.#blockedBytes) {
        this.#blockedBytes = this.bufferedBytes;
        this.#life.blocked(now);
      }
      const order = this.#life.wake(now);
      if (order === undefined) break;
      if (order.kind === "dial") this.#dial();
      else if (order.kind === "ping") this.#flush({ withPing: true });
      else if (order.kind === "confirm_held") this.#confirmHeld();
      else this.#connection?.close(order.end, order.why);
    }
    this.#arm();
  }

  /** One timer for all that time may bring; it is set anew only when something is due earlier. */
  #arm(): void {
    const at = this.#life.nextWake();
    if (at >= this.#timerAt) return;
    this.#cancelTimer();
    this.#timerAt = at;
    const ms = Math.max(0, Math.ceil(at - this.#clock.monotonic()));
    this.#cancelTimer = this.#clock.after(ms, () => {
      this.#timerAt = Infinity;
      this.#wake();
    });
  }

  #dial(): void {
    const { tcp, clock, random, messageBytesMax, authorities } = this.#options;
    this.#tell(undefined);
    const connection = new UpstreamConnection({
      address: this.#address,
      tcp,
      clock,
      random,
      messageBytesMax,
      authorities,
      events: {
        opened: () => this.#openedNow(),
        heard: () => this.#life.heard(clock.monotonic()),
        text: (text) => this.#owner.text(text),
        binary: (bytes) => this.#owner.binary(bytes),
        ping: (payload) => {
          this.#pongDue = payload.slice();
          this.wake();
        },
        pong: (payload) => this.#ponged(payload),
        drained: () => {
          this.#isBlocked = false;
          this.#life.unblocked();
          this.#flush();
        },
        ended: (end, why) => this.#ended(end, why),
        gone: () => this.#gone(connection),
      },
    });
    this.#connection = connection;
  }

  #openedNow(): void {
    this.#opened++;
    this.#isBlocked = false;
    this.#lastPinged = 0;
    this.#life.opened(this.#clock.monotonic());
    const fields = { upstream: this.#address.shown, attempts: this.#life.attempts };
    this.#options.logger.info(fields, "upstream connected");
    this.#tell(undefined);
    if (this.#stop === undefined) this.#flush();
    else this.#finish();
  }

  #ended(end: LinkEnd, why: string): void {
    this.#pongDue = undefined;
    const isStopped = this.#stop !== undefined;
    const wasOpen = this.#life.state === "open";
    if (isStopped) this.#life.stopped();
    else this.#life.ended(this.#clock.monotonic(), this.#options.random.fraction());
    const { attempts } = this.#life;
    const fields = { upstream: this.#address.shown, end, why, attempts };
    if (isStopped) this.#options.logger.info(fields, "upstream link stopped");
    else if (wasOpen) this.#options.logger.warn(fields, "upstream lost");
    else if (attempts === 1) this.#options.logger.warn(fields, "upstream cannot be reached");
    else this.#options.logger.debug(fields, "upstream cannot be reached");
    const slots = this.#window.takeAll();
    if (slots.length > 0) this.#queue.putBack(slots);
    this.#tell(end);
    this.#arm();
  }

  #gone(connection: UpstreamConnection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#stop?.resolve();
  }

  #tell(end: LinkEnd | undefined): void {
    const { state } = this.#life;
    if (state === this.#lastState) return;
    this.#lastState = state;
    this.#owner.changed(state, end);
  }

  /** Sends what waits, as far as the window allows; `withPing`: and a ping in any case. */
  #flush({ withPing = false } = {}): void {
    let turnBytes = 0;
    let wantsPing = withPing;
    while (this.#life.state === "open" && !this.#isBlocked) {
      const wantsMore = this.#sendBatch(wantsPing);
      wantsPing = false;
      if (!wantsMore) break;
      turnBytes += this.#batch.length;
      if (turnBytes < this.#limits.turnBytes) continue;
      this.wake();
      break;
    }
    this.#arm();
    this.#finishWhenDone();
  }

  /** Writes one batch. Answers whether there may be more to send at once. */
  #sendBatch(withPing: boolean): boolean {
    const window = this.#window;
    const batch = this.#batch;
    batch.clear();
    if (this.#pongDue !== undefined) {
      batch.control(frameOpcode.pong, this.#pongDue);
      this.#pongDue = undefined;
    }
    const before = window.lastNumber;
    const needsPong = this.#takeInto(batch);
    const now = this.#clock.monotonic();
    const hasRoom = !this.#isDrained && this.#hasRoom();
    if (withPing || this.#life.wantsPing(now, { needsPong })) this.#ping(now);
    if (batch.length === 0) return false;
    const connection = this.#connection as UpstreamConnection;
    if (!connection.write(batch.frames)) {
      this.#isBlocked = true;
      this.#blockedBytes = connection.bufferedBytes;
      this.#life.blocked(now);
    }
    if (window.lastNumber > before) window.sentAfter(before, this.#sent);
    return hasRoom;
  }

  /** Puts messages into the batch. Answers whether one of them is confirmed by pongs. */
  #takeInto(batch: FrameBatch): boolean {
    const queue = this.#queue;
    const isByAcks = this.#life.confirmedBy === "acks";
    let needsPong = false;
    while (batch.length < this.#limits.batchBytes && this.#hasRoom()) {
      const slot = queue.take();
      this.#isDrained = slot === noSlot;
      if (this.#isDrained) break;
      const bytes = queue.messageBytes(slot);
      const at = batch.begin(frameOpcode.text, bytes);
      batch.finish(queue.writeMessage(slot, batch.array, at));
      const hasId = queue.hasMessageId(slot);
      this.#window.push(slot, bytes, hasId);
      if (!hasId || !isByAcks) needsPong = true;
    }
    return needsPong;
  }

  #hasRoom(): boolean {
    const window = this.#window;
    if (this.#life.confirmedBy !== "undecided") {
      return window.size < this.#limits.windowMessages && window.bytes < this.#limits.windowBytes;
    }
    return window.heldSize < this.#limits.heldMessages &&
      window.size - window.heldSize < this.#limits.windowMessages &&
      window.bytes - window.heldBytes < this.#limits.windowBytes;
  }

  #ping(now: number): void {
    this.#lastPinged = this.#window.lastNumber;
    writeUint64(this.#pingPayload, 0, this.#lastPinged);
    this.#batch.control(frameOpcode.ping, this.#pingPayload);
    this.#life.pinged(now);
  }

  #ponged(payload: Uint8Array): void {
    // Anything else answers no ping of ours: allowed, and without a meaning (RFC 6455 §5.5.3).
    if (payload.length !== PING_BYTES) return;
    const number = readUint64(payload, 0);
    if (number > this.#lastPinged) return;
    const now = this.#clock.monotonic();
    this.#life.ponged(now, { isLatest: number === this.#lastPinged });
    const confirms = this.#life.confirmedBy === "pongs" ? "all" : "without_id";
    this.#window.answer(number, confirms, this.#confirm);
    if (this.#window.heldSize > 0) {
      this.#life.held(now);
      this.#arm();
    }
    this.#confirmedSome();
  }

  #confirmHeld(): void {
    this.#window.confirmHeld(this.#confirm);
    this.#confirmedSome();
  }

  /** There is room in the window again. */
  #confirmedSome(): void {
    if (!this.#isDrained) this.wake();
    this.#finishWhenDone();
  }

  #finishWhenDone(): void {
    if (this.#stop === undefined || !this.#isDrained || this.#isBlocked) return;
    const isUndecided = this.#life.confirmedBy === "undecided";
    const awaited = this.#window.size - (isUndecided ? this.#window.heldSize : 0);
    if (awaited === 0) this.#finish();
  }

  #finish(): void {
    this.#stop?.cancel();
    this.#cancelTimer();
    this.#timerAt = -Infinity;
    const { state } = this.#life;
    if (state === "open" || state === "dialing") {
      this.#connection?.close("stopped", "the gateway stops", 1001);
    } else {
      this.#life.stopped();
      this.#tell("stopped");
    }
    // An attempt cannot be taken back: what becomes of it is of no interest any more.
    if (state !== "open") this.#stop?.resolve();
  }
}
