/** Keys of the sections `buffer`, `metrics` and `memory`, and the list of the gateway's sections. */
import { apiKeys } from "./api_keys.ts";
import {
  gatewayKeys,
  historyKeys,
  rateLimitKeys,
  securityKeys,
  waitingKeys,
} from "./gateway_keys.ts";
import { jwtKeys } from "./jwt_keys.ts";
import { dayMs, line, yearSeconds } from "./key_ranges.ts";
import type { Duration, KeySpec, SpecsOf } from "./key_spec.ts";

interface BufferKeys {
  readonly size: number;
  readonly persistFile: string;
  readonly maxBytes: number;
  readonly fsync: "always" | "interval" | "never";
  readonly fsyncMinIntervalMs: number;
  readonly upstreamAck: "auto" | "required" | "none";
  readonly retries: number;
  readonly ttlSeconds: number;
  readonly overflow: "reject" | "drop-oldest";
  readonly dedupWindow: Duration;
}

export const bufferKeys: SpecsOf<BufferKeys> = {
  size: {
    kind: "whole",
    default: 1_000_000,
    min: 1,
    max: 2 ** 24,
    means: "Messages that may wait for upstreams and absent clients",
  },
  persistFile: {
    kind: "text",
    default: "data/buffer.log",
    ...line,
    means: 'Stem of the files that hold them; "": in memory only, and no acknowledgements',
  },
  maxBytes: {
    kind: "bytes",
    default: 2 ** 30,
    min: 65_536,
    max: 2 ** 40,
    means: "Their bytes in all",
  },
  fsync: {
    kind: "choice",
    default: "always",
    choices: ["always", "interval", "never"],
    means: "When a message counts as stored: synced, synced once a second, or written",
  },
  fsyncMinIntervalMs: {
    kind: "ms",
    default: 2,
    min: 0,
    max: 60_000,
    means: "Shortest time between the starts of two syncs",
  },
  upstreamAck: {
    kind: "choice",
    default: "auto",
    choices: ["auto", "required", "none"],
    means: "Whether upstreams acknowledge messages: found out, always, or never",
  },
  retries: {
    kind: "whole",
    default: 0,
    min: 0,
    max: 255,
    means: "Sends of one message after the first; 0: for ever",
  },
  ttlSeconds: {
    kind: "seconds",
    default: 0,
    min: 0,
    max: yearSeconds,
    means: "How long a message may wait; 0: for ever",
  },
  overflow: {
    kind: "choice",
    default: "reject",
    choices: ["reject", "drop-oldest"],
    means: "What happens to a message when the buffer is full",
  },
  dedupWindow: {
    kind: "duration",
    default: "10m",
    minMs: 0,
    maxMs: 7 * dayMs,
    means: "How long the id of an acknowledged message is remembered",
  },
};

interface MetricsKeys {
  readonly enabled: boolean;
  readonly logInterval: Duration;
}

export const metricsKeys: SpecsOf<MetricsKeys> = {
  enabled: { kind: "yes_no", default: true, means: "Shows the gateway's figures at /metrics" },
  logInterval: {
    kind: "duration",
    default: "60s",
    minMs: 0,
    maxMs: dayMs,
    means: "Time between two lines of figures in the log; 0: none",
  },
};

interface MemoryKeys {
  readonly maxMemoryMB: number;
  readonly highWatermark: number;
}

export const memoryKeys: SpecsOf<MemoryKeys> = {
  maxMemoryMB: {
    kind: "whole",
    default: 2_048,
    min: 16,
    max: 2 ** 20,
    means: "Bytes of messages in memory at which all further ones are refused, in MiB",
  },
  highWatermark: {
    kind: "share",
    default: 0.8,
    min: 0.1,
    max: 1,
    means: "Share of it above which messages over 64 KiB are refused",
  },
};

/** Keys of the original gateway that mean nothing here, and what they were. */
export const ignoredGatewayKeys: ReadonlyMap<string, string> = new Map([
  ["gateway.readBufferSize", "Size of a read buffer"],
  ["gateway.writeBufferSize", "Size of a write buffer"],
  ["gateway.security.maxControlFrameSize", "Size of a control frame"],
  ["memory.gcInterval", "Time between two collections of garbage"],
]);

/** The gateway's sections with keys, each after the one that it is in. */
export const gatewaySections: ReadonlyMap<string, Readonly<Record<string, KeySpec>>> = new Map<
  string,
  Readonly<Record<string, KeySpec>>
>([
  ["gateway", gatewayKeys],
  ["gateway.rateLimit", rateLimitKeys],
  ["gateway.security", securityKeys],
  ["gateway.api", apiKeys],
  ["gateway.jwt", jwtKeys],
  ["gateway.waiting", waitingKeys],
  ["gateway.history", historyKeys],
  ["buffer", bufferKeys],
  ["metrics", metricsKeys],
  ["memory", memoryKeys],
]);
