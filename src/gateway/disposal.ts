import type { GatewayConfig } from "../config/gateway_config.ts";
import type { Clock } from "../ports/clock.ts";
import type { Clients } from "./clients.ts";
import { ClockJumps } from "./clock_jumps.ts";
import type { Downstream } from "./downstream.ts";
import type { Client, GatewayCounters } from "./gateway_types.ts";
import { type MessageLog, noSlot, type Slot } from "./log/message_log_types.ts";
import { isOnLink } from "./upstream_target.ts";
import type { Upstreams } from "./upstreams.ts";

/** Messages looked at for one that may be dropped, or in one round for expired ones: those that are
 * on a link are passed over, and a link holds no more than its window. */
const lookedAtMax = 100_000;

/** One round for expired messages, with others served in between; the clock is read once in so many
 * of them. */
const roundMsMax = 10;
const looksAClock = 64;

/** What `tries` of a message can count. */
const triesMax = 255;

interface DisposalParts {
  readonly config: GatewayConfig;
  readonly clock: Clock;
  readonly counters: GatewayCounters;
  readonly clients: Clients;
  readonly log: MessageLog;
  readonly upstreams: Upstreams;
  readonly downstream: Downstream;
}

/** Messages that leave without having been delivered: too old, sent too often, or pushed out. */
export class Disposal {
  readonly #parts: DisposalParts;
  readonly #jumps: ClockJumps;
  #config: GatewayConfig;
  /** Where the next round goes on; noSlot: with the oldest message. */
  #next: Slot = noSlot;
  #nextSequence = 0;

  constructor(parts: DisposalParts) {
    this.#parts = parts;
    this.#jumps = new ClockJumps(parts.clock);
    this.#config = parts.config;
  }

  configure(config: GatewayConfig): void {
    this.#config = config;
  }

  /**
   * Gives up what has waited for too long. To be called about once a second, and again soon where it
   * answers that there is more of it.
   */
  expire(): boolean {
    const { log, clock, counters } = this.#parts;
    const config = this.#config;
    const { ttlSeconds } = config.buffer;
    this.#jumps.look();
    const now = clock.now();
    const upBefore = ttlSeconds === 0 ? -Infinity : now - ttlSeconds * 1_000;
    const downBefore = now - config.waiting.ttlSeconds * 1_000;
    const newest = Math.max(upBefore, downBefore);
    const endsAt = clock.monotonic() + roundMsMax;
    const expiredBefore = counters.expired;
    let isHeldUp = false;
    let slot = this.#firstOfRound();
    for (let looked = 1; slot !== noSlot; looked++) {
      const stamp = this.#jumps.asOfNow(log.stampMs(slot));
      if (stamp >= newest) {
        slot = noSlot;
        break;
      }
      const newer = log.newer(slot);
      const isTooOld = stamp < (log.isUp(slot) ? upBefore : downBefore);
      isHeldUp = isTooOld && !this.#expireOne(slot);
      if (isHeldUp) break;
      slot = newer;
      if (looked === lookedAtMax) break;
      if (looked % looksAClock === 0 && clock.monotonic() >= endsAt) break;
    }
    this.#next = slot;
    if (slot === noSlot) return false;
    this.#nextSequence = log.sequence(slot);
    return isHeldUp || counters.expired > expiredBefore;
  }

  /** Makes room for one more message; false when all of them are under way. */
  dropOldest(): boolean {
    const { log, counters, downstream } = this.#parts;
    let slot = log.oldest;
    for (let looked = 0; looked < lookedAtMax && slot !== noSlot; looked++) {
      if (!log.isUp(slot)) {
        counters.droppedOldest++;
        downstream.drop(slot);
        return true;
      }
      if (!isOnLink(log, slot)) {
        this.#takeOut(slot, "overflow");
        return true;
      }
      slot = log.newer(slot);
    }
    return false;
  }

  /** Whether a message that was not confirmed is to be sent again; else it is disposed of here. */
  mayRetry(slot: Slot): boolean {
    const { log } = this.#parts;
    const tries = log.tries(slot);
    const { retries } = this.#config.buffer;
    // One whose dead letter has no room for now is sent once more.
    if (retries > 0 && tries >= retries && (!log.isAckAsked(slot) || log.canBury(slot))) {
      this.#giveUp(slot, "retries");
      return false;
    }
    if (tries < triesMax) log.setTries(slot, tries + 1);
    return true;
  }

  /** A message to an upstream is gone, delivered or not. */
  forgetPending(client: Client): void {
    client.pendingUp--;
    if (client.pendingUp === 0 && client.session === undefined) this.#parts.clients.tidy(client);
  }

  #firstOfRound(): Slot {
    const { log } = this.#parts;
    const next = this.#next;
    return next !== noSlot && log.isWaiting(next, this.#nextSequence) ? next : log.oldest;
  }

  /** False for one whose dead letter would have no room for now. */
  #expireOne(slot: Slot): boolean {
    const { log, counters, downstream } = this.#parts;
    if (!log.isUp(slot)) {
      counters.expired++;
      downstream.drop(slot);
    } else if (!isOnLink(log, slot)) {
      if (log.isAckAsked(slot) && !log.canBury(slot)) return false;
      this.#takeOut(slot, "expired");
    }
    return true;
  }

  #takeOut(slot: Slot, reason: "expired" | "overflow"): void {
    const { log, upstreams } = this.#parts;
    upstreams.at(log.place(slot)).remove(slot);
    this.#giveUp(slot, reason);
  }

  /** It is in no queue any more. */
  #giveUp(slot: Slot, reason: "expired" | "retries" | "overflow"): void {
    const { log, clients, counters } = this.#parts;
    const client = clients.at(log.clientIndex(slot));
    if (reason === "overflow") counters.droppedOldest++;
    else counters.expired++;
    if (!log.isAckAsked(slot)) {
      log.release(slot);
    } else {
      client.dying++;
      log.bury(slot, reason, () => {
        client.dying--;
        clients.tidy(client);
      });
    }
    this.forgetPending(client);
  }
}
