import {
  countMax,
  daySeconds,
  hostNameOrNone,
  line,
  logBytes,
  logFiles,
  path,
  port,
} from "./key_ranges.ts";
import type { SpecsOf } from "./key_spec.ts";
import type { LogSettings, WatchdogSettings } from "./settings.ts";

/** Keys of the section `log`. */
export const logKeys: SpecsOf<LogSettings> = {
  level: {
    kind: "choice",
    default: "info",
    choices: ["debug", "info", "warn", "error"],
    means: "Least important lines that are logged",
  },
  file: { kind: "text", default: "", ...line, means: 'File to log to; "": stderr alone' },
  bytes_max: { ...logBytes, default: 10 * 2 ** 20, means: "Size at which the log file is rotated" },
  files_max: { ...logFiles, default: 5, means: "Log files kept" },
  format: {
    kind: "choice",
    default: "auto",
    choices: ["auto", "json", "pretty"],
    means: "Form of log lines; auto: pretty at a terminal, else JSON",
  },
};

/** Keys of the section `watchdog`. */
export const watchdogKeys: SpecsOf<WatchdogSettings> = {
  health_host: {
    kind: "text",
    default: "",
    ...hostNameOrNone,
    means: 'Address to probe; "": host (127.0.0.1 for 0.0.0.0, ::1 for ::)',
  },
  health_tcp_port: {
    ...port,
    default: 0,
    means: "TCP port to probe; 0: tcp_port",
  },
  health_udp_port: {
    ...port,
    default: 0,
    means: "UDP port to probe; 0: udp_port",
  },
  require_udp_health: {
    kind: "yes_no",
    default: false,
    means: "Counts a UDP probe without an answer as a failure",
  },
  health_timeout_ms: {
    kind: "ms",
    default: 1_200,
    min: 1,
    max: 600_000,
    means: "Longest wait for the answer to a probe",
  },
  health_interval_s: {
    kind: "seconds",
    default: 3,
    min: 0.05,
    max: daySeconds,
    means: "Time between two probes",
  },
  start_grace_s: {
    kind: "seconds",
    default: 12,
    min: 0,
    max: daySeconds,
    means: "Time after a start in which failed probes do not count",
  },
  max_consecutive_health_failures: {
    kind: "whole",
    default: 3,
    min: 1,
    max: countMax,
    means: "Failed probes in a row that lead to a restart",
  },
  restart_delay_s: {
    kind: "seconds",
    default: 1.5,
    min: 0,
    max: daySeconds,
    means: "Wait before a restart; grows while the server does not get healthy",
  },
  max_restarts: {
    kind: "whole",
    default: 0,
    min: 0,
    max: countMax,
    means: "Restarts before the watchdog gives up; 0: no limit",
  },
  status_path: {
    kind: "text",
    default: "data/watchdog_status.json",
    ...path,
    means: "File with the present state, replaced on each change",
  },
  event_log_path: {
    kind: "text",
    default: "data/watchdog_events.jsonl",
    ...path,
    means: "File of events, one JSON object a line",
  },
  stdout_log_path: {
    kind: "text",
    default: "data/watchdog_stdout.log",
    ...path,
    means: "File for what the server prints",
  },
  stderr_log_path: {
    kind: "text",
    default: "data/watchdog_stderr.log",
    ...path,
    means: "File for what the server logs to stderr",
  },
  log_bytes_max: {
    ...logBytes,
    default: 10 * 2 ** 20,
    means: "Size at which each of these logs is rotated",
  },
  log_files_max: { ...logFiles, default: 3, means: "Files kept of each of these logs" },
};
