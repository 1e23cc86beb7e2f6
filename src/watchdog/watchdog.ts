import { reachableAddress } from "../base/address.ts";
import { unreachable } from "../base/assert.ts";
import type { Settings } from "../config/settings.ts";
import type { Logger } from "../ports/log.ts";
import type { Runtime } from "../ports/runtime.ts";
import { ServedChild } from "./served_child.ts";
import { askToStop, checkPort, type HealthTarget, probeHealth } from "./health_probe.ts";
import { keepAliveMs } from "./service_manager.ts";
import { type StatusFacts, statusText } from "./status_file.ts";
import { stopStepMs } from "./stop_sequence.ts";
import { Supervisor } from "./supervisor.ts";
import { neverStarted } from "./supervisor_state.ts";
import type {
  SupervisorEffect,
  SupervisorEvent,
  SupervisorRecord,
  WatchdogStatus,
} from "./supervisor_events.ts";
import { openWatchdogFiles, type WatchdogFiles } from "./watchdog_files.ts";
import { eventLine } from "./event_log.ts";

/** A held port is told from a free one at once; this bounds who accepts and then says nothing. */
const portCheckMsMax = 2_000;

export interface WatchdogOptions {
  readonly settings: Settings;
  /** The configuration file as it was named; null for none. */
  readonly configPath: string | null;
  /** The environment variable that hands the child its one-time control token. */
  readonly childTokenVariable: string;
  readonly log: Logger;
}

/**
 * Runs `serve` as a child and keeps it alive until a signal comes or it gives up (host protocol,
 * "Watchdog"). Returns the exit code: 0 after a signal, 2 for a configuration that the child
 * refuses or the restart limit, 3 for a failure of its own, which was logged.
 */
export async function runWatchdog(runtime: Runtime, options: WatchdogOptions): Promise<number> {
  const { log } = options;
  let files: WatchdogFiles;
  try {
    const firstStatus = statusText(neverStarted, statusFacts(runtime, options));
    files = await openWatchdogFiles(runtime, { ...options.settings.watchdog, log, firstStatus });
  } catch (error) {
    log.error({}, `Cannot start the watchdog: ${error instanceof Error ? error.message : error}`);
    return 3;
  }
  try {
    return await new Watchdog(runtime, options, files).run();
  } finally {
    await files.close();
  }
}

/** Carries events to the supervisor and its effects to the ports. */
class Watchdog {
  readonly #runtime: Runtime;
  readonly #options: WatchdogOptions;
  readonly #files: WatchdogFiles;
  readonly #supervisor: Supervisor;
  #child: ServedChild | undefined;
  #status: WatchdogStatus | undefined;
  /** The first is being handled; others are only there while it is. */
  readonly #events: SupervisorEvent[] = [];
  #cancelWake = () => {};
  #end: (code: number) => void = () => {};

