/**
 * Many connected clients who say little: 19,000 at 4,000 messages/s to one upstream, and as many
 * from it to them, against a bare forwarder. Latency is one way, from when a message was due.
 */
import {
  type Contestant,
  cpuUs,
  enter,
  inTurns,
  leave,
  medianOf,
  warmUpMessages,
} from "./gateway_contest.ts";
import { allTo, startForwarder, startGateway } from "./gateway_processes.ts";
import type { Latencies } from "./load/gateway_clock.ts";
import {
  cpuSecondsSince,
  type Figure,
  median,
  numberFlag,
  report,
  threadTimes,
} from "./measure.ts";

const clients = numberFlag("clients", 19_000);
const perSecond = numberFlag("rate", 4_000);
const seconds = numberFlag("seconds", 5);
const rounds = numberFlag("rounds", 3);

interface Result {
  readonly cpuUs: number;
  readonly latency: Latencies;
}

/** What was sent last may still be on its way. */
const settleMs = 200;

async function toUpstream(contestant: Contestant, seconds: number): Promise<Result> {
  const { clients, upstream, watch } = contestant;
  await upstream.answer({ with: "none" });
  await upstream.receive();
  const run = await clients.steady({ perSecond, seconds, awaited: "none", watch });
  await Bun.sleep(settleMs);
  const latency = await upstream.received();
  refuse(contestant.name, run.messages, latency);
  return { cpuUs: cpuUs(run), latency };
}

async function toClients(contestant: Contestant, seconds: number): Promise<Result> {
  const { server, upstream } = contestant;
  await contestant.clients.receive();
  const before = threadTimes(server.pid);
  const { sent } = await upstream.push({ clients, perSecond, seconds });
  await Bun.sleep(settleMs);
  const used = cpuSecondsSince(before, server.pid);
  const { echo } = await contestant.clients.received();
  refuse(contestant.name, sent, echo);
  return { cpuUs: used * 1e6 / sent, latency: echo };
}

function refuse(name: string, sent: number, { count }: Latencies): void {
  if (count !== sent) throw new Error(`${name}: of ${sent} messages ${count} arrived`);
}

const options = { clients, awaited: "echo" } as const;
const contestants = [
  await enter(
    "freekill-gw",
    options,
    (url) => startGateway({ routes: allTo(url), persistFile: "" }),
  ),
  await enter("bare forwarder", options, (url) => startForwarder("bare", url)),
];
const figures: Figure[] = [];
for (const [direction, measure] of [["in", toUpstream], ["out", toClients]] as const) {
  const results = await inTurns(
    contestants,
    rounds,
    (one, isWarmUp) => measure(one, isWarmUp ? warmUpMessages / perSecond : seconds),
  );
  for (const [{ name }, { first, rounds: runs }] of results) {
    const isOurs = name === "freekill-gw";
    figures.push({
      name: `${name}: ${direction}: CPU a message`,
      value: medianOf(runs, (run) => run.cpuUs),
      unit: "µs",
      ...(isOurs ? { goal: { max: 30 } } : {}),
    }, {
      name: `${name}: ${direction}: CPU a message while it warms up`,
      value: first.cpuUs,
      unit: "µs",
    }, {
      name: `${name}: ${direction}: p50`,
      value: median(runs.map((run) => run.latency.p50Ms)),
      unit: "ms",
    }, {
      name: `${name}: ${direction}: p99`,
      value: median(runs.map((run) => run.latency.p99Ms)),
      unit: "ms",
      ...(isOurs ? { goal: { max: 2 } } : {}),
    });
  }
}
await leave(contestants);
report(
  `Gateway fan-in and fan-out, ${clients} clients, ${perSecond}/s, ${rounds} × ${seconds} s`,
  figures,
);
