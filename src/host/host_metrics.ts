/**
 * The figures of the host protocol (`__METRICS__`), in the order in which they are shown. Counters
 * are plain numbers that their owners raise; the last ones are gauges filled in when asked.
 */
export const hostMetricNames = [
  "accepted_connections",
  "active_connections",
  "max_active_connections",
  "tcp_accept_count",
  "tcp_rx_packet_count",
  "tcp_tx_packet_count",
  "tcp_rx_bytes",
  "tcp_tx_bytes",
  "udp_rx_datagram_count",
  "udp_tx_datagram_count",
  "udp_rx_bytes",
  "udp_tx_bytes",
  "rejected_command_count",
  "backpressure_drop_count",
  "lua_hello_count",
  "lua_hot_reload_count",
  "save_state_count",
  "load_state_count",
  "route_lookup_count",
  "protobuf_request_count",
  "protobuf_response_count",
  "protobuf_unavailable_count",
  "codec_frame_parse_count",
  "codec_frame_build_count",
  "codec_error_count",
  "scenario_flow_count",
  "stability_ping_count",
  "ffi_registered_function_count",
  "ffi_sync_call_count",
  "ffi_async_call_count",
  "ffi_callback_dispatch_count",
  "ffi_async_inflight_count",
  "db_transaction_begin_count",
  "db_commit_count",
  "db_rollback_count",
  "io_poll_count",
  "timer_tick_count",
  "async_schedule_count",
  "async_complete_count",
  "inflight_async_tasks",
  "error_count",
  "thread_route_count",
  "persisted_state_count",
  "db_alert_active",
  "uptime_ms",
  "tcp_port",
  "udp_port",
] as const;
export type HostMetricName = typeof hostMetricNames[number];
export type HostMetrics = Record<HostMetricName, number>;

/** What may go down; all others only rise (and so are counters towards Prometheus). */
export const hostGauges: ReadonlySet<HostMetricName> = new Set<HostMetricName>([
  "active_connections",
  "max_active_connections",
  "ffi_registered_function_count",
  "ffi_async_inflight_count",
  "inflight_async_tasks",
  "thread_route_count",
  "persisted_state_count",
  "db_alert_active",
  "uptime_ms",
  "tcp_port",
  "udp_port",
]);

/** All zero. */
export function emptyHostMetrics(): HostMetrics {
  return Object.fromEntries(hostMetricNames.map((name) => [name, 0])) as HostMetrics;
}

/** One line of JSON: the figures and the name of the runtime. */
export function showHostMetrics(metrics: HostMetrics, runtimeName: string): string {
  const { tcp_port, udp_port, ...counts } = metrics;
  return JSON.stringify({ ...counts, runtime_name: runtimeName, tcp_port, udp_port });
}
