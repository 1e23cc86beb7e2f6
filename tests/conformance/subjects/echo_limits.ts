/** Limits of the servers under test: all that the cases send fits, but for what is meant to be over. */
export const echoLimits = {
  messageBytesMax: 52_428_800,
  outboundBytesMax: 128 << 20,
  inbound: { messagesPerSecond: 1_000_000, bytesPerSecond: 1 << 30, burstSeconds: 10 },
} as const;