  constructor(runtime: Runtime, options: WatchdogOptions, files: WatchdogFiles) {
    this.#runtime = runtime;
    this.#options = options;
    this.#files = files;
    const { watchdog, drainSeconds } = options.settings;
    this.#supervisor = new Supervisor({
      healthIntervalMs: watchdog.health_interval_s * 1_000,
      startGraceMs: watchdog.start_grace_s * 1_000,
      maxConsecutiveHealthFailures: watchdog.max_consecutive_health_failures,
      restartDelayMs: watchdog.restart_delay_s * 1_000,
      maxRestarts: watchdog.max_restarts,
      drainMs: drainSeconds * 1_000,
      keepAliveMs: keepAliveMs(runtime.process.env, runtime.process.pid),
      about: {
        pid: runtime.process.pid,
        config: options.configPath,
        health_host: watchdog.health_host,
        health_tcp_port: watchdog.health_tcp_port,
        health_udp_port: watchdog.health_udp_port,
      },
    });
  }

  async run(): Promise<number> {
    const signals = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((signal) =>
      this.#runtime.process.onSignal(signal, () => this.#handle({ kind: "signal", signal }))
    );
    try {
      return await new Promise<number>((resolve) => {
        this.#end = resolve;
        this.#handle({ kind: "start" });
      });
    } finally {
      this.#cancelWake();
      for (const ignore of signals) ignore();
    }
  }

  /**
   * All effects of one event are performed before the next event is looked at. A fault of our own
   * must not leave a child without a watchdog that believes to have one.
   */
  #handle(event: SupervisorEvent): void {
    this.#events.push(event);
    if (this.#events.length > 1) return;
    try {
      for (let next = this.#events[0]; next !== undefined; next = this.#events[0]) {
        for (const effect of this.#supervisor.handle(next, this.#runtime.clock.monotonic())) {
          this.#perform(effect);
        }
        this.#events.shift();
      }
    } catch (error) {
      this.#child?.kill("SIGTERM");
      this.#options.log.error({ error }, "the watchdog failed");
      this.#end(3);
    }
  }

  #perform(effect: SupervisorEffect): void {
    switch (effect.kind) {
      case "check_port":
        return void this.#checkPort();
      case "start_child":
        return void this.#startChild();
      case "probe":
        return void this.#probe(effect.probe);
      case "ask_to_stop":
        return void this.#askToStop();
      case "kill":
        return this.#child?.kill(effect.signal);
      case "record":
        return this.#record(effect.record);
      case "child_healthy": {
        const { host, tcpPort } = this.#healthAddress();
        const fields = { child_pid: this.#child?.pid, host, tcp_port: tcpPort };
        const ms = Math.round(effect.afterMs);
        return this.#options.log.info(fields, `the server is healthy ${ms} ms after its start`);
      }
      case "status":
        this.#status = effect.status;
        return this.#writeStatus();
      case "notify":
        return this.#runtime.notifyServiceManager(effect.message);
      case "wake":
        return this.#wakeAt(effect.at);
      case "exit":
        return this.#end(effect.code);
      default:
        unreachable(effect);
    }
  }

  #wakeAt(at: number | undefined): void {
    this.#cancelWake();
    if (at === undefined) return;
    const ms = Math.max(0, Math.ceil(at - this.#runtime.clock.monotonic()));
    this.#cancelWake = this.#runtime.clock.after(ms, () => this.#handle({ kind: "wake" }));
  }

  async #checkPort(): Promise<void> {
    const { host, tcp_port, watchdog } = this.#options.settings;
    const fraction = this.#runtime.random.fraction();
    // The health address may be another's, such as a proxy's: what counts is where the child listens.
    const timeoutMs = Math.min(watchdog.health_timeout_ms, portCheckMsMax);
    const port = tcp_port === 0 ? { kind: "free" } as const : await checkPort(
      this.#runtime,
      { host: reachableAddress(host), port: tcp_port, timeoutMs },
      await this.#files.orphanPid(),
    );
    this.#handle({ kind: "port_checked", port, fraction });
  }

  async #startChild(): Promise<void> {
    const { configPath, childTokenVariable, log } = this.#options;
    const fraction = this.#runtime.random.fraction();
    try {
      const child = await ServedChild.start(this.#runtime, {
        args: configPath === null ? ["serve"] : ["serve", "--config", configPath],
        childTokenVariable,
        stdoutLog: this.#files.stdoutLog,
        stderrLog: this.#files.stderrLog,
        log,
      });
      this.#child = child;
      this.#handle({ kind: "child_started", pid: child.pid });
      void child.ready.then(() => {
        if (this.#child === child) this.#handle({ kind: "child_ready" });
      });
      const exit = await child.exited;
      this.#child = undefined;
      const orphan = exit.code === 3 ? await this.#files.orphanPid() : undefined;
      const hint = orphan === undefined
        ? ""
        : ` (process ${orphan}, which an earlier watchdog left behind, still runs: kill ${orphan})`;
      this.#handle({
        kind: "child_exited",
        code: exit.code,
        signal: exit.signal,
        lastLine: child.lastErrorLine + hint,
        fraction,
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#handle({ kind: "start_failed", reason, fraction });
    }
  }

  async #probe(probe: number): Promise<void> {
    const health = await probeHealth(this.#runtime, this.#healthTarget());
    this.#handle({ kind: "probed", probe, ok: health.ok, reason: health.reason });
  }

  async #askToStop(): Promise<void> {
    const { host, tcpPort } = this.#healthAddress();
    const token = this.#child?.token ?? "";
    const at = { host, port: tcpPort, timeoutMs: stopStepMs, token };
    const answer = this.#isGameOnly() ? "not_taken" : await askToStop(this.#runtime, at);
    this.#handle({ kind: "stop_answered", answer });
  }

  /** What is configured; the child's own words where that leaves the ports to the system. */
  #healthAddress(): { host: string; tcpPort: number; udpPort: number } {
    const { health_host, health_tcp_port, health_udp_port } = this.#options.settings.watchdog;
    const said = this.#child?.readyLine;
    return {
      host: health_host,
      tcpPort: health_tcp_port === 0 ? said?.tcpPort ?? 0 : health_tcp_port,
      udpPort: health_udp_port === 0 ? said?.udpPort ?? 0 : health_udp_port,
    };
  }

  /** Then TCP does not speak this protocol: UDP alone tells of health, signals alone stop. */
  #isGameOnly(): boolean {
    return this.#options.settings.tcp_port_mode === "game";
  }

  #healthTarget(): HealthTarget {
    const { watchdog } = this.#options.settings;
    const { host, tcpPort, udpPort } = this.#healthAddress();
    const isGameOnly = this.#isGameOnly();
    return {
      host,
      tcpPort: isGameOnly ? undefined : tcpPort,
      udpPort: isGameOnly || watchdog.require_udp_health ? udpPort : undefined,
      timeoutMs: watchdog.health_timeout_ms,
    };
  }

  #record({ name, level, fields, message }: SupervisorRecord): void {
    const timeMs = this.#runtime.clock.now();
    this.#files.eventLog.write(eventLine({ name, fields, timeMs }));
    this.#options.log[level]({ event: name, ...fields }, message);
  }

  #writeStatus(): void {
    if (this.#status === undefined) return;
    const { tcpPort, udpPort } = this.#healthAddress();
    const facts = statusFacts(this.#runtime, this.#options);
    const known = { ...facts, healthTcpPort: tcpPort, healthUdpPort: udpPort };
    this.#files.status.write(statusText(this.#status, known));
  }
}

function statusFacts(runtime: Runtime, options: WatchdogOptions): StatusFacts {
  const { health_host, health_tcp_port, health_udp_port } = options.settings.watchdog;
  return {
    updatedAtMs: runtime.clock.now(),
    healthHost: health_host,
    healthTcpPort: health_tcp_port,
    healthUdpPort: health_udp_port,
    configPath: options.configPath,
  };
}
