/**
 * CPU time of the gateway for a message from a client to its upstream and the answer back, with all
 * clients sending as fast as answers come, against bare forwarders, in turns in the same run.
 */
import {
  type Contestant,
  cpuUs,
  enter,
  inTurns,
  leave,
  medianOf,
  medianRatio,
  refuseLosses,
  saturate,
} from "./gateway_contest.ts";
import { allTo, journal, startForwarder, startGateway, wsRuntime } from "./gateway_processes.ts";
import type { RunResult } from "./load/gateway_load.ts";
import { type Figure, numberFlag, report } from "./measure.ts";

const clients = numberFlag("clients", 1_000);
const seconds = numberFlag("seconds", 2);
const rounds = numberFlag("rounds", 3);
const window = numberFlag("window", 8);

async function run(contestants: readonly Contestant[], window: number) {
  const results = await inTurns(
    contestants,
    rounds,
    (one, isWarmUp) => saturate(one, { seconds: isWarmUp ? 1 : seconds, window }),
  );
  for (const [{ name }, { rounds }] of results) refuseLosses(name, rounds);
  return contestants.map((contestant) => results.get(contestant)?.rounds ?? []);
}

function cpu(name: string, runs: readonly RunResult[], max?: number): Figure[] {
  return [
    {
      name: `${name}: CPU a round trip`,
      value: medianOf(runs, cpuUs),
      unit: "µs",
      ...(max === undefined ? {} : { goal: { max } }),
    },
    { name: `${name}: round trips`, value: medianOf(runs, perSecond), unit: "/s" },
  ];
}

function perSecond(run: RunResult): number {
  return run.messages / run.seconds;
}

function ratio(
  name: string,
  [ours, theirs]: readonly [readonly RunResult[], readonly RunResult[]],
  max?: number,
): Figure {
  const goal = max === undefined ? {} : { goal: { max } };
  return { name, value: medianRatio(ours, theirs, cpuUs), unit: "×", ...goal };
}

async function withoutJournal(): Promise<Figure[]> {
  const options = { clients, awaited: "echo" } as const;
  const contestants = [
    await enter(
      "freekill-gw",
      options,
      (url) => startGateway({ routes: allTo(url), persistFile: "" }),
    ),
    await enter("bare forwarder", options, (url) => startForwarder("bare", url)),
    await enter(`ws on ${wsRuntime}`, options, (url) => startForwarder("ws", url)),
  ];
  const [ours = [], bare = [], ws = []] = await run(contestants, window);
  const [oursAlone = [], bareAlone = []] = await run(contestants.slice(0, 2), 1);
  await leave(contestants);
  return [
    ...cpu("freekill-gw", ours, 10),
    ...cpu("bare forwarder", bare),
    ...cpu(`ws forwarder on ${wsRuntime}`, ws),
    ratio("CPU, times the bare forwarder's", [ours, bare], 1.4),
    ratio("CPU, times the ws forwarder's", [ours, ws]),
    ...cpu("freekill-gw, one under way a client", oursAlone),
    ...cpu("bare forwarder, one under way a client", bareAlone),
    ratio("CPU, times the bare forwarder's, one under way", [oursAlone, bareAlone], 1.4),
    { name: "the load's own CPU a round trip", value: medianOf(ours, loadUs), unit: "µs" },
  ];
}

async function withJournal(): Promise<Figure[]> {
  const options = { clients, awaited: "both" } as const;
  const contestants = [
    await enter("journal", options, (url) => startGateway({ routes: allTo(url), ...journal })),
    await enter("acking forwarder", options, (url) => startForwarder("acking", url)),
    await enter(
      "journal, acknowledging upstream",
      { ...options, answer: "both" },
      (url) =>
        startGateway({
          routes: allTo(url),
          ...journal,
          buffer: { ...journal.buffer, upstreamAck: "required" },
        }),
    ),
  ];
  const [ours = [], bare = [], acked = []] = await run(contestants, window);
  await leave(contestants);
  return [
    ...cpu("journal: freekill-gw", ours, 15),
    ...cpu("journal: bare acking forwarder", bare),
    ratio("journal: CPU, times the bare acking forwarder's", [ours, bare]),
    ...cpu("journal: freekill-gw, upstream that acknowledges", acked),
  ];
}

function loadUs(run: RunResult): number {
  return cpuUs(run, "load");
}

report(
  `Gateway round trips, ${clients} clients, ${window} under way each, ${rounds} × ${seconds} s`,
  [...await withoutJournal(), ...await withJournal()],
);
