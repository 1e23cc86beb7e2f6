import type { AcceptanceCase, CaseContext, CaseGroup } from "../acceptance_case.ts";
import { expect, ProbeFailure } from "../probe_failure.ts";
import { flowCases, routeCases, routeThreads } from "./command_cases.ts";
import { protobufCases } from "./protobuf_cases.ts";

/** The cases that a server with this `drift_mode` must fail; it must pass all others of the list. */
const casesOfDrift = {
  route: routeCases,
  flow: flowCases,
  protobuf: protobufCases,
} as const;

type Drift = keyof typeof casesOfDrift;
const drifts: readonly Drift[] = ["route", "flow", "protobuf"];

const cases: readonly AcceptanceCase[] = drifts.map((drift) => ({
  name: `a server with drift_mode ${drift} is noticed by the cases of ${drift}, and by no others`,
  run: async (context) => {
    const server = await context.startServer({
      settings: { thread_count: routeThreads, drift_mode: drift },
    });
    for (const topic of drifts) {
      const failed = await countFailed(context.on(server), casesOfDrift[topic]);
      if (topic === drift) expect(failed > 0, `no case of ${topic} noticed the drift`);
      else expect(failed === 0, `${failed} cases of ${topic} failed without reason`);
    }
    await server.kill();
  },
}));

async function countFailed(
  context: CaseContext,
  tried: readonly AcceptanceCase[],
): Promise<number> {
  let failed = 0;
  for (const { run } of tried) {
    try {
      await run(context);
    } catch (error) {
      if (!(error instanceof ProbeFailure)) throw error;
      failed++;
    }
  }
  return failed;
}

/** Proof that the acceptance notices a wrong server, by servers that are wrong on purpose. */
export const driftGroup: CaseGroup = { topic: "drift", cases };
