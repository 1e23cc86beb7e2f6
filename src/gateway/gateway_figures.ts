import type { RecentLatency } from "./gateway_counters.ts";
import type { MessageHistory } from "./history/message_history.ts";
import type { GatewayCounters } from "./gateway_types.ts";
import { type MessageLog, noSlot } from "./log/message_log_types.ts";
import type { Mailbox } from "./mailbox.ts";
import type { Upstreams } from "./upstreams.ts";

/** What the figures are read from, besides the counters. */
export interface FigureSources {
  readonly counters: GatewayCounters;
  readonly log: MessageLog;
  readonly upstreams: Upstreams;
  readonly mailbox: Mailbox;
  readonly history: MessageHistory;
  readonly ackLatency: RecentLatency;
  readonly forwardLatency: RecentLatency;
  readonly bufferCapacity: number;
  readonly connections: number;
  /** Accounted bytes. */
  readonly memoryBytes: number;
  readonly memoryBytesMax: number;
  /** Of the limiter of client addresses. */
  readonly limitedAddresses: number;
  readonly averageTokens: number;
  readonly requestsPerSecond: number;
  readonly process: { readonly heapBytes: number; readonly residentBytes: number };
  readonly eventLoopLagP99Ms: number;
  /** Since the start. */
  readonly uptimeMs: number;
  /** Since 1970. */
  readonly nowMs: number;
}

/** Names of those that only grow; all others are of the moment. */
export const gatewayCounterNames: ReadonlySet<string> = new Set<string>([
  "historyDropped",
  "historyWriteFailures",
  "historyDamaged",
  ...[
    "connectionsTotal",
    "messagesReceived",
    "messagesSent",
    "messagesFailed",
    "bytesReceived",
    "bytesSent",
    "largeMessages",
    "largeMessageBytes",
    "rateLimitExceeded",
    "acksSent",
    "duplicatesDropped",
    "upstreamReconnects",
    "pingsDropped",
    "downstreamMessages",
    "downstreamDropped",
    "upstreamFramesRefused",
    "acksUnmatched",
    "droppedOldest",
    "expired",
  ] satisfies (keyof GatewayCounters)[],
]);

const mebibyte = 2 ** 20;

/** The figures under the names of the JSON metrics; cheap enough for every scrape. */
export function gatewayFigures(sources: FigureSources): Record<string, number> {
  const { counters, log, mailbox, forwardLatency, process, memoryBytes, memoryBytesMax } = sources;
  let open = 0;
  let pending = 0;
  let bufferedBytes = 0;
  for (const target of sources.upstreams.all()) {
    if (target.isOpen) open++;
    bufferedBytes += target.link?.bufferedBytes ?? 0;
    pending += target.pending;
  }
  counters.upstreamReconnects = sources.upstreams.reconnects;
  const history = sources.history.figures;
  const { oldest } = log;
  const oldestMs = oldest === noSlot ? 0 : Math.max(0, sources.nowMs - log.stampMs(oldest));
  return {
    ...counters,
    connectionsActive: sources.connections,
    currentConnections: sources.connections,
    openclawConnections: open,
    memoryUsedMB: rounded(memoryBytes / mebibyte),
    memoryLimitMB: rounded(memoryBytesMax / mebibyte),
    memoryPercent: rounded(100 * memoryBytes / memoryBytesMax),
    heapAllocMB: rounded(process.heapBytes / mebibyte),
    heapSysMB: rounded(process.residentBytes / mebibyte),
    // Of the original's own runtime; readers of the old metrics look for it.
    numGoroutine: 0,
    rateLimitClients: sources.limitedAddresses,
    rateLimitAvgTokens: rounded(sources.averageTokens),
    rateLimitQPS: sources.requestsPerSecond,
    historyClients: history.clients,
    historyMessages: history.messages,
    historyBytes: history.bytes,
    historyDropped: history.dropped,
    historyWriteFailures: history.failures,
    historyDamaged: history.damaged,
    uptimeSeconds: Math.floor(sources.uptimeMs / 1_000),
    bufferDepth: log.depth,
    bufferBytes: log.bytes,
    bufferCapacity: sources.bufferCapacity,
    bufferOldestSeconds: rounded(oldestMs / 1_000),
    waitingMessages: mailbox.count,
    upstreamPending: pending,
    upstreamBufferedBytes: bufferedBytes,
    fsyncP99Ms: rounded(log.fsyncP99Ms),
    ackP50Ms: rounded(sources.ackLatency.percentile(0.5)),
    ackP99Ms: rounded(sources.ackLatency.percentile(0.99)),
    forwardP50Ms: rounded(forwardLatency.percentile(0.5)),
    forwardP99Ms: rounded(forwardLatency.percentile(0.99)),
    eventLoopLagP99Ms: rounded(sources.eventLoopLagP99Ms),
  };
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
