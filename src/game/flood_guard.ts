/** What one connection may send over time. */
export interface FloodLimits {
  readonly packetsPerSecond: number;
  readonly packetsBurst: number;
  readonly bytesPerSecond: number;
  readonly bytesBurst: number;
  /** How long a connection may stay over these limits, in milliseconds. */
  readonly overMsMax: number;
}

/**
 * In bounds again is who was refused nothing for so long, in milliseconds: several times the pause
 * after a refusal, in which a small burst may fill up.
 */
const restMs = 1_000;

/**
 * Holds one connection to its rates. What comes too fast is read later, not dropped; one that keeps
 * it up is a flood. Bytes are counted when they come, so they may run into debt; packets are counted
 * one by one before they are decoded.
 */
export class FloodGuard {
  readonly #limits: FloodLimits;
  #packets: number;
  #bytes: number;
  #at: number;
  #overSince: number | undefined;
  #refusedAt = -Infinity;

  /** `now` in milliseconds of a clock that does not go back, here and below. */
  constructor(limits: FloodLimits, now: number) {
    this.#limits = limits;
    this.#packets = limits.packetsBurst;
    this.#bytes = limits.bytesBurst;
    this.#at = now;
  }

  /** Bytes that came, or that packed data turned out to hold. */
  countBytes(count: number, now: number): void {
    this.#refill(now);
    this.#bytes -= count;
  }

  /** Whether a packet may be looked at now. */
  takePacket(now: number): boolean {
    this.#refill(now);
    if (this.#packets < 1 || this.#bytes < 0) {
      this.#overSince ??= now;
      this.#refusedAt = now;
      return false;
    }
    this.#packets--;
    // And with a good part of the burst in hand: else one packet would clear it.
    const { packetsPerSecond, packetsBurst, bytesPerSecond, bytesBurst } = this.#limits;
    const isRested = now - this.#refusedAt >= restMs &&
      this.#packets >= Math.min(packetsPerSecond, packetsBurst / 2) &&
      this.#bytes >= Math.min(bytesPerSecond, bytesBurst / 2);
    if (isRested) this.#overSince = undefined;
    return true;
  }

  /** What `takePacket` took was no whole packet yet. */
  giveBackPacket(): void {
    this.#packets = Math.min(this.#limits.packetsBurst, this.#packets + 1);
  }

  /** Whether it has been over its limits for too long; asked after `takePacket` refused. */
  isFlood(now: number): boolean {
    return this.#overSince !== undefined && now - this.#overSince >= this.#limits.overMsMax;
  }

  #refill(now: number): void {
    const seconds = Math.max(0, now - this.#at) / 1_000;
    this.#at = Math.max(now, this.#at);
    const { packetsPerSecond, packetsBurst, bytesPerSecond, bytesBurst } = this.#limits;
    this.#packets = Math.min(packetsBurst, this.#packets + seconds * packetsPerSecond);
    this.#bytes = Math.min(bytesBurst, this.#bytes + seconds * bytesPerSecond);
  }
}
