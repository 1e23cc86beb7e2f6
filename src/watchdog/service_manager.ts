type Environment = Readonly<Record<string, string | undefined>>;

/**
 * How often the service manager is to hear `WATCHDOG=1`: half of WATCHDOG_USEC, as sd_watchdog_enabled(3)
 * recommends. undefined when it does not ask, or asks another process (WATCHDOG_PID).
 */
export function keepAliveMs(env: Environment, pid: number): number | undefined {
  const microseconds = Number(env["WATCHDOG_USEC"] ?? "");
  if (!Number.isSafeInteger(microseconds) || microseconds <= 0) return undefined;
  const meant = env["WATCHDOG_PID"];
  if (meant !== undefined && meant !== "" && Number(meant) !== pid) return undefined;
  return Math.max(1, Math.floor(microseconds / 2_000));
}

/** What a child must not inherit: its own messages would be taken for the watchdog's. */
export const childEnvironment = {
  NOTIFY_SOCKET: "",
  WATCHDOG_USEC: "",
  WATCHDOG_PID: "",
} as const;
