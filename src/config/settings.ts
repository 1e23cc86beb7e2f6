import type { GameConfig } from "./game_config.ts";
import type { GatewayConfig } from "./gateway_config.ts";

/**
 * What the configuration says, checked and complete: defaults are filled in and values that depend on
 * others are worked out. Keys are spelled as in the file, so there is one name for each idea.
 * Paths are as written: relative ones are relative to the working directory.
 */
export interface Settings extends RootSettings {
  readonly log: LogSettings;
  readonly watchdog: WatchdogSettings;
  readonly game: GameConfig;
  /** The sections `gateway`, `routes`, `buffer`, `metrics` and `memory`. */
  readonly gateway: GatewayConfig;
}

/** The flat keys; each is a flag of `serve` too. */
export interface RootSettings {
  /** Address or name to listen on for TCP and UDP. */
  readonly host: string;
  /** 0: the system chooses a free one. */
  readonly tcp_port: number;
  /** Never 0, unless `tcp_port` is 0 (then: the system chooses). Differs from `tcp_port`. */
  readonly udp_port: number;
  /** 1–64 printable characters without spaces: fit for a line of `key=value`. */
  readonly runtime_name: string;
  readonly db_path: string;
  readonly thread_count: number;
  readonly tick_interval_ms: number;
  readonly task_budget: number;
  /** "" for none. */
  readonly lua_script_path: string;
  /** "" for the embedded Lua. */
  readonly lua_command: string;
  readonly drift_mode: DriftMode;
  /** `host`, where the file leaves it empty. */
  readonly http_host: string;
  /** 0: no HTTP. */
  readonly http_port: number;
  /** Paths of PEM files; both "" for no TLS on the HTTP port, or none of them. */
  readonly tls_cert: string;
  readonly tls_key: string;
  readonly tcp_port_mode: TcpPortMode;
  readonly sniff_ms: number;
  readonly sniff_loopback_ms: number;
  /** IPv4 and IPv6 addresses or CIDR blocks. */
  readonly control_allow: readonly string[];
  /** A secret: "" for none, else at least 16 characters. */
  readonly control_token: string;
  /** IPv4 and IPv6 addresses or CIDR blocks. */
  readonly metricsAllow: readonly string[];
  readonly lua_turn_ms: number;
  readonly lua_memory_mb: number;
  readonly lua_recycle_mb: number;
  /** 0: the limit of open files less 512 or a quarter, at most 100,000. */
  readonly max_connections: number;
  /** 0: no limit of its own. For connections from other machines. */
  readonly max_connections_per_host: number;
  /** 0: never. For connections from other machines. */
  readonly idle_timeout_s: number;
  readonly drainSeconds: number;
}

export interface LogSettings {
  readonly level: "debug" | "info" | "warn" | "error";
  /** "" for stderr alone. */
  readonly file: string;
  readonly bytes_max: number;
  readonly files_max: number;
  readonly format: "auto" | "json" | "pretty";
}

export interface WatchdogSettings {
  /** An address that can be connected to (never `0.0.0.0` or `::` by default). */
  readonly health_host: string;
  /** 0 only when `tcp_port` is 0 and nothing else is set: then nobody can know it beforehand. */
  readonly health_tcp_port: number;
  readonly health_udp_port: number;
  readonly require_udp_health: boolean;
  readonly health_timeout_ms: number;
  readonly health_interval_s: number;
  readonly start_grace_s: number;
  readonly max_consecutive_health_failures: number;
  readonly restart_delay_s: number;
  /** 0: no limit. */
  readonly max_restarts: number;
  readonly status_path: string;
  readonly event_log_path: string;
  readonly stdout_log_path: string;
  readonly stderr_log_path: string;
  readonly log_bytes_max: number;
  readonly log_files_max: number;
}

export type DriftMode = "none" | "route" | "flow" | "protobuf";
export type TcpPortMode = "auto" | "game" | "host";
