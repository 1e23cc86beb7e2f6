import {
  type AcceptanceReport,
  type CaseResult,
  runAcceptance,
  showAcceptance,
} from "./acceptance.ts";
import { CaseContext } from "./acceptance_case.ts";
import { ProbeFailure, reasonOf } from "./probe_failure.ts";
import { runSoak } from "./soak.ts";
import { showSoak, type SoakReport, SoakStatistics } from "./soak_statistics.ts";
import type { Workspace } from "./workspace.ts";

/** The JSON report of a release gate. */
export interface ReleaseGateReport {
  readonly ok: boolean;
  readonly acceptance: AcceptanceReport;
  /** null when the acceptance failed: load on a wrong server tells nothing. */
  readonly soak: SoakReport | null;
}

/** Acceptance, then load on a private server. Never rejects for what a server does wrong. */
export async function runReleaseGate(
  workspace: Workspace,
  options: {
    readonly baseSettings: Readonly<Record<string, unknown>>;
    readonly soakSeconds: number;
    progress(result: CaseResult): void;
  },
): Promise<ReleaseGateReport> {
  const acceptance = await runAcceptance(workspace, options);
  if (!acceptance.ok) return { ok: false, acceptance, soak: null };
  const soak = await soakPrivateServer(workspace, options);
  return { ok: soak.ok, acceptance, soak };
}

/** The lines for people. */
export function showReleaseGate(report: ReleaseGateReport): string {
  const soak = report.soak === null
    ? "no load was put on it because the acceptance failed\n"
    : showSoak(report.soak);
  return `${showAcceptance(report.acceptance)}${soak}RELEASE_GATE_OK=${
    report.ok ? "True" : "False"
  }\n`;
}

async function soakPrivateServer(
  workspace: Workspace,
  options: { baseSettings: Readonly<Record<string, unknown>>; soakSeconds: number },
): Promise<SoakReport> {
  try {
    const context = new CaseContext(workspace, options.baseSettings);
    const server = await context.startServer({ script: soakScript });
    const report = await runSoak(server, { seconds: options.soakSeconds });
    await server.kill();
    return report;
  } catch (error) {
    if (!(error instanceof ProbeFailure)) throw error;
    const nothing = { seconds: 0, memoryFirst: undefined, memoryLast: undefined };
    return new SoakStatistics().report({ ...nothing, faults: [reasonOf(error)] });
  }
}

const soakScript = 'function runtime_hello() return "v1" end\n';
