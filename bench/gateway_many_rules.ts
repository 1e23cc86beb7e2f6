/** What a message costs with 1,000,000 routing rules, as a multiple of what it costs with 10. */
import {
  cpuUs,
  enter,
  inTurns,
  leave,
  medianOf,
  medianRatio,
  refuseLosses,
  saturate,
} from "./gateway_contest.ts";
import { startGateway } from "./gateway_processes.ts";
import { numberFlag, report, residentBytes } from "./measure.ts";

const clients = numberFlag("clients", 1_000);
const seconds = numberFlag("seconds", 2);
const rounds = numberFlag("rounds", 3);
const window = numberFlag("window", 8);
/** Decimal digits that the prefixes go into the six of a client's number: 6 makes 1,000,000. */
const digits = numberFlag("digits", 6);

function rulesOf(digits: number, upstream: string) {
  return Array.from({ length: 10 ** digits }, (_, number) => ({
    clientIdPrefix: `bench-${String(number).padStart(digits, "0")}`,
    upstream,
  }));
}

const startWith = (digits: number) => (url: string) =>
  startGateway({ routes: rulesOf(digits, url), persistFile: "" });
const options = { clients, awaited: "echo" } as const;
const count = (10 ** digits).toLocaleString("en-US");
const few = await enter("10 rules", options, startWith(1));
const many = await enter(`${count} rules`, options, startWith(digits));
const grown = residentBytes(many.server.pid) - residentBytes(few.server.pid);
const results = await inTurns(
  [few, many],
  rounds,
  (one, isWarmUp) => saturate(one, { seconds: isWarmUp ? 1 : seconds, window }),
);
await leave([few, many]);
const fewRuns = results.get(few)?.rounds ?? [];
const manyRuns = results.get(many)?.rounds ?? [];
refuseLosses(few.name, fewRuns);
refuseLosses(many.name, manyRuns);

report(`Gateway with ${count} rules, ${clients} clients, ${rounds} × ${seconds} s`, [
  { name: "10 rules: CPU a round trip", value: medianOf(fewRuns, cpuUs), unit: "µs" },
  { name: `${count} rules: CPU a round trip`, value: medianOf(manyRuns, cpuUs), unit: "µs" },
  {
    name: `CPU with ${count}, times that with 10`,
    value: medianRatio(manyRuns, fewRuns, cpuUs),
    unit: "×",
    goal: { max: 1.2 },
  },
  { name: `${count} rules: start to ready`, value: many.server.readyMs, unit: "ms" },
  {
    name: `${count} rules: memory more than with 10`,
    value: grown / 2 ** 20,
    unit: "MiB",
    goal: { max: 300 },
  },
]);
