import type { HealthSettings } from "./child_health.ts";

/** What the supervisor hears of and what it asks for. Times are milliseconds of a monotonic clock. */

export interface SupervisorSettings extends HealthSettings {
  readonly maxConsecutiveHealthFailures: number;
  readonly restartDelayMs: number;
  /** 0: no limit. */
  readonly maxRestarts: number;
  /** How long a child that was asked to stop may go on for the sake of its clients. */
  readonly drainMs: number;
  /** Facts for the `watchdog_started` record. */
  readonly about: RecordFields;
}

export type RecordFields = Readonly<Record<string, string | number | boolean | null>>;

/** Who answers at the address that the child is to listen on. */
export type PortState =
  | { readonly kind: "free" }
  | { readonly kind: "held"; readonly detail: string };

/** How `__STOP__` went. `not_listening`: the child refuses or closes connections without a word, as
 * one does that is stopping already. */
export type StopAnswer = "acknowledged" | "not_listening" | "not_taken";

export type SupervisorEvent =
  /** Once, first. */
  | { readonly kind: "start" }
  | { readonly kind: "port_checked"; readonly port: PortState; readonly fraction: number }
  | { readonly kind: "child_started"; readonly pid: number }
  | { readonly kind: "start_failed"; readonly reason: string; readonly fraction: number }
  /** The child printed that it listens. */
  | { readonly kind: "child_ready" }
  | {
    readonly kind: "child_exited";
    readonly code: number | null;
    readonly signal: string | null;
    /** The last line that it wrote to stderr, or "". */
    readonly lastLine: string;
    readonly fraction: number;
  }
  | {
    readonly kind: "probed";
    readonly probe: number;
    readonly ok: boolean;
    readonly reason: string;
  }
  /** How `__STOP__` went; a child that did not acknowledge it is not going to drain. */
  | { readonly kind: "stop_answered"; readonly answer: StopAnswer }
  | { readonly kind: "signal"; readonly signal: "SIGINT" | "SIGTERM" | "SIGHUP" }
  | { readonly kind: "wake" };

/** `fraction` (0 up to 1) is the jitter of the restart that may follow: the machine has no dice. */

/** The names of the event log; `port_held` is the one that the wire documents do not list. */
export type RecordName =
  | "watchdog_started"
  | "child_started"
  | "child_exited"
  | "health_check_failed"
  | "restart_scheduled"
  | "restart_limit_reached"
  | "child_stopped"
  | "signal_received"
  | "watchdog_stopping"
  | "port_held";

export interface SupervisorRecord {
  readonly name: RecordName;
  readonly level: "info" | "warn" | "error";
  readonly fields: RecordFields;
  /** One sentence for people. */
  readonly message: string;
}

export interface WatchdogStatus {
  readonly restartCount: number;
  readonly healthFailureStreak: number;
  readonly lastHealthOk: boolean;
  readonly lastHealthReason: string;
  readonly childPid: number | null;
}

export type SupervisorEffect =
  /** Look who holds the child's port; comes back as `port_checked`. */
  | { readonly kind: "check_port" }
  /** Comes back as `child_started` or `start_failed`. */
  | { readonly kind: "start_child" }
  /** Comes back as `probed` with the same number. */
  | { readonly kind: "probe"; readonly probe: number }
  /** Send `__STOP__`; comes back as `stop_answered`. */
  | { readonly kind: "ask_to_stop" }
  | { readonly kind: "kill"; readonly signal: "SIGHUP" | "SIGTERM" | "SIGKILL" }
  | { readonly kind: "record"; readonly record: SupervisorRecord }
  /** The child answered its first healthy probe. */
  | { readonly kind: "child_healthy"; readonly afterMs: number }
  | { readonly kind: "status"; readonly status: WatchdogStatus }
  /** For the service manager, sd_notify(3). */
  | { readonly kind: "notify"; readonly message: string }
  /** Send `wake` at this time, and at no other; undefined: not at all. */
  | { readonly kind: "wake"; readonly at: number | undefined }
  /** The last one: end with this exit code. No child is left, unless it survived SIGKILL. */
  | { readonly kind: "exit"; readonly code: 0 | 2 | 3 };
