import { assert, unreachable } from "../base/assert.ts";
import { ChildHealth, notProbed } from "./child_health.ts";
import * as records from "./records.ts";
import { RestartPolicy } from "./restart_policy.ts";
import { StopSequence } from "./stop_sequence.ts";
import type { Child, Stopping, SupervisorState } from "./supervisor_state.ts";
import type {
  SupervisorEffect,
  SupervisorEvent,
  SupervisorRecord,
  SupervisorSettings,
  WatchdogStatus,
} from "./supervisor_events.ts";

/**
 * Decides when the child is started, probed, stopped and given up (host protocol, "Watchdog").
 * There is never more than one child: the next `start_child` comes after the `child_exited` of the
 * one before. After an `exit` effect every event gives nothing.
 */
export class Supervisor {
  readonly #settings: SupervisorSettings;
  readonly #restarts: RestartPolicy;
  #state: SupervisorState = { kind: "new" };
  #effects: SupervisorEffect[] = [];
  /** Of the present child, or of the last one with its end as the reason. */
  #health = { ok: false, reason: notProbed, failureStreak: 0 };
  #probes = 0;
  #announcedReady = false;

  constructor(settings: SupervisorSettings) {
    this.#settings = settings;
    this.#restarts = new RestartPolicy(settings);
  }

  /** The effects are to be performed in order; `now` never goes back. */
  handle(event: SupervisorEvent, now: number): SupervisorEffect[] {
    if (this.#state.kind === "ended") return [];
    this.#effects = [];
    this.#take(event, now);
    const wakeAt = this.#nextWake();
    if (wakeAt !== "ended") this.#effects.push({ kind: "wake", at: wakeAt });
    return this.#effects;
  }

  #take(event: SupervisorEvent, now: number): void {
    const state = this.#state;
    switch (event.kind) {
      case "start":
        assert(state.kind === "new", "a watchdog starts once");
        this.#record(records.watchdogStarted(this.#settings.about));
        return this.#checkPort();
      case "port_checked":
        if (state.kind === "checking_port") this.#portChecked(event, now);
        return;
      case "child_started":
        assert(state.kind === "starting", "a child comes only when one was asked for");
        return this.#childStarted(event.pid, state.stop, now);
      case "start_failed":
        assert(state.kind === "starting", "a start fails only when one was asked for");
        if (state.stop !== "no") return this.#finish(0);
        return this.#startFailed(event, now);
      case "child_ready":
        if (state.kind !== "running") return;
        state.child.health.becameReady(now);
        return this.#doHealthDuties(state.child, now);
      case "child_exited":
        return this.#childExited(event, now);
      case "probed":
        if (state.kind === "running") this.#probed(state.child, event, now);
        return;
      case "stop_answered":
        if (state.kind !== "stopping") return;
        if (state.sequence.answered(event.answer, now)) this.#kill("SIGTERM");
        return;
      case "signal":
        if (event.signal === "SIGHUP") return this.#passOn(event.signal);
        return this.#stopOn(event.signal, now);
      case "wake":
        return this.#wake(now);
      default:
        unreachable(event);
    }
  }

