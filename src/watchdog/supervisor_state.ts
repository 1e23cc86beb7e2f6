import { type ChildHealth, notProbed } from "./child_health.ts";
import type { StopSequence } from "./stop_sequence.ts";
import type { WatchdogStatus } from "./supervisor_events.ts";

/** A child that was started and has not ended. */
export interface Child {
  readonly pid: number;
  readonly health: ChildHealth;
}

/** Where the supervisor is in a child's life. */
export type SupervisorState =
  | { readonly kind: "new" }
  | { readonly kind: "checking_port" }
  | { readonly kind: "waiting"; readonly until: number }
  | { readonly kind: "starting"; stop: "no" | "ask" | "kill" }
  | { readonly kind: "running"; readonly child: Child }
  | Stopping
  | { readonly kind: "ended" };

/** `why` becomes `shutdown` when a signal comes while an unhealthy child is being stopped. */
export interface Stopping {
  readonly kind: "stopping";
  readonly child: Child;
  why: "shutdown" | "unhealthy";
  readonly sequence: StopSequence;
}

/** The status before anything happened. */
export const neverStarted: WatchdogStatus = {
  restartCount: 0,
  healthFailureStreak: 0,
  lastHealthOk: false,
  lastHealthReason: notProbed,
  childPid: null,
};
