import assert from "node:assert/strict";
import { Supervisor } from "../../src/watchdog/supervisor.ts";
import type {
  SupervisorEffect,
  SupervisorEvent,
  SupervisorSettings,
} from "../../src/watchdog/supervisor_events.ts";

/** How one attempt to run a child goes; times in milliseconds. */
export interface Life {
  readonly start: "runs" | "fails" | "port_held";
  readonly startTakes: number;
  readonly readyAfter: number;
  readonly diesAfter: number;
  readonly code: number;
  /** Probes fail from this age on. */
  readonly answersUntil: number;
  readonly onAsk: "refuses" | "silent" | "acknowledges" | "ends";
  readonly endsOnTerm: boolean;
  readonly jitter: number;
}

/** What a world with a supervisor and its children came to. */
export interface Outcome {
  readonly exitCode: number | undefined;
  readonly endedAt: number;
  readonly starts: number;
  /** Waits before each look at the port, with the failed starts before it. */
  readonly waits: readonly { readonly ms: number; readonly afterHealthy: boolean }[];
  readonly keepAlives: readonly { readonly at: number; readonly lastProbeOk: boolean }[];
}

interface Child {
  readonly life: Life;
  readonly startedAt: number;
  isAlive: boolean;
  wasHealthy: boolean;
}

/** Runs a supervisor against children that live as told (the last life repeats), in fake time. */
export class SupervisorWorld {
  readonly #supervisor: Supervisor;
  readonly #lives: readonly Life[];
  readonly #waiting: { at: number; order: number; happen: () => void }[] = [];
  #now = 0;
  #order = 0;
  #attempt = 0;
  #wake: { at: number } | undefined;
  #child: Child | undefined;
  #lastProbeOk = false;
  #endOfLast: { at: number; wasHealthy: boolean } | undefined;
  #outcome = {
    exitCode: undefined as number | undefined,
    endedAt: 0,
    starts: 0,
    waits: [] as { ms: number; afterHealthy: boolean }[],
    keepAlives: [] as { at: number; lastProbeOk: boolean }[],
  };

  constructor(settings: SupervisorSettings, lives: readonly Life[]) {
    this.#supervisor = new Supervisor(settings);
    this.#lives = lives;
  }

  /** Signals by time; runs until the supervisor ended or the time is over. */
  run(signals: readonly number[], untilMs: number): Outcome {
    for (const at of signals) this.#at(at, () => this.#send({ kind: "signal", signal: "SIGTERM" }));
    this.#at(0, () => this.#send({ kind: "start" }));
    while (this.#outcome.exitCode === undefined) {
      this.#waiting.sort((a, b) => a.at - b.at || a.order - b.order);
      const next = this.#waiting.shift();
      if (next === undefined || next.at > untilMs) break;
      this.#now = next.at;
      next.happen();
    }
    this.#outcome.endedAt = this.#now;
    return this.#outcome;
  }

  #at(time: number, happen: () => void): void {
    this.#waiting.push({ at: Math.max(time, this.#now), order: this.#order++, happen });
  }

  #send(event: SupervisorEvent): void {
    for (const effect of this.#supervisor.handle(event, this.#now)) this.#perform(effect);
  }

  #life(): Life {
    const life = this.#lives[Math.min(this.#attempt, this.#lives.length - 1)];
    assert.ok(life !== undefined);
    return life;
  }

  #perform(effect: SupervisorEffect): void {
    switch (effect.kind) {
      case "check_port":
        return this.#checkPort();
      case "start_child":
        return this.#startChild();
      case "probe":
        return this.#probe(effect.probe);
      case "ask_to_stop":
        return this.#ask();
      case "kill":
        return this.#signal(effect.signal);
      case "wake":
        return this.#wakeAt(effect.at);
      case "notify":
        if (effect.message === "WATCHDOG=1") {
          assert.ok(this.#child?.isAlive, "no keep-alive without a living child");
          this.#outcome.keepAlives.push({ at: this.#now, lastProbeOk: this.#lastProbeOk });
        }
        return;
      case "exit":
        this.#outcome.exitCode = effect.code;
        if (effect.code !== 3) assert.ok(!this.#child?.isAlive, "no child is left behind");
        return;
      default:
        return;
    }
  }

  #wakeAt(at: number | undefined): void {
    const wake = at === undefined ? undefined : { at };
    this.#wake = wake;
    if (at === undefined) return;
    this.#at(at, () => {
      if (this.#wake === wake) this.#send({ kind: "wake" });
    });
  }

  #checkPort(): void {
    const end = this.#endOfLast;
    if (end !== undefined) {
      this.#outcome.waits.push({ ms: this.#now - end.at, afterHealthy: end.wasHealthy });
    }
    const life = this.#life();
    const held = life.start === "port_held";
    this.#at(this.#now + 1, () => {
      if (held) this.#attemptOver(false);
      const port = held ? { kind: "held", detail: "held" } as const : { kind: "free" } as const;
      this.#send({ kind: "port_checked", port, fraction: life.jitter });
    });
  }

  #startChild(): void {
    assert.ok(!this.#child?.isAlive, "never two children");
    const life = this.#life();
    this.#at(this.#now + life.startTakes, () => {
      if (life.start === "fails") {
        this.#attemptOver(false);
        return this.#send({ kind: "start_failed", reason: "ENOENT", fraction: life.jitter });
      }
      this.#outcome.starts++;
      const child = { life, startedAt: this.#now, isAlive: true, wasHealthy: false };
      this.#child = child;
      this.#lastProbeOk = false;
      this.#at(this.#now + life.diesAfter, () => this.#end(child, life.code, null));
      this.#at(this.#now + life.readyAfter, () => {
        if (child.isAlive) this.#send({ kind: "child_ready" });
      });
      this.#send({ kind: "child_started", pid: 1_000 + this.#outcome.starts });
    });
  }

  #end(child: Child, code: number | null, signal: string | null): void {
    if (!child.isAlive) return;
    child.isAlive = false;
    this.#attemptOver(child.wasHealthy);
    const fraction = child.life.jitter;
    this.#send({ kind: "child_exited", code, signal, lastLine: "", fraction });
  }

  #attemptOver(wasHealthy: boolean): void {
    this.#attempt++;
    this.#endOfLast = { at: this.#now, wasHealthy };
  }

  #probe(probe: number): void {
    const child = this.#child;
    assert.ok(child?.isAlive, "only a living child is probed");
    const ok = this.#now - child.startedAt < child.life.answersUntil;
    this.#at(this.#now + (ok ? 1 : 1_200), () => {
      if (child.isAlive) this.#lastProbeOk = ok;
      if (child.isAlive && ok) child.wasHealthy = true;
      this.#send({ kind: "probed", probe, ok, reason: ok ? "ok" : "no reply" });
    });
  }

  #ask(): void {
    const child = this.#child;
    assert.ok(child?.isAlive, "only a living child is asked to stop");
    const answer = child.life.onAsk;
    if (answer === "silent") return;
    this.#at(this.#now + 1, () => {
      if (!child.isAlive) return;
      this.#send({
        kind: "stop_answered",
        answer: answer !== "refuses" ? "acknowledged" : "not_taken",
      });
      if (answer === "ends") this.#end(child, 0, null);
    });
  }

  #signal(signal: "SIGHUP" | "SIGTERM" | "SIGKILL"): void {
    const child = this.#child;
    assert.ok(child?.isAlive, "only a living child gets signals");
    if (signal === "SIGHUP" || (signal === "SIGTERM" && !child.life.endsOnTerm)) return;
    this.#at(this.#now + 1, () => this.#end(child, null, signal));
  }
}
