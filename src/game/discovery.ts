import { encodeDiscoveryReply, parseDiscovery, type ServerDetail } from "../wire/server_detail.ts";
import { addressGroup } from "./accounts/login_limits.ts";

/** To an address that asks more often, a reply is at most `replyFactorMax` times its request. */
export const freeRequestsPerSecond = 20;
const replyFactorMax = 3;

/** A request beyond this is no client's: real ones are some 20 bytes. */
const requestBytesMax = 2_048;

/** What a datagram over IPv4 can carry: 65,535 bytes less its headers (RFC 768, RFC 791). */
const replyBytesMax = 65_507;

/**
 * Senders of the last second that are counted, at up to 300 bytes each. With more of them, which is
 * a flood, those not counted are answered as if they had asked too often: whoever forges addresses
 * must not push a victim's out of the table.
 */
const sendersMax = 4_096;

const windowMs = 1_000;

/** Answers clients that look for servers (game server, "Discovery"). Pure. */
export class Discovery {
  readonly #facts: () => ServerDetail;
  readonly #senders = new RecentSenders();

  /** `facts` are read anew for each answer. */
  constructor(facts: () => ServerDetail) {
    this.#facts = facts;
  }

  isDiscovery(bytes: Uint8Array): boolean {
    return bytes.length <= requestBytesMax && parseDiscovery(bytes) !== undefined;
  }

  /**
   * The datagram to send back; undefined for what is no discovery, or must not be answered because
   * `host` has asked so often that somebody may be using this server to flood it. `now` in
   * milliseconds of a clock that does not go back.
   */
  answer(bytes: Uint8Array, host: string, now: number): Uint8Array | undefined {
    if (bytes.length > requestBytesMax) return undefined;
    const request = parseDiscovery(bytes);
    if (request === undefined) return undefined;
    const isFree = this.#senders.admit(addressGroup(host), now);
    const reply = encodeDiscoveryReply(request, this.#facts());
    const most = isFree ? replyBytesMax : bytes.length * replyFactorMax;
    return reply.length <= most ? reply : undefined;
  }
}

/** Who sent how much within the last second. */
class RecentSenders {
  /** In the order of their last datagram. */
  readonly #senders = new Map<string, RecentTimes>();

  /** Counts a datagram; whether it is among the first of a second, by all that is known. */
  admit(sender: string, now: number): boolean {
    this.#forgetBefore(now - windowMs);
    let times = this.#senders.get(sender);
    if (times === undefined) {
      if (this.#senders.size >= sendersMax) return false;
      times = new RecentTimes();
    } else {
      this.#senders.delete(sender);
    }
    this.#senders.set(sender, times);
    return times.add(now);
  }

  #forgetBefore(time: number): void {
    for (const [sender, times] of this.#senders) {
      if (times.last > time) return;
      this.#senders.delete(sender);
    }
  }
}

/** The times of one sender's last datagrams, as many as are free in a second. */
class RecentTimes {
  readonly #times: number[] = [];
  #next = 0;
  last = -Infinity;

  /** Whether fewer than all of them lie within the last second. */
  add(now: number): boolean {
    const times = this.#times;
    const eldest = times.length < freeRequestsPerSecond ? -Infinity : times[this.#next]!;
    times[this.#next] = now;
    this.#next = (this.#next + 1) % freeRequestsPerSecond;
    this.last = now;
    return now - eldest >= windowMs;
  }
}
