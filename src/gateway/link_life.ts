import type { LinkEnd, LinkState } from "./link_types.ts";
import type { UpstreamWay } from "./upstream_ways.ts";

/** Times of a link, in milliseconds. */
export const linkTimes = {
  /** For the TCP connection; the handshake has as long again. */
  dialMsMax: 5_000,
  handshakeMsMax: 5_000,
  /** Before the first new attempt, and the most before any: a restarted upstream is found at once,
   * one that is down for long is not pestered. */
  backoffMsMin: 250,
  backoffMsMax: 30_000,
  /** A connection that stayed open so long was a good one, even if nothing was sent. */
  provenMs: 5_000,
  /** A dead peer on an idle connection is looked for so often. */
  heartbeatMs: 15_000,
  /** A ping without any bytes from the upstream after it. */
  answerMsMax: 30_000,
  /** Pings without a pong, though other frames come: it will never confirm anything. */
  pongMsMax: 120_000,
  /** Bytes that wait and none of them leaves, though frames come. */
  blockedMsMax: 30_000,
  /** How long an `auto` link waits for the first acknowledgement of what pongs have answered. */
  firstAckMs: 5_000,
  /** The same for an upstream that has acknowledged on an earlier connection. */
  missedAckMs: 60_000,
  /** From one ping to the next: under load one answers for many batches, and what is confirmed 5 ms
   * later only stays in the log for so long. */
  pingGapMs: 5,
} as const;

/** Who confirms messages that have an id. */
export type ConfirmedBy =
  /** Acknowledgements. */
  | "acks"
  /** Not known yet: what pongs answered is held. */
  | "undecided"
  /** Pongs, as for messages without an id. */
  | "pongs";

/** What is to be done now. */
export type LifeOrder =
  | { readonly kind: "dial" }
  | { readonly kind: "ping" }
  /** Nobody acknowledges: what is held is confirmed. */
  | { readonly kind: "confirm_held" }
  | { readonly kind: "cut"; readonly end: LinkEnd; readonly why: string };

/**
 * The life of a link without its bytes: when to dial, to ping, to give up, and who confirms. It has
 * no clock of its own: `now` is monotonic time in milliseconds. After each call `nextWake` says
 * when `wake` is due.
 */
export class LinkLife {
  readonly #upstreamAck: "auto" | "required" | "none";
  #state: LinkState = "closed";
  #attempts = 0;
  #dialAt = Infinity;
  #openedAt = 0;
  #isProven = false;
  #lastHeardAt = 0;
  #lastPingAt = 0;
  /** Since when a ping, or another one after the last pong, is without its pong. */
  #unansweredSince = Infinity;
  #pingDueAt = Infinity;
  #blockedSince = Infinity;
  #confirmedBy: ConfirmedBy;
  readonly #way: UpstreamWay;
  #hasAckedHere = false;
  #noAckAt = Infinity;

  /** `way` is what is known of the upstream, from this link and from others before it. */
  constructor(options: { upstreamAck: "auto" | "required" | "none"; way?: UpstreamWay }) {
    this.#upstreamAck = options.upstreamAck;
    this.#way = options.way ?? { confirmedBy: undefined };
    this.#confirmedBy = this.#firstGuess();
  }

  get state(): LinkState {
    return this.#state;
  }

  get confirmedBy(): ConfirmedBy {
    return this.#confirmedBy;
  }

  /** Attempts since the last good connection. */
  get attempts(): number {
    return this.#attempts;
  }

  start(now: number): void {
    this.#state = "backoff";
    this.#dialAt = now;
  }

  stopped(): void {
    this.#state = "closed";
    this.#dialAt = Infinity;
  }

  opened(now: number): void {
    this.#state = "open";
    this.#openedAt = this.#lastHeardAt = now;
    this.#isProven = false;
    this.#unansweredSince = this.#blockedSince = this.#noAckAt = Infinity;
    this.#hasAckedHere = false;
    this.#confirmedBy = this.#firstGuess();
    // One at once: its pong proves the connection before anything is sent.
    this.#pingDueAt = now;
    this.#lastPingAt = -Infinity;
  }

