import { ProbeFailure, show } from "./probe_failure.ts";

/** Every whole number that the `__METRICS__` line must carry (host protocol, "Metrics"). */
export const figureNames = [
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

export type FigureName = typeof figureNames[number];

/** The figures of one moment. */
export type HostFigures = Readonly<Record<FigureName, number>> & { readonly runtime_name: string };

/** Reads a `__METRICS__` line. Throws ProbeFailure that names the first field that is wrong. */
export function parseFigures(line: string): HostFigures {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new ProbeFailure(`__METRICS__ answered ${show(line)}, which is no JSON`, {
      cause: error,
    });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ProbeFailure(`__METRICS__ answered ${show(line)}, which is no JSON object`);
  }
  const fields = new Map<string, unknown>(Object.entries(value));
  const wrong = figureNames.filter((name) => !isCount(fields.get(name)));
  if (wrong.length > 0) {
    const found = wrong.slice(0, 3).map((name) => `${name} is ${show(fields.get(name))}`);
    throw new ProbeFailure(`__METRICS__: ${found.join(", ")}; each must be a whole number ≥ 0`);
  }
  if (typeof fields.get("runtime_name") !== "string") {
    throw new ProbeFailure(
      `__METRICS__: runtime_name is ${show(fields.get("runtime_name"))}, must be a text`,
    );
  }
  return value as HostFigures;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
