import type { RecordFields, SupervisorRecord } from "./supervisor_events.ts";

/** The watchdog's events as records: the log's fields and one sentence for people. */

export function watchdogStarted(about: RecordFields): SupervisorRecord {
  return {
    name: "watchdog_started",
    level: "info",
    fields: about,
    message: "the watchdog started",
  };
}

export function portHeld(detail: string): SupervisorRecord {
  return { name: "port_held", level: "warn", fields: { detail }, message: detail };
}

export function childStarted(pid: number, restartCount: number): SupervisorRecord {
  return {
    name: "child_started",
    level: "info",
    fields: { child_pid: pid, restart_count: restartCount },
    message: `the server started as process ${pid}`,
  };
}

/** `limit`: the failures in a row that lead to a restart. */
export function healthCheckFailed(
  what: { pid: number; reason: string; streak: number; limit: number; inGrace: boolean },
): SupervisorRecord {
  const count = what.inGrace ? "still starting" : `${what.streak} of ${what.limit}`;
  return {
    name: "health_check_failed",
    level: "warn",
    fields: {
      child_pid: what.pid,
      reason: what.reason,
      health_failure_streak: what.streak,
      in_start_grace: what.inGrace,
    },
    message: `health check failed (${count}): ${what.reason}`,
  };
}

interface Ended {
  readonly pid: number;
  readonly code: number | null;
  readonly signal: string | null;
}

/** "with code 3" or "by SIGKILL". */
export function howItEnded(exit: Pick<Ended, "code" | "signal">): string {
  return exit.signal === null ? `with code ${exit.code}` : `by ${exit.signal}`;
}

/** The end of a child that was told to. `step` is how far that had to go. */
export function childStopped(
  exit: Ended & { step: string; reason: "shutdown" | "unhealthy" },
): SupervisorRecord {
  const { pid, code, signal, step, reason } = exit;
  return {
    name: "child_stopped",
    level: "info",
    fields: { child_pid: pid, code, signal, step, reason },
    message: `the server was stopped (${reason}) and ended ${howItEnded(exit)}`,
  };
}

/** The end of a child by itself. */
export function childExited(
  exit: Ended & { wasReady: boolean; wasHealthy: boolean; lastLine: string },
): SupervisorRecord {
  const { pid, code, signal, wasHealthy, lastLine } = exit;
  const when = exit.wasReady ? "" : " before it was ready";
  const said = lastLine === "" ? "" : `; its last line: ${lastLine}`;
  return {
    name: "child_exited",
    level: "warn",
    fields: { child_pid: pid, code, signal, was_healthy: wasHealthy, last_line: lastLine },
    message: `the server ended by itself ${howItEnded(exit)}${when}${said}`,
  };
}

export function restartScheduled(
  what: { reason: string; restartCount: number; failedStarts: number; delayMs: number },
): SupervisorRecord {
  const { reason, restartCount, failedStarts, delayMs } = what;
  return {
    name: "restart_scheduled",
    level: "info",
    fields: {
      reason,
      restart_count: restartCount,
      failed_starts: failedStarts,
      delay_ms: delayMs,
    },
    message: `the server starts again in ${(delayMs / 1_000).toFixed(1)} s`,
  };
}

export function restartLimitReached(reason: string, restartCount: number): SupervisorRecord {
  return {
    name: "restart_limit_reached",
    level: "error",
    fields: { reason, restart_count: restartCount },
    message: `the server was restarted ${restartCount} times, which is max_restarts`,
  };
}

export function signalReceived(
  signal: string,
  outcome: "passed on" | "nobody to pass it on to" | "stopping" | "killing the server",
): SupervisorRecord {
  return {
    name: "signal_received",
    level: "info",
    fields: { signal, outcome },
    message: `${signal}: ${outcome}`,
  };
}

export function watchdogStopping(
  what: { reason: string; detail: string; exitCode: number },
): SupervisorRecord {
  const { reason, detail, exitCode } = what;
  return {
    name: "watchdog_stopping",
    level: exitCode === 0 ? "info" : "error",
    fields: { reason, detail, exit_code: exitCode },
    message: `the watchdog stops: ${detail === "" ? reason : `${reason}: ${detail}`}`,
  };
}
