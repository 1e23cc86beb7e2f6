import { type AcceptanceCase, CaseContext, type CaseGroup } from "./acceptance_case.ts";
import { accessGroups } from "./cases/access_cases.ts";
import { commandGroup } from "./cases/command_cases.ts";
import { configurationGroups } from "./cases/configuration_cases.ts";
import { driftGroup } from "./cases/drift_cases.ts";
import { durabilityGroups } from "./cases/durability_cases.ts";
import { budgetGroup, framingGroup } from "./cases/framing_cases.ts";
import { luaGroups } from "./cases/lua_cases.ts";
import { metricsGroup } from "./cases/metrics_cases.ts";
import { protobufGroup } from "./cases/protobuf_cases.ts";
import { watchdogGroups } from "./cases/watchdog_cases.ts";
import { PrivateServer } from "./private_server.ts";
import { ProbeFailure, reasonOf, within } from "./probe_failure.ts";
import type { Workspace } from "./workspace.ts";

/** All groups, those that wait longest first. To add a case, open the file of its topic. */
export const acceptanceGroups: readonly CaseGroup[] = [
  ...watchdogGroups,
  ...luaGroups,
  ...configurationGroups,
  ...durabilityGroups,
  driftGroup,
  commandGroup,
  framingGroup,
  protobufGroup,
  ...accessGroups,
  budgetGroup,
  metricsGroup,
];

/** Groups that run at one time: most of their time is waiting, and a server costs 30 MB. */
const groupsAtOnce = 4;

/** The slowest case, a child that hangs, takes 12 s; twice that and more is a hang of ours. */
const caseMsMax = 45_000;

/** How one case went. */
export interface CaseResult {
  readonly name: string;
  readonly topic: string;
  readonly ok: boolean;
  /** Why not; "" when ok. */
  readonly detail: string;
  readonly ms: number;
}

/** The JSON report of an acceptance. */
export interface AcceptanceReport {
  readonly ok: boolean;
  readonly passed: number;
  readonly failed: number;
  readonly ms: number;
  readonly cases: readonly CaseResult[];
}

/** Runs every case on private servers; never rejects for what a server does wrong. */
export async function runAcceptance(
  workspace: Workspace,
  options: {
    /** Keys for every private server, such as `drift_mode`. */
    readonly baseSettings: Readonly<Record<string, unknown>>;
    /** Told as each case ends. */
    progress(result: CaseResult): void;
    readonly groups?: readonly CaseGroup[];
  },
): Promise<AcceptanceReport> {
  const { clock } = workspace.runtime;
  const start = clock.monotonic();
  const waiting = [...options.groups ?? acceptanceGroups];
  const order = waiting.map((group) => group.topic);
  const results: CaseResult[] = [];
  const context = new CaseContext(workspace, options.baseSettings);
  const work = async () => {
    for (let group = waiting.shift(); group !== undefined; group = waiting.shift()) {
      await runGroup(context, group, (result) => {
        results.push(result);
        options.progress(result);
      });
    }
  };
  await Promise.all(Array.from({ length: groupsAtOnce }, work));
  const cases = results.toSorted((a, b) => order.indexOf(a.topic) - order.indexOf(b.topic));
  const failed = cases.filter((result) => !result.ok).length;
  return {
    ok: failed === 0,
    passed: cases.length - failed,
    failed,
    ms: Math.round(clock.monotonic() - start),
    cases,
  };
}

async function runGroup(
  context: CaseContext,
  group: CaseGroup,
  report: (result: CaseResult) => void,
): Promise<void> {
  const { runtime } = context.workspace;
  let server: PrivateServer | undefined;
  try {
    server = group.server && await context.startServer(group.server);
  } catch (error) {
    // All of the group's cases are then as good as failed: each says why.
    for (const each of group.cases) report(failure(group, each, { error, ms: 0 }));
    return;
  }
  const own = server === undefined ? context : context.on(server);
  for (const each of group.cases) {
    const start = runtime.clock.monotonic();
    const elapsed = () => Math.round(runtime.clock.monotonic() - start);
    try {
      await within(runtime.clock, each.run(own), { ms: caseMsMax, what: "end of the case" });
      report({ name: each.name, topic: group.topic, ok: true, detail: "", ms: elapsed() });
    } catch (error) {
      report(failure(group, each, { error, ms: elapsed() }));
    }
  }
  await server?.kill();
}

function failure(
  group: CaseGroup,
  { name }: AcceptanceCase,
  what: { error: unknown; ms: number },
): CaseResult {
  const isFault = what.error instanceof ProbeFailure;
  const reason = reasonOf(what.error);
  const detail = isFault ? reason : `the check itself failed: ${reason}`;
  return { name, topic: group.topic, ok: false, detail, ms: what.ms };
}

/** The lines for people: failed cases with their reasons, then the verdict. */
export function showAcceptance(report: AcceptanceReport): string {
  const failed = report.cases.filter((result) => !result.ok)
    .map((result) => `failed  ${result.topic}: ${result.name}\n        ${result.detail}\n`);
  const seconds = (report.ms / 1_000).toFixed(1);
  return `${
    failed.join("")
  }${report.passed} cases passed, ${report.failed} failed in ${seconds} s\n` +
    `ACCEPTANCE_OK=${report.ok ? "True" : "False"}\n`;
}
