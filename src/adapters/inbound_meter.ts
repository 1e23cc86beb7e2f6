import type { WebSocketLimits } from "../ports/http.ts";

/**
 * Counts what one WebSocket peer sends against a credit of messages and one of bytes. It is a base
 * class of the connections, so that an idle connection carries three numbers and no further object.
 * The credits are filled up only when one is used up, so that a message costs two subtractions and
 * no look at the clock. In no time are more than a burst and the rate times that time let through.
 */
export abstract class InboundMeter {
  #messages: number;
  #bytes: number;
  #filledAt: number;

  /** Both credits start full. `nowMs` is any monotonic clock. */
  constructor(limits: WebSocketLimits, nowMs: number) {
    this.#messages = messagesMax(limits);
    this.#bytes = bytesMax(limits);
    this.#filledAt = nowMs;
  }

  /** Takes one message (or ping, or pong) of `bytes`. False when the peer sent too much. `clock` is
   * the one of the constructor. */
  protected admit(limits: WebSocketLimits, bytes: number, clock: () => number): boolean {
    this.#messages -= 1;
    this.#bytes -= bytes;
    if (this.#messages >= 0 && this.#bytes >= 0) return true;
    this.#fill(limits, clock());
    return this.#messages >= 0 && this.#bytes >= 0;
  }

  #fill(limits: WebSocketLimits, nowMs: number): void {
    const seconds = Math.max(0, nowMs - this.#filledAt) / 1000;
    const { messagesPerSecond, bytesPerSecond } = limits.inbound;
    this.#filledAt = nowMs;
    this.#messages = Math.min(messagesMax(limits), this.#messages + seconds * messagesPerSecond);
    this.#bytes = Math.min(bytesMax(limits), this.#bytes + seconds * bytesPerSecond);
  }
}

function messagesMax({ inbound }: WebSocketLimits): number {
  return Math.max(1, inbound.messagesPerSecond * inbound.burstSeconds);
}

/** At least one whole message, else the largest allowed one would be a flood. */
function bytesMax({ inbound, messageBytesMax }: WebSocketLimits): number {
  return Math.max(messageBytesMax, inbound.bytesPerSecond * inbound.burstSeconds);
}
