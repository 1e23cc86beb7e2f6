/** Keys of the section `gateway` and of those in it, spelled as in the original gateway's file. */
import { countMax, dayMs, daySeconds, secondsMin, yearSeconds } from "./key_ranges.ts";
import type { Duration, SpecsOf } from "./key_spec.ts";
import type { HistoryConfig, WaitingConfig } from "./gateway_config.ts";

const connectionsMax = 100_000;
/** Longer ones make strings that a runtime can no longer hold twice. */
const messageBytesMax = 256 * 2 ** 20;
/** Nothing, or a host or none, and a port of 0–65535. */
const listenPattern =
  /^$|^(?:[0-9A-Za-z._%-]{0,255}|\[[0-9A-Za-z:.%]{2,64}\]):(?:\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])$/;
/** Shorter ones would keep the processor busy; tests want short ones. */
const durationMinMs = 50;

interface GatewayKeys {
  readonly listen: string;
  readonly maxConnections: number;
  readonly maxMessageSize: number;
  readonly upstreamMaxMessageSize: number;
  readonly connectionTimeout: Duration;
  readonly heartbeatInterval: Duration;
  readonly trustedProxies: readonly string[];
  readonly requireIdentity: boolean;
  readonly messagesPerSecond: number;
  readonly messageBurst: number;
  readonly outboundBytesMax: number;
  readonly slowConsumerSeconds: number;
  readonly priorityMax: number;
}

export const gatewayKeys: SpecsOf<GatewayKeys> = {
  listen: {
    kind: "text",
    default: "",
    pattern: listenPattern,
    allowed: '":8080", "host:port" or "[::1]:8080", with a port of 0–65535',
    means: 'Old name of http_host and http_port in one, as ":8080"',
  },
  maxConnections: {
    kind: "whole",
    default: 0,
    min: 0,
    max: connectionsMax,
    means: "WebSocket clients at one time; 0: the limit of open files less 512, at most 100,000",
  },
  maxMessageSize: {
    kind: "bytes",
    default: 50 * 2 ** 20,
    min: 128,
    max: messageBytesMax,
    means: "Size of one message of a client, inflated",
  },
  upstreamMaxMessageSize: {
    // The largest message that comes by default, in base64.
    kind: "bytes",
    default: 72 * 2 ** 20,
    min: 2 ** 20,
    max: 2 * messageBytesMax,
    means: "Size of one message to an upstream; what came in chunks and is longer goes in chunks",
  },
  connectionTimeout: {
    kind: "duration",
    default: "90s",
    minMs: durationMinMs,
    maxMs: dayMs,
    means: "Closes connections without any frame for that long, pongs included",
  },
  heartbeatInterval: {
    kind: "duration",
    default: "15s",
    minMs: durationMinMs,
    maxMs: dayMs,
    means: "Time between two pings to a client",
  },
  trustedProxies: {
    // Nobody is believed unasked: any client can write the header.
    kind: "addresses",
    default: [],
    means: "Addresses of proxies whose X-Forwarded-For is believed",
  },
  requireIdentity: {
    kind: "yes_no",
    default: false,
    means: "Refuses clients that can prove nothing: those with neither v=2 nor a token",
  },
  messagesPerSecond: {
    // A message costs some 10 µs: one client can take a hundredth of a core.
    kind: "whole",
    default: 1_000,
    min: 0,
    max: countMax,
    means: "Messages a second of one client; 0: no limit",
  },
  messageBurst: {
    kind: "whole",
    default: 2_000,
    min: 1,
    max: countMax,
    means: "Messages that may come at once",
  },
  outboundBytesMax: {
    // A client that reads at all is rid of it in a second on a slow line.
    kind: "bytes",
    default: 2 ** 20,
    min: 4_096,
    max: 2 ** 30,
    means: "Bytes that may wait for one client that does not read",
  },
  slowConsumerSeconds: {
    kind: "seconds",
    default: 10,
    min: secondsMin,
    max: daySeconds,
    means: "How long a client may stay over that before it is closed",
  },
  priorityMax: {
    kind: "whole",
    default: 9,
    min: 0,
    max: 9,
    means: "Highest priority that a client may ask for; where strangers come, 0 treats all alike",
  },
};

interface RateLimitKeys {
  readonly enabled: boolean;
  readonly requestsPerSecond: number;
  readonly burstSize: number;
}

export const rateLimitKeys: SpecsOf<RateLimitKeys> = {
  enabled: { kind: "yes_no", default: true, means: "Limits connects by client address" },
  requestsPerSecond: {
    kind: "whole",
    default: 1_000,
    min: 1,
    max: countMax,
    means: "Connects a second of one address (IPv6: one /64)",
  },
  burstSize: {
    kind: "whole",
    default: 2_000,
    min: 1,
    max: countMax,
    means: "Connects that may come at once",
  },
};

interface SecurityKeys {
  readonly allowedOrigins: readonly string[];
  readonly enableCompression: boolean;
}

export const securityKeys: SpecsOf<SecurityKeys> = {
  allowedOrigins: {
    kind: "texts",
    default: [],
    membersMax: 1_000,
    member: {
      pattern: /^(?:\*|null|[A-Za-z][A-Za-z0-9+.-]*:\/\/[^\s\p{Cc}/]{0,255})$/u,
      allowed: 'an origin such as "https://example.com", or "*" for any',
    },
    means: "Origins of web pages that may connect; none: any",
  },
  enableCompression: {
    // It costs memory for each connection and much time for each message.
    kind: "yes_no",
    default: false,
    means: "Compresses messages to clients that can read it (permessage-deflate; not on Deno)",
  },
};

export const waitingKeys: SpecsOf<WaitingConfig> = {
  perClient: {
    kind: "whole",
    default: 1_000,
    min: 0,
    max: countMax,
    means: "Messages kept for one client that is away; 0: none",
  },
  perClientBytes: {
    kind: "bytes",
    default: 2 ** 20,
    min: 0,
    max: 2 ** 40,
    means: "Their bytes",
  },
  total: {
    // A tenth of the buffer that they share with messages to upstreams.
    kind: "whole",
    default: 100_000,
    min: 0,
    max: 2 ** 24,
    means: "Messages kept for all clients that are away",
  },
  totalBytes: {
    kind: "bytes",
    default: 64 * 2 ** 20,
    min: 0,
    max: 2 ** 40,
    means: "Their bytes in all",
  },
  ttlSeconds: {
    kind: "seconds",
    default: 3_600,
    min: 0,
    max: yearSeconds,
    means: "How long after a client was last seen messages are kept for it",
  },
};

export const historyKeys: SpecsOf<HistoryConfig> = {
  enabled: { kind: "yes_no", default: true, means: "Keeps messages for clients that ask for them" },
  maxTotalMB: {
    kind: "whole",
    default: 1_024,
    min: 1,
    max: 2 ** 20,
    means: "Size of the whole history, in MiB",
  },
  maxPerClient: {
    kind: "whole",
    default: 500,
    min: 1,
    max: countMax,
    means: "Messages kept of one client",
  },
  maxMsgSizeKB: {
    kind: "whole",
    default: 64,
    min: 0,
    max: messageBytesMax / 1_024,
    means: "Of larger messages, in KiB, only the metadata is kept",
  },
  cleanupHours: {
    kind: "whole",
    default: 24,
    min: 1,
    max: yearSeconds / 3_600,
    means: "Hours that messages are kept",
  },
};
