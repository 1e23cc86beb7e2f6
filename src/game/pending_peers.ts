import type { Clock } from "../ports/clock.ts";
import type { GamePeer } from "./game_peer.ts";

/** Connections that have not logged in: how long they may wait, and how many an address may have. */
export class PendingPeers {
  readonly #clock: Clock;
  readonly #expired: (peer: GamePeer) => void;
  /** In the order of their coming, so the first is always the next to expire. */
  readonly #peers = new Map<GamePeer, { readonly group: string; readonly since: number }>();
  readonly #perGroup = new Map<string, number>();
  #cancelTimer: (() => void) | undefined;
  #timeoutMs: number;

  constructor(
    parts: { clock: Clock; timeoutMs: number; expired: (peer: GamePeer) => void },
  ) {
    this.#clock = parts.clock;
    this.#timeoutMs = parts.timeoutMs;
    this.#expired = parts.expired;
  }

  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  /** For those that come, and for those that wait already. */
  set timeoutMs(ms: number) {
    this.#timeoutMs = ms;
    this.stop();
    this.#arm();
  }

  get size(): number {
    return this.#peers.size;
  }

  /** Addresses that are counted, for tests that nothing is left behind. */
  get groups(): number {
    return this.#perGroup.size;
  }

  get peers(): Iterable<GamePeer> {
    return this.#peers.keys();
  }

  /** False, and nothing done, when the address has `groupMax` already. */
  add(peer: GamePeer, group: string, groupMax: number): boolean {
    const known = this.#perGroup.get(group) ?? 0;
    if (known >= groupMax) return false;
    this.#perGroup.set(group, known + 1);
    this.#peers.set(peer, { group, since: this.#clock.monotonic() });
    this.#arm();
    return true;
  }

  /** Does nothing for one that is not there. */
  remove(peer: GamePeer): void {
    const entry = this.#peers.get(peer);
    if (entry === undefined) return;
    this.#peers.delete(peer);
    const left = (this.#perGroup.get(entry.group) ?? 1) - 1;
    if (left === 0) this.#perGroup.delete(entry.group);
    else this.#perGroup.set(entry.group, left);
  }

  /** Nobody expires any more. */
  stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #arm(): void {
    if (this.#cancelTimer !== undefined) return;
    for (const { since } of this.#peers.values()) {
      const ms = Math.max(0, Math.ceil(since + this.timeoutMs - this.#clock.monotonic()));
      this.#cancelTimer = this.#clock.after(ms, () => this.#expire());
      return;
    }
  }

  #expire(): void {
    this.#cancelTimer = undefined;
    const now = this.#clock.monotonic();
    for (const [peer, { since }] of this.#peers) {
      if (since + this.timeoutMs > now) break;
      this.remove(peer);
      this.#expired(peer);
    }
    this.#arm();
  }
}
