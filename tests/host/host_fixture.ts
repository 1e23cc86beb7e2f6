import { accessRules } from "../../src/host/access.ts";
import { HostCommands, type HostRules } from "../../src/host/host_commands.ts";
import { emptyHostMetrics, type HostMetrics } from "../../src/host/host_metrics.ts";
import { HostSession } from "../../src/host/host_session.ts";
import type { SessionEffect, SessionShared } from "../../src/host/session_events.ts";

export interface HostFixture {
  readonly commands: HostCommands;
  readonly metrics: HostMetrics;
  readonly shared: SessionShared;
  session(host?: string): HostSession;
}

/** Commands with their defaults, without any port. */
export function hostFixture(changes: {
  rules?: Partial<HostRules>;
  access?: { allow?: string[]; token?: string; childToken?: string };
  mode?: SessionShared["mode"];
  hasOther?: boolean;
  idleMsMax?: number;
  routes?: ReadonlyMap<string, number>;
  flow?: () => { ok: boolean };
} = {}): HostFixture {
  const metrics = emptyHostMetrics();
  const commands = new HostCommands({
    rules: {
      runtimeName: "test",
      access: accessRules({ allow: [], token: "", childToken: "", ...changes.access }),
      threadCount: 4,
      taskBudget: 256,
      driftMode: "none",
      ...changes.rules,
    },
    metrics,
    flow: changes.flow ?? (() => ({ ok: true })),
    routes: changes.routes ?? new Map(),
  });
  const shared = {
    commands,
    metrics,
    mode: changes.mode ?? "auto",
    hasOther: changes.hasOther ?? false,
    idleMsMax: changes.idleMsMax ?? 0,
  } as const;
  return {
    commands,
    metrics,
    shared,
    session: (host = "127.0.0.1") => new HostSession(shared, host, 0),
  };
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const data = (text: string) => ({ kind: "data", bytes: bytes(text) }) as const;

/** All that the effects write, as text. */
export function written(effects: readonly SessionEffect[]): string {
  return effects.map((effect) =>
    effect.kind === "write" ? new TextDecoder().decode(effect.bytes) : ""
  ).join("");
}

/** The kinds of effects, with the reason where there is one. */
export function kinds(effects: readonly SessionEffect[]): string[] {
  return effects.map((effect) =>
    "reason" in effect ? `${effect.kind}:${effect.reason}` : effect.kind
  );
}
