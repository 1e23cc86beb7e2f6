/**
 * CPU time and latency of the gateway at an even rate far below what it can do, against bare
 * forwarders, in turns in the same run. Latency counts from when a message was due.
 */
import {
  cpuUs,
  enter,
  inTurns,
  leave,
  medianOf,
  medianRatio,
  refuseLosses,
  steady,
  warmUpMessages,
} from "./gateway_contest.ts";
import { allTo, journal, startForwarder, startGateway, wsRuntime } from "./gateway_processes.ts";
import type { SteadyResult } from "./load/gateway_load.ts";
import { type Figure, numberFlag, report } from "./measure.ts";

const clients = numberFlag("clients", 1_000);
const seconds = numberFlag("seconds", 3);
const rounds = numberFlag("rounds", 3);
const perSecond = numberFlag("rate", 10_000);

const echo = { clients, awaited: "echo" } as const;
const both = { clients, awaited: "both" } as const;
const contestants = [
  await enter(
    "freekill-gw",
    echo,
    (url) => startGateway({ routes: allTo(url), persistFile: "" }),
  ),
  await enter("bare forwarder", echo, (url) => startForwarder("bare", url)),
  await enter(`ws forwarder on ${wsRuntime}`, echo, (url) => startForwarder("ws", url)),
  await enter(
    "journal: freekill-gw",
    both,
    (url) => startGateway({ routes: allTo(url), ...journal }),
  ),
  await enter("journal: bare acking forwarder", both, (url) => startForwarder("acking", url)),
];
const results = await inTurns(
  contestants,
  rounds,
  (one, isWarmUp) =>
    steady(one, { perSecond, seconds: isWarmUp ? warmUpMessages / perSecond : seconds }),
);
await leave(contestants);
for (const [{ name }, { first, rounds }] of results) refuseLosses(name, [first, ...rounds]);
const [plain, bare, ws, kept, acking] = contestants.map((one) => ({
  name: one.name,
  first: results.get(one)?.first,
  runs: results.get(one)?.rounds ?? [],
}));
if (!plain || !bare || !ws || !kept || !acking) throw new Error("a contestant is missing");

interface Goals {
  readonly cpu?: number;
  readonly echoP99?: number;
  readonly ackP50?: number;
  readonly ackP99?: number;
}

interface Entry {
  readonly name: string;
  readonly first: SteadyResult | undefined;
  readonly runs: readonly SteadyResult[];
}

function figures(
  { name, first, runs }: Entry,
  goals: Goals = {},
): Figure[] {
  const figure = (what: string, value: (run: SteadyResult) => number, max?: number): Figure => ({
    name: `${name}: ${what}`,
    value: medianOf(runs, value),
    unit: what.startsWith("CPU") ? "µs" : "ms",
    ...(max === undefined ? {} : { goal: { max } }),
  });
  const hasAcks = runs.some((run) => run.ack.count > 0);
  return [
    figure("CPU a message", cpuUs, goals.cpu),
    ...(first === undefined
      ? []
      : [{ name: `${name}: CPU a message while it warms up`, value: cpuUs(first), unit: "µs" }]),
    figure("round trip p50", (run) => run.echo.p50Ms),
    figure("round trip p99", (run) => run.echo.p99Ms, goals.echoP99),
    ...(hasAcks
      ? [
        figure("acknowledged p50", (run) => run.ack.p50Ms, goals.ackP50),
        figure("acknowledged p99", (run) => run.ack.p99Ms, goals.ackP99),
      ]
      : []),
  ];
}

report(`Gateway at a steady ${perSecond}/s, ${clients} clients, ${rounds} × ${seconds} s`, [
  ...figures(plain, { cpu: 30, echoP99: 3 }),
  ...figures(bare),
  ...figures(ws),
  {
    name: "CPU, times the bare forwarder's",
    value: medianRatio(plain.runs, bare.runs, cpuUs),
    unit: "×",
  },
  ...figures(kept, { cpu: 40, ackP50: 3, ackP99: 8 }),
  ...figures(acking),
  {
    name: "journal: CPU, times the bare acking forwarder's",
    value: medianRatio(kept.runs, acking.runs, cpuUs),
    unit: "×",
    goal: { max: 1.2 },
  },
  {
    name: "sent late by the load itself, p99",
    value: medianOf(plain.runs, (run) => run.late.p99Ms),
    unit: "ms",
  },
]);
