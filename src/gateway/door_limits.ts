import type { GatewayConfig } from "../config/gateway_config.ts";
import type { WebSocketCompression, WebSocketLimits } from "../ports/http.ts";

/** How far over its rate a client must be for the adapter to step in: all finer limits answer, and
 * spare the heartbeats of the known SDK. */
const grossFactor = 50;

/** The known SDK sends 900 heartbeats a second, however low the rate is. */
const messagesPerSecondMin = 5_000;

/** Without a rate: more than one connection gets through here. */
const messagesPerSecondUnlimited = 200_000;

const bytesPerSecondMin = 256 << 20;

/** Control frames and what a message grows by come on top of what the connections themselves allow. */
const outboundSlackBytes = 1 << 20;

/** Of the memory that the gateway may use, what a runtime may keep of large messages that are gone. */
const receiveShare = 0.25;
const mebibyte = 1_048_576;

/** Limits for the adapter, which are there for what the door itself cannot see or stop. */

export function doorLimits(config: GatewayConfig): WebSocketLimits {
  const { maxMessageSize, messagesPerSecond, messageBurst, outboundBytesMax, memory } = config;
  return {
    messageBytesMax: maxMessageSize,
    // A message of several bytes a character, or larger than the limit, goes when nothing waits.
    outboundBytesMax: 3 * outboundBytesMax + 2 * maxMessageSize + outboundSlackBytes,
    receiveBytesMax: Math.max(memory.maxMemoryMB * mebibyte * receiveShare, 2 * maxMessageSize),
    inbound: {
      messagesPerSecond: messagesPerSecond === 0
        ? messagesPerSecondUnlimited
        : Math.max(messagesPerSecondMin, messageBurst, grossFactor * messagesPerSecond),
      bytesPerSecond: Math.max(bytesPerSecondMin, 2 * maxMessageSize),
      burstSeconds: 2,
    },
  };
}

/** Smaller messages hardly get smaller, and each costs a run of the compressor. */
const deflatedBytesMin = 1_024;

/** The compressor takes some 15 ms for so many bytes, in which nobody else is served. */
const deflatedBytesMax = 256 << 10;

/** Undefined where compression is off. */
export function doorCompression({ security }: GatewayConfig): WebSocketCompression | undefined {
  if (!security.enableCompression) return undefined;
  return { messageBytesMin: deflatedBytesMin, messageBytesMax: deflatedBytesMax };
}
