import type { WebSocketLimits } from "../ports/http.ts";

/**
 * Counts what one WebSocket peer sends against a token bucket of messages and one of bytes. It is a
 * base class of the connections, so that an idle connection carries three numbers and no further
 * object.
 */
export abstract class InboundMeter {
  #messages: number;
  #bytes: number;
  #filledAt: number;

  /** Both buckets start full. `nowMs` is any monotonic clock. */
  constructor(limits: WebSocketLimits, nowMs: number) {
    this.#messages = messagesMax(limits);
    this.#bytes = bytesMax(limits);
    this.#filledAt = nowMs;
  }

  /** Takes one message (or ping, or pong) of `bytes`. False when the peer sent too much. */
  protected admit(limits: WebSocketLimits, nowMs: number, bytes: number): boolean {
    const seconds = Math.max(0, nowMs - this.#filledAt) / 1000;
    const { messagesPerSecond, bytesPerSecond } = limits.inbound;
    this.#filledAt = nowMs;
    this.#messages = Math.min(messagesMax(limits), this.#messages + seconds * messagesPerSecond) -
      1;
    this.#bytes = Math.min(bytesMax(limits), this.#bytes + seconds * bytesPerSecond) - bytes;
    return this.#messages >= 0 && this.#bytes >= 0;
  }
}

function messagesMax({ inbound }: WebSocketLimits): number {
  return Math.max(1, inbound.messagesPerSecond * inbound.burstSeconds);
}

/** At least one whole message, else the largest allowed one would be a flood. */
function bytesMax({ inbound, messageBytesMax }: WebSocketLimits): number {
  return Math.max(messageBytesMax, inbound.bytesPerSecond * inbound.burstSeconds);
}
