import type { FrameRoom } from "../wire/websocket_parser.ts";

/** What the gateway keeps bytes for. */
export type MemoryKind = "queues" | "waiting" | "transfers" | "history" | "outbound";

/** Messages up to this size are still taken over the watermark. */
export const smallMessageBytesMax = 65_536;

/** Share of the limit below which all is taken again: what was refused must not come in by drops. */
const relaxedShare = 0.6;

/**
 * Counts the bytes that the gateway keeps, and says what it can still take: above the watermark no
 * large messages, at the limit none at all, until the sum is below 60 % (or below the watermark, if
 * that is lower). Each part owns its kind.
 */
export class MemoryAccount {
  #limitBytes = 0;
  #watermarkBytes = 0;
  #relaxedBytes = 0;
  readonly #bytes: Record<MemoryKind, number> = {
    queues: 0,
    waiting: 0,
    transfers: 0,
    history: 0,
    outbound: 0,
  };
  #total = 0;
  #refuses: "nothing" | "large" | "all" = "nothing";

  constructor(limits: { readonly maxMemoryMB: number; readonly highWatermark: number }) {
    this.configure(limits);
  }

  get limitBytes(): number {
    return this.#limitBytes;
  }

  configure(limits: { readonly maxMemoryMB: number; readonly highWatermark: number }): void {
    this.#limitBytes = limits.maxMemoryMB * 1_048_576;
    this.#watermarkBytes = this.#limitBytes * limits.highWatermark;
    this.#relaxedBytes = Math.min(this.#limitBytes * relaxedShare, this.#watermarkBytes);
    this.#judge();
  }

  get totalBytes(): number {
    return this.#total;
  }

  /** What is refused at present. */
  get refuses(): "nothing" | "large" | "all" {
    return this.#refuses;
  }

  bytes(kind: MemoryKind): number {
    return this.#bytes[kind];
  }

  /** Adds to a kind; negative for what is gone. */
  add(kind: MemoryKind, bytes: number): void {
    this.#bytes[kind] += bytes;
    this.#total += bytes;
    this.#judge();
  }

  /** For a kind that is worked out now and then. */
  set(kind: MemoryKind, bytes: number): void {
    this.add(kind, bytes - this.#bytes[kind]);
  }

  /** Whether a message of so many bytes may come in. */
  admits(bytes: number): boolean {
    if (this.#refuses === "nothing") return true;
    return this.#refuses === "large" && bytes <= smallMessageBytesMax;
  }

  /** Whether so many bytes may be promised to one who has not sent them yet. What is large goes up to
   * the watermark, unless it is larger by itself: nobody's promises must keep small messages out. */
  hasRoom(bytes: number): boolean {
    const isSmall = bytes <= smallMessageBytesMax;
    const most = isSmall || bytes > this.#watermarkBytes ? this.#limitBytes : this.#watermarkBytes;
    return this.admits(bytes) && this.#total + bytes <= most;
  }

  #judge(): void {
    if (this.#total >= this.#limitBytes) this.#refuses = "all";
    else if (this.#refuses === "nothing" && this.#total > this.#watermarkBytes) {
      this.#refuses = "large";
    } else if (this.#refuses !== "nothing" && this.#total < this.#relaxedBytes) {
      this.#refuses = "nothing";
    }
  }
}

/** Counts large messages of upstreams while they come in, as the transfers that they are. */
export function transferRoom(memory: MemoryAccount): FrameRoom {
  return {
    reserve: (bytes) => {
      if (!memory.hasRoom(bytes)) return false;
      memory.add("transfers", bytes);
      return true;
    },
    giveBack: (bytes) => memory.add("transfers", -bytes),
  };
}
