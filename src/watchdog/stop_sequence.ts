import { unreachable } from "../base/assert.ts";
import type { StopAnswer } from "./supervisor_events.ts";

/** From `__STOP__` to SIGTERM, and from there to SIGKILL (host protocol, "Watchdog"). */
export const stopStepMs = 4_000;

/** How long the kernel may take to end a killed child, which can hang in a disk's driver. */
export const killWaitMs = 10_000;

export type StopStep = "asked" | "terminated" | "killed";

/**
 * Ends one child: `__STOP__`, then SIGTERM, then SIGKILL, each after the one before had its time.
 * `drainMs` is added once, where the child begins to drain: to the wait after an acknowledged
 * `__STOP__`, else to the wait after SIGTERM, and not at all for a child that hangs. A healthy child
 * that does not listen any more drains already, because a signal reached it that was not ours: SIGTERM at
 * once would be its second, which cuts the drain off.
 */
export class StopSequence {
  readonly #askedAt: number;
  readonly #drainMs: number;
  readonly #hangs: boolean;
  #draining = false;
  #step: StopStep;
  #deadline: number;

  /** Without `listens` nobody is asked: whoever reads at the child's port is somebody else. */
  constructor(
    child: { listens: boolean; hangs: boolean; drainMs: number },
    now: number,
  ) {
    this.#askedAt = now;
    this.#drainMs = child.drainMs;
    this.#hangs = child.hangs;
    this.#step = "asked";
    this.#deadline = now + stopStepMs;
    if (!child.listens) this.#terminate(now);
  }

  get step(): StopStep {
    return this.#step;
  }

  /** When `due` is to be called. */
  get deadline(): number {
    return this.#deadline;
  }

  /** How `__STOP__` went. Returns whether SIGTERM is to be sent now. */
  answered(answer: StopAnswer, now: number): boolean {
    if (this.#step !== "asked") return false;
    if (answer === "not_taken" || (answer === "not_listening" && this.#hangs)) {
      this.#terminate(now);
      return true;
    }
    this.#draining = true;
    this.#deadline = this.#askedAt + stopStepMs + this.#drainMs;
    return false;
  }

  /** The deadline has passed: the signal to send now, or `survived` when there is none left. */
  due(now: number): "SIGTERM" | "SIGKILL" | "survived" {
    switch (this.#step) {
      case "asked":
        this.#terminate(now);
        return "SIGTERM";
      case "terminated":
        this.kill(now);
        return "SIGKILL";
      case "killed":
        this.#deadline = now + killWaitMs;
        return "survived";
      default:
        return unreachable(this.#step);
    }
  }

  /** Goes straight to SIGKILL, which the caller sends. */
  kill(now: number): void {
    this.#step = "killed";
    this.#deadline = now + killWaitMs;
  }

  #terminate(now: number): void {
    const drains = !this.#draining && !this.#hangs;
    this.#step = "terminated";
    this.#deadline = now + stopStepMs + (drains ? this.#drainMs : 0);
  }
}
