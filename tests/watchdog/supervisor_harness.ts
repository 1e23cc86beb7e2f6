import { Supervisor } from "../../src/watchdog/supervisor.ts";
import type {
  RecordName,
  SupervisorEffect,
  SupervisorEvent,
  SupervisorSettings,
  WatchdogStatus,
} from "../../src/watchdog/supervisor_events.ts";

/** The settings of the spec, without drain and service manager. */
export const usualSettings: SupervisorSettings = {
  healthIntervalMs: 3_000,
  startGraceMs: 12_000,
  maxConsecutiveHealthFailures: 3,
  restartDelayMs: 1_500,
  maxRestarts: 0,
  drainMs: 0,
  keepAliveMs: undefined,
  about: {},
};

/** Drives a supervisor by hand; time is what the test says. */
export class SupervisorHarness {
  readonly #supervisor: Supervisor;
  now = 0;
  wakeAt: number | undefined;
  status: WatchdogStatus | undefined;
  exitCode: number | undefined;
  readonly notified: string[] = [];
  readonly records: { name: RecordName; fields: Readonly<Record<string, unknown>> }[] = [];
  #nextPid = 100;

  constructor(settings: Partial<SupervisorSettings> = {}) {
    this.#supervisor = new Supervisor({ ...usualSettings, ...settings });
  }

  /** The effects that ask for something, in short: "probe 1", "kill SIGTERM", "exit 0", … */
  send(event: SupervisorEvent): string[] {
    return this.#supervisor.handle(event, this.now).flatMap((effect) => this.#take(effect));
  }

  /** Moves to a time and wakes the machine as often as it asked to be until then. */
  runUntil(time: number): string[] {
    const asked: string[] = [];
    while (this.wakeAt !== undefined && this.wakeAt <= time) {
      this.now = Math.max(this.now, this.wakeAt);
      asked.push(...this.send({ kind: "wake" }));
    }
    this.now = time;
    return asked;
  }

  /** From the start to a child that runs. */
  start(): void {
    this.send({ kind: "start" });
    this.startChild();
  }

  /** The port is free and the child starts. */
  startChild(): void {
    this.send({ kind: "port_checked", port: { kind: "free" }, fraction: 0 });
    this.send({ kind: "child_started", pid: this.#nextPid++ });
  }

  /** From the start to a child that answered its first probe, `ms` after its start. */
  startHealthy(ms = 200): void {
    this.start();
    this.becomeHealthy(ms);
  }

  becomeHealthy(ms = 200): void {
    this.now += ms;
    const [probe] = this.send({ kind: "child_ready" });
    this.answer(probe, true);
  }

  /** Answers "probe 7". */
  answer(probe: string | undefined, ok: boolean): string[] {
    const number = Number(probe?.split(" ")[1]);
    return this.send({ kind: "probed", probe: number, ok, reason: ok ? "ok" : "no reply" });
  }

  exit(code: number | null, signal: string | null = null, fraction = 0): string[] {
    return this.send({ kind: "child_exited", code, signal, lastLine: "", fraction });
  }

  signal(signal: "SIGINT" | "SIGTERM" | "SIGHUP"): string[] {
    return this.send({ kind: "signal", signal });
  }

  /** Names of the records since the last call. */
  recorded(): RecordName[] {
    return this.records.splice(0).map(({ name }) => name);
  }

  #take(effect: SupervisorEffect): string[] {
    switch (effect.kind) {
      case "wake":
        this.wakeAt = effect.at;
        return [];
      case "status":
        this.status = effect.status;
        return [];
      case "record":
        this.records.push(effect.record);
        return [];
      case "notify":
        this.notified.push(effect.message);
        return [];
      case "child_healthy":
        return [];
      case "probe":
        return [`probe ${effect.probe}`];
      case "kill":
        return [`kill ${effect.signal}`];
      case "exit":
        this.exitCode = effect.code;
        return [`exit ${effect.code}`];
      default:
        return [effect.kind];
    }
  }
}
