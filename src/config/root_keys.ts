import {
  countMax,
  databasePath,
  daySeconds,
  hostName,
  hostNameOrNone,
  line,
  port,
} from "./key_ranges.ts";
import type { SpecsOf } from "./key_spec.ts";
import type { RootSettings } from "./settings.ts";

/** The flat keys, in the order of help and schema. */
export const rootKeys: SpecsOf<RootSettings> = {
  host: {
    kind: "text",
    default: "127.0.0.1",
    ...hostName,
    means: "Address to listen on; 0.0.0.0 or :: for all",
  },
  tcp_port: {
    ...port,
    default: 9_527,
    means: "TCP port for probes and game clients; 0: a free one",
  },
  udp_port: {
    ...port,
    default: 0,
    means: "UDP port for probes; 0: tcp_port + 1",
  },
  runtime_name: {
    kind: "text",
    default: "freekill-gw",
    pattern: /^[^\s\p{C}\p{Z}]{1,64}$/u,
    allowed: "1–64 printable characters without spaces",
    means: "Name of this server in its ready line and metrics",
  },
  db_path: {
    kind: "text",
    default: "data/runtime.sqlite",
    ...databasePath,
    means: "SQLite file of state and routes",
  },
  thread_count: {
    kind: "whole",
    default: 4,
    min: 1,
    max: 65_535,
    means: "Number of logical threads that routes are spread over",
  },
  tick_interval_ms: {
    kind: "ms",
    default: 50,
    min: 1,
    max: 60_000,
    means: "Time between two ticks",
  },
  task_budget: {
    kind: "whole",
    default: 256,
    min: 1,
    max: countMax,
    means: "Commands in flight before new ones are refused",
  },
  lua_script_path: { kind: "text", default: "", ...line, means: 'Lua script to load; "": none' },
  lua_command: {
    kind: "text",
    default: "",
    ...line,
    means: 'Native Lua 5.4 to run the script with; "": the embedded one',
  },
  drift_mode: {
    kind: "choice",
    default: "none",
    choices: ["none", "route", "flow", "protobuf"],
    means: "Answers wrongly on purpose, so that acceptance suites can prove that they notice",
  },
  http_host: {
    kind: "text",
    default: "",
    ...hostNameOrNone,
    means: 'Address to serve HTTP on; "": the same as host',
  },
  http_port: { ...port, default: 8_080, means: "Port for everything HTTP; 0: off" },
  tcp_port_mode: {
    kind: "choice",
    default: "auto",
    choices: ["auto", "game", "host"],
    means: "Who speaks on the TCP port: found out, game clients only, or probes only",
  },
  sniff_ms: {
    kind: "ms",
    default: 20,
    min: 0,
    max: 10_000,
    means:
      "Wait for a distant peer's first byte before it is greeted as a game client",
  },
  sniff_loopback_ms: {
    kind: "ms",
    default: 150,
    min: 0,
    max: 10_000,
    means: "The same for peers on this machine",
  },
  control_allow: {
    kind: "addresses",
    default: [],
    means: "Addresses besides loopback that may send commands that change or reveal state",
  },
  control_token: {
    kind: "text",
    default: "",
    pattern: /^$|^[\x21-\x7e][\x20-\x7e]{14,1022}[\x21-\x7e]$/,
    allowed: '16–1,024 printable ASCII characters without spaces at the ends, or "" for none',
    secret: true,
    means: "Secret that such commands then need first (AUTH:<token>), from loopback too",
  },
  metricsAllow: {
    kind: "addresses",
    default: [],
    means: "Addresses besides loopback that may read the metrics over HTTP",
  },
  lua_turn_ms: {
    kind: "ms",
    default: 5_000,
    min: 10,
    max: 600_000,
    means: "Longest run of a Lua call before it is stopped",
  },
  lua_memory_mb: {
    kind: "whole",
    default: 256,
    min: 16,
    max: 4_095,
    means: "Memory that one Lua state may use, in MiB",
  },
  lua_recycle_mb: {
    kind: "whole",
    default: 96,
    min: 16,
    max: 4_095,
    means: "An idle Lua state of the game that has grown over so many MiB is replaced",
  },
  max_connections: {
    kind: "whole",
    default: 0,
    min: 0,
    max: 100_000,
    means:
      "Connections open at one time; 0: the limit of open files less 512 or a quarter, at most 100,000",
  },
  max_connections_per_host: {
    kind: "whole",
    default: 1_024,
    min: 0,
    max: 100_000,
    means: "The same for one other machine; 0: no limit of its own",
  },
  idle_timeout_s: {
    kind: "seconds",
    default: 600,
    min: 0,
    max: 7 * daySeconds,
    means: "Closes connections from other machines that are silent that long; 0: never",
  },
  drainSeconds: {
    kind: "seconds",
    default: 0,
    min: 0,
    max: daySeconds,
    means: "Time given to what is under way before a stop",
  },
};