  #nextWake(): number | undefined | "ended" {
    const state = this.#state;
    switch (state.kind) {
      case "waiting":
        return state.until;
      case "running": {
        const at = state.child.health.nextAt;
        return at === Infinity ? undefined : at;
      }
      case "stopping":
        return state.sequence.deadline;
      case "ended":
        return "ended";
      default:
        return undefined;
    }
  }

  #wake(now: number): void {
    const state = this.#state;
    if (state.kind === "waiting" && now >= state.until) this.#checkPort();
    if (state.kind === "running") this.#doHealthDuties(state.child, now);
    if (state.kind === "stopping" && now >= state.sequence.deadline) {
      const next = state.sequence.due(now);
      if (next !== "survived") return this.#kill(next);
      // While it lives no other may start; only a watchdog that is to end can leave it behind.
      if (state.why !== "shutdown") return;
      this.#giveUp("the server does not end", `process ${state.child.pid} survived SIGKILL`, 3);
    }
  }

  #checkPort(): void {
    this.#state = { kind: "checking_port" };
    this.#effects.push({ kind: "check_port" });
    this.#showStatus();
  }

  #portChecked(
    event: Extract<SupervisorEvent, { kind: "port_checked" }>,
    now: number,
  ): void {
    if (event.port.kind === "free") {
      this.#state = { kind: "starting", stop: "no" };
      this.#effects.push({ kind: "start_child" });
      return;
    }
    const { detail } = event.port;
    this.#health = { ok: false, reason: detail, failureStreak: 0 };
    this.#restarts.startFailed();
    this.#record(records.portHeld(detail));
    this.#scheduleRestart("port_held", event.fraction, now);
  }

  #startFailed(event: { reason: string; fraction: number }, now: number): void {
    this.#health = { ok: false, reason: event.reason, failureStreak: 0 };
    this.#restarts.startFailed();
    // A program that could never be started is a fault of the installation. One that could may be
    // in the middle of being replaced by a newer one.
    if (this.#restarts.restartCount > 0) {
      return this.#scheduleRestart(event.reason, event.fraction, now);
    }
    this.#giveUp("cannot start the server", event.reason, 3);
  }

  #childStarted(pid: number, stop: "no" | "ask" | "kill", now: number): void {
    const health = new ChildHealth(this.#settings, { now, probesBefore: this.#probes });
    const child = { pid, health };
    this.#state = { kind: "running", child };
    this.#health = health;
    this.#record(records.childStarted(pid, this.#restarts.restartCount));
    this.#showStatus();
    if (stop === "no") return;
    const stopping = this.#stopChild(child, "shutdown", now);
    if (stop === "kill") this.#killNow(stopping, now);
  }

  #doHealthDuties(child: Child, now: number): void {
    for (;;) {
      const duty = child.health.due(now);
      if (duty === undefined) return;
      switch (duty.kind) {
        case "probe":
          this.#probes = duty.probe;
          this.#effects.push(duty);
          break;
        case "keep_alive":
          this.#notify("WATCHDOG=1");
          break;
        case "failed":
          if (this.#probeFailed(child, now) === "stopped") return;
          break;
        default:
          unreachable(duty);
      }
    }
  }

  #probed(
    child: Child,
    event: Extract<SupervisorEvent, { kind: "probed" }>,
    now: number,
  ): void {
    const { health } = child;
    const before = health.wasHealthy;
    if (!health.probed(event, now)) return;
    if (!event.ok) {
      this.#probeFailed(child, now);
      return;
    }
    if (!before) {
      this.#restarts.becameHealthy();
      this.#effects.push({ kind: "child_healthy", afterMs: now - health.startedAt });
      const status = `STATUS=process ${child.pid} serves`;
      this.#notify(this.#announcedReady ? status : `READY=1\n${status}`);
      this.#announcedReady = true;
    }
    this.#doHealthDuties(child, now);
    this.#showStatus();
  }

  #probeFailed(child: Child, now: number): "stopped" | "goes_on" {
    const { reason, failureStreak: streak } = child.health;
    const limit = this.#settings.maxConsecutiveHealthFailures;
    const inGrace = child.health.inGrace(now);
    this.#record(records.healthCheckFailed({ pid: child.pid, reason, streak, limit, inGrace }));
    const tooMany = streak >= limit;
    if (tooMany) this.#stopChild(child, "unhealthy", now);
    this.#showStatus();
    return tooMany ? "stopped" : "goes_on";
  }

  #stopChild(child: Child, why: Stopping["why"], now: number): Stopping {
    const { drainMs } = this.#settings;
    const about = { listens: child.health.ready, hangs: why === "unhealthy", drainMs };
    const sequence = new StopSequence(about, now);
    const state: Stopping = { kind: "stopping", child, why, sequence };
    this.#state = state;
    if (sequence.step === "asked") this.#effects.push({ kind: "ask_to_stop" });
    else this.#kill("SIGTERM");
    return state;
  }

  #killNow(state: Stopping, now: number): void {
    if (state.sequence.step === "killed") return;
    state.sequence.kill(now);
    this.#kill("SIGKILL");
  }

  #childExited(event: Extract<SupervisorEvent, { kind: "child_exited" }>, now: number): void {
    const state = this.#state;
    assert(state.kind === "running" || state.kind === "stopping", "only a child exits");
    const { pid, health } = state.child;
    const { code, signal, lastLine, fraction } = event;
    const reason = `the server ended ${records.howItEnded(event)}`;
    this.#health = { ok: false, reason, failureStreak: 0 };
    this.#state = { kind: "waiting", until: now };
    if (!health.wasHealthy) this.#restarts.startFailed();

    if (state.kind === "stopping") {
      const { why, sequence } = state;
      this.#record(records.childStopped({ pid, code, signal, step: sequence.step, reason: why }));
      if (why === "shutdown") return this.#finish(0);
      return this.#scheduleRestart("unhealthy", fraction, now);
    }
    const { ready: wasReady, wasHealthy } = health;
    this.#record(records.childExited({ pid, code, signal, wasReady, wasHealthy, lastLine }));
    if (code === 2 && !wasReady) {
      return this.#giveUp("the server refuses its configuration", lastLine, 2);
    }
    this.#scheduleRestart("child_exited", fraction, now);
  }

  #scheduleRestart(reason: string, fraction: number, now: number): void {
    const decision = this.#restarts.restart(fraction);
    const { restartCount, failedStarts } = this.#restarts;
    if (decision.kind === "limit_reached") {
      this.#record(records.restartLimitReached(reason, restartCount));
      return this.#giveUp("the restart limit is reached", reason, 2);
    }
    const { delayMs } = decision;
    this.#state = { kind: "waiting", until: now + delayMs };
    this.#record(records.restartScheduled({ reason, restartCount, failedStarts, delayMs }));
    this.#showStatus();
  }

  /** A child that is not ready may not have its handler yet, and would die of the signal. */
  #passOn(signal: "SIGHUP"): void {
    const state = this.#state;
    const passed = state.kind === "running" && state.child.health.ready;
    this.#record(records.signalReceived(signal, passed ? "passed on" : "nobody to pass it on to"));
    if (passed) this.#kill(signal);
  }

  #stopOn(signal: "SIGINT" | "SIGTERM", now: number): void {
    const state = this.#state;
    const again = (state.kind === "stopping" && state.why === "shutdown") ||
      (state.kind === "starting" && state.stop !== "no");
    this.#record(records.signalReceived(signal, again ? "killing the server" : "stopping"));
    if (again) {
      if (state.kind === "stopping") this.#killNow(state, now);
      else state.stop = "kill";
      return;
    }
    this.#announceEnd({ reason: signal, detail: "", exitCode: 0 });
    switch (state.kind) {
      case "starting":
        state.stop = "ask";
        return;
      case "running":
        this.#stopChild(state.child, "shutdown", now);
        return;
      case "stopping":
        state.why = "shutdown";
        return;
      default:
        return this.#finish(0);
    }
  }

  #giveUp(reason: string, detail: string, exitCode: 2 | 3): void {
    this.#announceEnd({ reason, detail, exitCode });
    this.#finish(exitCode);
  }

  #announceEnd(what: { reason: string; detail: string; exitCode: number }): void {
    this.#notify("STOPPING=1");
    this.#record(records.watchdogStopping(what));
  }

  #finish(code: 0 | 2 | 3): void {
    this.#showStatus();
    this.#state = { kind: "ended" };
    this.#effects.push({ kind: "wake", at: undefined }, { kind: "exit", code });
  }

  #showStatus(): void {
    this.#effects.push({ kind: "status", status: this.#status() });
  }

  #status(): WatchdogStatus {
    const state = this.#state;
    const child = state.kind === "running" || state.kind === "stopping" ? state.child : undefined;
    return {
      restartCount: this.#restarts.restartCount,
      healthFailureStreak: this.#health.failureStreak,
      lastHealthOk: this.#health.ok,
      lastHealthReason: this.#health.reason,
      childPid: child?.pid ?? null,
    };
  }

  #record(record: SupervisorRecord): void {
    this.#effects.push({ kind: "record", record });
    this.#notify(`STATUS=${record.message}`);
  }

  #kill(signal: "SIGHUP" | "SIGTERM" | "SIGKILL"): void {
    this.#effects.push({ kind: "kill", signal });
  }

  #notify(message: string): void {
    this.#effects.push({ kind: "notify", message });
  }
}
