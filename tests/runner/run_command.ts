import { closeSync, openSync, readFileSync } from "node:fs";

export interface CommandResult {
  /** undefined when a signal ended it. */
  readonly exitCode: number | undefined;
  readonly timedOut: boolean;
  /** Standard output and error as they came. */
  readonly output: string;
  readonly seconds: number;
  /** Whether it left processes running (they were killed). */
  readonly leftProcesses: boolean;
}

/** How long processes of a command may go on after it: they may be ending just now. */
const graceMs = 2_000;

/**
 * Runs a command in a process group of its own with its output in a file, so that neither a hang nor
 * a forgotten grandchild that holds a pipe open can stop the run. Bun only.
 */
export async function runCommand(options: {
  command: readonly string[];
  env?: Record<string, string>;
  logPath: string;
  timeoutMs: number;
  signal: AbortSignal;
}): Promise<CommandResult> {
  const start = performance.now();
  // One descriptor for both, so that the order of the lines is kept.
  const log = openSync(options.logPath, "w");
  const child = Bun.spawn([...options.command], {
    stdin: "ignore",
    stdout: log,
    stderr: log,
    env: { ...process.env, ...options.env },
    detached: true,
  });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup(child.pid);
  }, options.timeoutMs);
  const onAbort = () => killGroup(child.pid);
  options.signal.addEventListener("abort", onAbort, { once: true });
  await child.exited;
  clearTimeout(timer);
  options.signal.removeEventListener("abort", onAbort);
  const leftProcesses = !timedOut && !options.signal.aborted && !(await groupEnds(child.pid));
  if (leftProcesses) killGroup(child.pid);
  closeSync(log);
  return {
    exitCode: child.signalCode === null ? (child.exitCode ?? undefined) : undefined,
    timedOut,
    output: readFileSync(options.logPath, "utf8"),
    seconds: (performance.now() - start) / 1000,
    leftProcesses,
  };
}

async function groupEnds(pid: number): Promise<boolean> {
  const end = performance.now() + graceMs;
  while (groupExists(pid)) {
    if (performance.now() > end) return false;
    await Bun.sleep(20);
  }
  return true;
}

function groupExists(pid: number): boolean {
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    // ESRCH: no process is left in the group.
    return false;
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // ESRCH: it ended by itself.
  }
}
