/**
 * The message gateway's part of the configuration, complete: the sections `gateway`, `routes`,
 * `buffer`, `metrics` and `memory` of the main file. Keys are spelled as in the original gateway's
 * file, but for durations, which are milliseconds here whatever the file said.
 */
export interface GatewayConfig {
  /** Whether any of its sections is in the file, or `serve --demo` asked for it. */
  readonly enabled: boolean;
  /** 0: the limit of open files less 512, at most 100,000. */
  readonly maxConnections: number;
  /** Bytes of one message. */
  readonly maxMessageSize: number;
  /** Bytes of one message to an upstream: what is longer goes in chunks. */
  readonly upstreamMaxMessageSize: number;
  /** Without any frame, pongs included. */
  readonly connectionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  /** Of one client address (IPv6: one /64) before the upgrade. */
  readonly rateLimit: {
    readonly enabled: boolean;
    readonly requestsPerSecond: number;
    readonly burstSize: number;
  };
  readonly security: {
    /** None: any origin. */
    readonly allowedOrigins: readonly string[];
    readonly enableCompression: boolean;
  };
  /** Addresses or CIDR blocks whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[];
  /** Refuses clients that can prove nothing: those with neither `v=2` nor a token. */
  readonly requireIdentity: boolean;
  readonly jwt: JwtConfig;
  readonly api: ApiConfig;
  /** Of one client; 0: no limit. */
  readonly messagesPerSecond: number;
  readonly messageBurst: number;
  /** Waiting for one client that does not read. */
  readonly outboundBytesMax: number;
  /** How long it may stay over that before it is closed with 1013. */
  readonly slowConsumerSeconds: number;
  /** The highest `priority` that a client may ask for, 0–9. */
  readonly priorityMax: number;
  /** Messages for clients that are away. */
  readonly waiting: WaitingConfig;
  readonly history: HistoryConfig;
  /** In the order of the file. */
  readonly routes: readonly RouteRule[];
  readonly buffer: BufferConfig;
  readonly metrics: { readonly enabled: boolean; readonly logIntervalMs: number };
  readonly memory: {
    readonly maxMemoryMB: number;
    /** Share of it above which large messages are refused, 0–1. */
    readonly highWatermark: number;
  };
}

export type JwtAlgorithm = "HS256" | "RS256" | "EdDSA";

/** Tokens of clients (RFC 7519). Off where none of the four sources of keys is given. */
export interface JwtConfig {
  /** A secret: "" for none, else at least 32 characters. */
  readonly secret: string;
  /** Paths, "" for none; at most one of the four is given. */
  readonly secretFile: string;
  readonly publicKeyFile: string;
  readonly jwksFile: string;
  /** None: all that fit the keys. */
  readonly algorithms: readonly JwtAlgorithm[];
  /** The claim that holds the client id. */
  readonly clientIdClaim: string;
  /** "": not looked at. */
  readonly audience: string;
  readonly issuer: string;
  readonly leewaySeconds: number;
  /** Whether a client without a token is refused. */
  readonly required: boolean;
}

/** The REST API at `/api/v1`; off where there are no tokens. */
export interface ApiConfig {
  /** `name:read:<sha256>` or `name:write:<sha256>`. */
  readonly tokens: readonly string[];
  /** Of one token, and of one address. */
  readonly requestsPerSecond: number;
  readonly burstSize: number;
}

export interface RouteRule {
  /** "" matches every client. */
  readonly clientIdPrefix: string;
  /** One or more URLs (`ws:`, `wss:`, `echo:`), as written. */
  readonly upstreams: readonly string[];
  readonly strategy: UpstreamStrategy;
}

export type UpstreamStrategy = "hash" | "round-robin" | "least-pending";

export interface BufferConfig {
  /** Messages that may wait. */
  readonly size: number;
  /** Stem of the files; "": in memory only, and no acknowledgements. */
  readonly persistFile: string;
  /** Of the waiting messages. */
  readonly maxBytes: number;
  readonly fsync: "always" | "interval" | "never";
  /** Shortest time between the starts of two fdatasync. */
  readonly fsyncMinIntervalMs: number;
  readonly upstreamAck: "auto" | "required" | "none";
  /** Sends of one message after the first; 0: for ever. */
  readonly retries: number;
  /** 0: for ever. */
  readonly ttlSeconds: number;
  readonly overflow: "reject" | "drop-oldest";
  /** How long an acknowledged message's id is remembered. */
  readonly dedupWindowMs: number;
}

export interface WaitingConfig {
  readonly perClient: number;
  readonly perClientBytes: number;
  readonly total: number;
  readonly totalBytes: number;
  /** How long after a client was last seen messages are kept for it. */
  readonly ttlSeconds: number;
}

export interface HistoryConfig {
  readonly enabled: boolean;
  readonly maxTotalMB: number;
  readonly maxPerClient: number;
  readonly maxMsgSizeKB: number;
  readonly cleanupHours: number;
}
