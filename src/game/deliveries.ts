import type { Clock } from "../ports/clock.ts";
import type { GamePeer } from "./game_peer.ts";

/** So many peers in one flush are a crowd: a send costs microseconds, so what follows is gathered. */
const crowdPeers = 48;
/** How long packets are gathered after a flush to a crowd, in milliseconds. */
const gatherMs = 8;

/**
 * What goes to clients: packets are gathered over a turn of the loop and leave in one write for each
 * peer. After a turn that went to a crowd the next flush waits a little, so that a busy lobby costs
 * writes by time and not by messages; otherwise nothing waits.
 */
export class Deliveries {
  readonly #clock: Clock;
  /** Bytes that may wait for one peer; more and it is slow. */
  readonly outboundBytesMax: number;
  readonly #slow: (peer: GamePeer) => void;
  #dirty: GamePeer[] = [];
  #holdUntil = -Infinity;
  #cancelTimer: (() => void) | undefined;
  #depth = 0;
  #lastList: readonly Uint8Array[] = [];
  #lastJoined: Uint8Array = new Uint8Array(0);
  writes = 0;
  packets = 0;
  bytes = 0;

  constructor(
    parts: { clock: Clock; outboundBytesMax: number; slow: (peer: GamePeer) => void },
  ) {
    this.#clock = parts.clock;
    this.outboundBytesMax = parts.outboundBytesMax;
    this.#slow = parts.slow;
  }

  /** May end the connection as too slow: one turn can answer hundreds of questions. */
  add(peer: GamePeer, packet: Uint8Array): void {
    if (peer.queued === undefined) {
      peer.queued = [packet];
      peer.queuedBytes = packet.length;
      this.#dirty.push(peer);
    } else {
      peer.queued.push(packet);
      peer.queuedBytes += packet.length;
    }
    if (peer.queuedBytes > this.outboundBytesMax) this.flushPeer(peer);
  }

  /** Something is being handled: what it sends leaves together, at the last `turnEnded`. */
  begin(): void {
    this.#depth++;
  }

  /** Ends what `begin` began, even when it threw. */
  turnEnded(): void {
    this.#depth--;
    if (this.#depth > 0) return;
    if (this.#dirty.length === 0 || this.#cancelTimer !== undefined) return;
    const wait = this.#holdUntil - this.#clock.monotonic();
    if (wait <= 0) return this.flush();
    this.#cancelTimer = this.#clock.after(Math.ceil(wait), () => this.flush());
  }

  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const peer of dirty) this.flushPeer(peer);
    if (dirty.length >= crowdPeers) this.#holdUntil = this.#clock.monotonic() + gatherMs;
    this.#lastList = [];
  }

  /** Writes what waits for one peer now: its connection is about to close. */
  flushPeer(peer: GamePeer): void {
    const list = peer.queued;
    if (list === undefined) return;
    peer.queued = undefined;
    if (peer.socket.bufferedBytes + peer.queuedBytes > this.outboundBytesMax) {
      this.#slow(peer);
      return;
    }
    const bytes = this.#joined(list);
    this.writes++;
    this.packets += list.length;
    this.bytes += bytes.length;
    peer.socket.write(bytes);
  }

  /** Drops the timer; what waits is written. */
  close(): void {
    this.flush();
  }

  /** A crowd gets the same packets: they are joined once. */
  #joined(list: readonly Uint8Array[]): Uint8Array {
    const [first] = list;
    if (first !== undefined && list.length === 1) return first;
    const last = this.#lastList;
    if (last.length === list.length && list.every((packet, i) => packet === last[i])) {
      return this.#lastJoined;
    }
    const joined = new Uint8Array(list.reduce((sum, packet) => sum + packet.length, 0));
    let at = 0;
    for (const packet of list) {
      joined.set(packet, at);
      at += packet.length;
    }
    this.#lastList = list;
    this.#lastJoined = joined;
    return joined;
  }
}
