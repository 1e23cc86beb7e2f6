import { LatencyHistogram } from "../base/latency_histogram.ts";
import type { GatewayCounters } from "./gateway_types.ts";
import { LatencyBuckets } from "./latency_buckets.ts";

/** All at 0. */
export function emptyGatewayCounters(): GatewayCounters {
  return {
    connectionsTotal: 0,
    messagesReceived: 0,
    messagesSent: 0,
    messagesFailed: 0,
    bytesReceived: 0,
    bytesSent: 0,
    largeMessages: 0,
    largeMessageBytes: 0,
    rateLimitExceeded: 0,
    acksSent: 0,
    duplicatesDropped: 0,
    upstreamReconnects: 0,
    pingsDropped: 0,
    downstreamMessages: 0,
    downstreamDropped: 0,
    upstreamFramesRefused: 0,
    acksUnmatched: 0,
    droppedOldest: 0,
    expired: 0,
  };
}

/** Latencies: of the last while as percentiles, and since the start as counts. */
export class RecentLatency {
  readonly buckets: LatencyBuckets = new LatencyBuckets();
  #present = new LatencyHistogram();
  #before = new LatencyHistogram();

  add(ms: number): void {
    this.#present.add(ms);
    this.buckets.add(ms);
  }

  /** Ends the period; percentiles are those of the present one and the one before it. To be called
   * at equal distances. */
  turn(): void {
    this.#before = this.#present;
    this.#present = new LatencyHistogram();
  }

  /** In milliseconds; 0 when there was none. */
  percentile(share: number): number {
    const both = new LatencyHistogram();
    both.merge(this.#present);
    both.merge(this.#before);
    return both.percentile(share);
  }
}
