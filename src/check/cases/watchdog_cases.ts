import type { AcceptanceCase, CaseGroup } from "../acceptance_case.ts";
import { configName, configure, expectExit } from "../private_server.ts";
import { PrivateWatchdog } from "../private_watchdog.ts";
import { expect, expectSame, ProbeFailure, show } from "../probe_failure.ts";

/** A restart after kill -9 (host protocol, "Watchdog"): noticed at once, 0.1 s delay, 0.2 s start. */
const restartMs = 3_000;

/** What a busy machine may add before the promise counts as broken. */
const slackMs = 5_000;

/** A hang is seen after three probes of a second, then 4 s to SIGTERM and 4 s to SIGKILL. */
const hangMs = 25_000;

const killed: AcceptanceCase = {
  name: "a child that is killed -9 is back within 3 s with its acknowledged state, three times",
  run: async (context) => {
    const watchdog = await PrivateWatchdog.start(context.workspace, context.withBase({}));
    const { clock, process } = context.workspace.runtime;
    for (let round = 1; round <= 3; round++) {
      const pid = await watchdog.childPid();
      expectSame(await watchdog.ask(`M4_SAVE_STATE:${round}`), `M4_SAVE_OK:${round}`, "save");
      const start = clock.monotonic();
      process.kill(pid, "SIGKILL");
      const back = (status: { child_pid: number | null; last_health_ok: boolean }) =>
        status.child_pid !== null && status.child_pid !== pid && status.last_health_ok;
      const status = await watchdog.waitForStatus("restart", restartMs + slackMs, back);
      expectSame(status.restart_count, round, "restart_count");
      expectSame(await watchdog.ask("M4_LOAD_STATE"), `M4_LOAD_OK:${round}`, "state after that");
      const ms = Math.round(clock.monotonic() - start);
      expect(ms <= restartMs + slackMs, `back after ${ms} ms, allowed ${restartMs}`);
    }
    const last = await watchdog.childPid();
    expectExit(await watchdog.stop(), 0, watchdog.log);
    expect(!process.kill(last, 0), "the child still runs after its watchdog was stopped");
    await expectEvents(watchdog, [
      "watchdog_started",
      "child_started",
      "child_exited",
      "restart_scheduled",
      "signal_received",
      "child_stopped",
      "watchdog_stopping",
    ]);
  },
};

const hanging: AcceptanceCase = {
  name: "a child that hangs (SIGSTOP) is noticed by its probes and replaced",
  run: async (context) => {
    const watchdog = await PrivateWatchdog.start(context.workspace, context.withBase({}));
    const { process } = context.workspace.runtime;
    const pid = await watchdog.childPid();
    process.kill(pid, "SIGSTOP");
    await watchdog.waitForStatus(
      "restart of a child that hangs",
      hangMs,
      (status) => status.child_pid !== null && status.child_pid !== pid && status.last_health_ok,
    );
    expect(!process.kill(pid, 0), "the child that hung still exists");
    expectSame(await watchdog.ask("M1_CONN_PING"), "M1_CONN_PONG", "the new child's reply");
    await expectEvents(watchdog, ["health_check_failed", "restart_scheduled"]);
    expectExit(await watchdog.stop(), 0, watchdog.log);
  },
};

const limited: AcceptanceCase = {
  name: "--max-restarts ends the watchdog with exit code 2 and says so in the event log",
  run: async (context) => {
    const watchdog = await PrivateWatchdog.start(context.workspace, {
      ...context.withBase({}),
      flags: ["--max-restarts", "1"],
    });
    const { process } = context.workspace.runtime;
    const pid = await watchdog.childPid();
    process.kill(pid, "SIGKILL");
    const { child_pid } = await watchdog.waitForStatus(
      "the one restart",
      restartMs + slackMs,
      (status) => status.child_pid !== null && status.child_pid !== pid && status.last_health_ok,
    );
    if (child_pid === null) throw new ProbeFailure("the status file names no child_pid");
    process.kill(child_pid, "SIGKILL");
    expectExit(await watchdog.waitForExit(), 2, watchdog.log);
    await expectEvents(watchdog, ["restart_limit_reached"]);
  },
};

const misconfigured: AcceptanceCase = {
  name: "a configuration that serve refuses ends the watchdog with exit code 2",
  run: async ({ workspace }) => {
    const cwd = await workspace.makeDirectory();
    await configure(workspace, cwd, { settings: { thread_count: 0 } });
    const run = await workspace.run(["watchdog", "--config", configName], {
      cwd,
      ms: restartMs + slackMs,
    });
    expectSame(run.code, 2, `exit code; it said ${show(run.stderr)}`);
    expect(run.stderr.includes("thread_count"), `the key is not named: ${show(run.stderr)}`);
  },
};

async function expectEvents(watchdog: PrivateWatchdog, names: readonly string[]): Promise<void> {
  const lines = await watchdog.events();
  for (const line of lines) {
    expect(line.startsWith("{") && line.endsWith("}"), `event log line ${show(line)} is no JSON`);
  }
  const missing = names.filter((name) => !lines.some((line) => line.includes(`"${name}"`)));
  expectSame(missing.join(" "), "", "events that are missing in the log");
}

/** Each scenario mostly waits, so they run beside one another. */
export const watchdogGroups: readonly CaseGroup[] = [
  { topic: "watchdog: hang", cases: [hanging] },
  { topic: "watchdog: kill", cases: [killed] },
  { topic: "watchdog: limits", cases: [limited, misconfigured] },
];