  /** The connection ended, or could not be had. `fraction` is random, from 0 up to 1. */
  ended(now: number, fraction: number): void {
    const wasOpen = this.#state === "open";
    if (wasOpen && (this.#isProven || now - this.#openedAt >= linkTimes.provenMs)) {
      this.#attempts = 0;
    }
    this.#attempts++;
    const most = Math.min(linkTimes.backoffMsMax, linkTimes.backoffMsMin * 2 ** this.#attempts);
    const pause = linkTimes.backoffMsMin + fraction * (most - linkTimes.backoffMsMin);
    this.#state = "backoff";
    this.#dialAt = now + pause;
  }

  /** Bytes came. */
  heard(now: number): void {
    this.#lastHeardAt = now;
  }

  /** A pong came; `isLatest`: to the last ping that was sent. */
  ponged(now: number, { isLatest }: { isLatest: boolean }): void {
    this.#isProven = true;
    this.#unansweredSince = isLatest ? Infinity : now;
  }

  /** Pongs have answered messages that are not confirmed. */
  held(now: number): void {
    if (this.#upstreamAck !== "auto" || this.#hasAckedHere || this.#noAckAt !== Infinity) return;
    if (this.#confirmedBy === "pongs") return;
    const hasAcked = this.#way.confirmedBy === "acks";
    this.#noAckAt = now + (hasAcked ? linkTimes.missedAckMs : linkTimes.firstAckMs);
  }

  /** An acknowledgement came. */
  acked(now: number): void {
    this.#isProven = true;
    if (this.#unansweredSince !== Infinity) this.#unansweredSince = now;
    if (this.#upstreamAck !== "auto") return;
    this.#hasAckedHere = true;
    this.#way.confirmedBy = this.#confirmedBy = "acks";
    this.#noAckAt = Infinity;
  }

  /** A batch is being written. Answers whether a ping goes behind it; `needsPong`: something in it
   * is confirmed by pongs. */
  wantsPing(now: number, { needsPong }: { needsPong: boolean }): boolean {
    if (!needsPong) return false;
    if (now - this.#lastPingAt >= linkTimes.pingGapMs) return true;
    this.#pingDueAt = Math.min(this.#pingDueAt, this.#lastPingAt + linkTimes.pingGapMs);
    return false;
  }

  pinged(now: number): void {
    this.#lastPingAt = now;
    this.#pingDueAt = Infinity;
    if (this.#unansweredSince === Infinity) this.#unansweredSince = now;
  }

  /** Bytes wait for the upstream to read; called again whenever some of them have left. */
  blocked(now: number): void {
    this.#blockedSince = now;
  }

  unblocked(): void {
    this.#blockedSince = Infinity;
  }

  /** When `wake` is to be called, if nothing happens before; Infinity for never. */
  nextWake(): number {
    if (this.#state === "backoff") return this.#dialAt;
    if (this.#state !== "open") return Infinity;
    return Math.min(
      this.#pingAt(),
      this.#noAckAt,
      this.#noAnswerAt(),
      this.#unansweredSince + linkTimes.pongMsMax,
      this.#blockedSince + linkTimes.blockedMsMax,
    );
  }

  /** Time has passed. Answers one thing that is due; call again until there is none. */
  wake(now: number): LifeOrder | undefined {
    if (this.#state === "backoff") {
      if (now < this.#dialAt) return undefined;
      this.#state = "dialing";
      return { kind: "dial" };
    }
    if (this.#state !== "open") return undefined;
    if (now >= this.#noAnswerAt()) {
      return cut("no_answer", `nothing came for ${linkTimes.answerMsMax / 1000} s after a ping`);
    }
    if (now >= this.#unansweredSince + linkTimes.pongMsMax) {
      return cut("no_answer", `no pong came for ${linkTimes.pongMsMax / 1000} s`);
    }
    if (now >= this.#blockedSince + linkTimes.blockedMsMax) {
      return cut("slow", `it read nothing for ${linkTimes.blockedMsMax / 1000} s`);
    }
    if (now >= this.#noAckAt) {
      this.#noAckAt = Infinity;
      // One that once did may be another program now, or hang: the next connection is asked anew.
      this.#way.confirmedBy = this.#way.confirmedBy === "acks" ? undefined : "pongs";
      this.#confirmedBy = "pongs";
      return { kind: "confirm_held" };
    }
    return now >= this.#pingAt() ? { kind: "ping" } : undefined;
  }

  /** A ping that waits behind bytes could not be sent anyway. */
  #pingAt(): number {
    if (this.#blockedSince !== Infinity) return Infinity;
    return Math.min(this.#pingDueAt, this.#lastPingAt + linkTimes.heartbeatMs);
  }

  #noAnswerAt(): number {
    return Math.max(this.#unansweredSince, this.#lastHeardAt) + linkTimes.answerMsMax;
  }

  #firstGuess(): ConfirmedBy {
    if (this.#upstreamAck === "none") return "pongs";
    return this.#upstreamAck === "required" ? "acks" : this.#way.confirmedBy ?? "undecided";
  }
}

function cut(end: LinkEnd, why: string): LifeOrder {
  return { kind: "cut", end, why };
}
