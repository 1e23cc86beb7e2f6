import type { Clock } from "../ports/clock.ts";
import type { CryptoPort } from "../ports/crypto.ts";
import type { Logger } from "../ports/log.ts";
import type { Random } from "../ports/random.ts";
import type { TcpPort } from "../ports/tcp.ts";
import { FrameBatch } from "../wire/websocket_frame.ts";
import type { FrameRoom } from "../wire/websocket_parser.ts";
import { LinkBatches, type LinkLimits, linkLimits } from "./link_batches.ts";
import { LinkLife } from "./link_life.ts";
import type { Link, LinkEnd, LinkOwner, LinkQueue, LinkState } from "./link_types.ts";
import { noSlot, type Slot } from "./log/message_log_types.ts";
import { UpstreamConnection } from "./upstream_connection.ts";
import { parseUpstreamUrl, type UpstreamAddress } from "./upstream_url.ts";
import type { UpstreamWay } from "./upstream_ways.ts";

export interface UpstreamLinkOptions {
  /** `ws:` or `wss:`. */
  readonly url: string;
  readonly queue: LinkQueue;
  readonly owner: LinkOwner;
  readonly tcp: TcpPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: Pick<CryptoPort, "sha1">;
  readonly logger: Logger;
  readonly upstreamAck: "auto" | "required" | "none";
  /** What is known of the upstream; kept up to date. */
  readonly way?: UpstreamWay;
  /** Of one message that the upstream sends. */
  readonly messageBytesMax: number;
  /** PEM of the only authorities to trust for `wss:`; those of the system when absent. */
  readonly authorities?: string;
  /** Where large messages of the upstream are counted. */
  readonly room?: FrameRoom;
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
  readonly #batches: LinkBatches;
  readonly #life: LinkLife;
  #connection: UpstreamConnection | undefined;
  #opened = 0;
  #lastState: LinkState = "closed";
  #isFlushDue = false;
  #isBlocked = false;
  #blockedBytes = 0;
  #timerAt = Infinity;
  #cancelTimer: () => void = () => {};
  #stop: { readonly promise: Promise<void>; resolve(): void; cancel(): void } | undefined;
  readonly #confirm: (slot: Slot) => void;
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
    this.#life = new LinkLife(options);
    const frames = options.batch ?? new FrameBatch((count) => options.random.bytes(count));
    this.#batches = new LinkBatches({ queue: this.#queue, frames, limits: this.#limits });
    this.#confirm = (slot) => this.#queue.confirm(slot);
    this.#flushNow = () => {
      this.#isFlushDue = false;
      this.#flush();
    };
  }

  get state(): LinkState {
    return this.#life.state;
  }

  get unconfirmed(): number {
    return this.#batches.window.size;
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
    this.#batches.isDrained = false;
    if (this.#isFlushDue || this.#isBlocked || this.#life.state !== "open") return;
    this.#isFlushDue = true;
    this.#clock.soon(this.#flushNow);
  }

  acknowledged(matches: ((slot: Slot) => boolean) | undefined): boolean {
    this.#life.acked(this.#clock.monotonic());
    if (matches === undefined) return false;
    const slot = this.#batches.window.takeMatching(matches);
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
    const { tcp, clock, random, crypto, messageBytesMax, authorities, room } = this.#options;
    this.#tell(undefined);
    const connection = new UpstreamConnection({
      address: this.#address,
      tcp,
      clock,
      random,
      crypto,
      messageBytesMax,
      authorities,
      room,
      events: {
        opened: () => this.#openedNow(),
        heard: () => this.#life.heard(clock.monotonic()),
        text: (text) => this.#owner.text(text),
        binary: (bytes) => this.#owner.binary(bytes),
        ping: (payload) => {
          this.#batches.pongSoon(payload);
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
    this.#life.opened(this.#clock.monotonic());
    const fields = { upstream: this.#address.shown, attempts: this.#life.attempts };
    this.#options.logger.info(fields, "upstream connected");
    this.#tell(undefined);
    if (this.#stop === undefined) this.#flush();
    else this.#finish();
  }

  #ended(end: LinkEnd, why: string): void {
    const isStopped = this.#stop !== undefined;
    const wasOpen = this.#life.state === "open";
    if (isStopped) this.#lastTurn();
    else this.#life.ended(this.#clock.monotonic(), this.#options.random.fraction());
    const { attempts } = this.#life;
    const fields = { upstream: this.#address.shown, end, why, attempts };
    if (isStopped) this.#options.logger.info(fields, "upstream link stopped");
    else if (wasOpen) this.#options.logger.warn(fields, "upstream lost");
    else if (attempts === 1) this.#options.logger.warn(fields, "upstream cannot be reached");
    else this.#options.logger.debug(fields, "upstream cannot be reached");
    const slots = this.#batches.reset();
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
      turnBytes += this.#batches.length;
      if (turnBytes < this.#limits.turnBytes) continue;
      this.wake();
      break;
    }
    this.#arm();
    this.#finishWhenDone();
  }

  /** Writes one batch. Answers whether there may be more to send at once. */
  #sendBatch(withPing: boolean): boolean {
    const batches = this.#batches;
    const life = this.#life;
    const needsPong = batches.fill(life.confirmedBy);
    const now = this.#clock.monotonic();
    if (withPing || life.wantsPing(now, { needsPong })) {
      batches.ping();
      life.pinged(now);
    }
    if (batches.length === 0) return false;
    const connection = this.#connection as UpstreamConnection;
    if (!connection.write(batches.bytes)) {
      this.#isBlocked = true;
      this.#blockedBytes = connection.bufferedBytes;
      life.blocked(now);
    }
    batches.written();
    return !batches.isDrained && batches.hasRoom(life.confirmedBy);
  }

  #ponged(payload: Uint8Array): void {
    const answered = this.#batches.answeredBy(payload);
    if (answered === undefined) return;
    const { window } = this.#batches;
    const now = this.#clock.monotonic();
    this.#life.ponged(now, answered);
    const confirms = this.#life.confirmedBy === "pongs" ? "all" : "without_id";
    window.answer(answered.number, confirms, this.#confirm);
    if (window.heldSize > 0) {
      this.#life.held(now);
      this.#arm();
    }
    this.#confirmedSome();
  }

  #confirmHeld(): void {
    this.#batches.window.confirmHeld(this.#confirm);
    this.#confirmedSome();
  }

  /** There is room in the window again. */
  #confirmedSome(): void {
    if (!this.#batches.isDrained) this.wake();
    this.#finishWhenDone();
  }

  #finishWhenDone(): void {
    if (this.#stop === undefined || !this.#batches.isDrained || this.#isBlocked) return;
    const isUndecided = this.#life.confirmedBy === "undecided";
    const awaited = this.#batches.window.size - (isUndecided ? this.#batches.window.heldSize : 0);
    if (awaited === 0) this.#finish();
  }

  #finish(): void {
    const { state } = this.#life;
    if (state === "open" || state === "dialing") {
      this.#connection?.close("stopped", "the gateway stops", 1001);
    } else {
      this.#lastTurn();
      this.#tell("stopped");
    }
    // An attempt cannot be taken back: what becomes of it is of no interest any more.
    if (state !== "open") this.#stop?.resolve();
  }

  /** Nothing is due any more. */
  #lastTurn(): void {
    this.#stop?.cancel();
    this.#cancelTimer();
    this.#timerAt = -Infinity;
    this.#life.stopped();
  }
}
