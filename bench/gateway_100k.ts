/**
 * 100,000 idle WebSocket connections over several gateways and loads, since the limit of open files
 * is that of one process; then one message of each client and back. Not part of the default run.
 */
import { type Contestant, enter, leave, refuseLosses, steady } from "./gateway_contest.ts";
import { allTo, startGateway } from "./gateway_processes.ts";
import { cpuSeconds, numberFlag, report, residentBytes } from "./measure.ts";

const connections = numberFlag("connections", 100_000);
const processes = numberFlag("processes", 6);
const idleSeconds = numberFlag("seconds", 20);

/** Waits out collections of garbage. */
const settleMs = 4_000;
const roundTripSeconds = 10;

const perProcess = Math.ceil(connections / processes);
const contestants: Contestant[] = [];
let emptyBytes = 0;
const openStart = performance.now();
for (let number = 0; number < processes; number++) {
  const options = { clients: perProcess, awaited: "echo" } as const;
  contestants.push(
    await enter(`gateway ${number}`, options, async (url) => {
      const server = await startGateway({ routes: allTo(url), persistFile: "" });
      emptyBytes += residentBytes(server.pid);
      return server;
    }),
  );
}
const openS = (performance.now() - openStart) / 1000;
await Bun.sleep(settleMs);
const pids = contestants.map(({ server }) => server.pid);
const sum = (values: readonly number[]) => values.reduce((all, one) => all + one, 0);
const fullBytes = sum(pids.map(residentBytes));
const before = sum(pids.map(cpuSeconds));
await Bun.sleep(idleSeconds * 1000);
const idleCpu = (sum(pids.map(cpuSeconds)) - before) / idleSeconds;
const opened = perProcess * processes;
const runs = await Promise.all(
  contestants.map((one) =>
    steady(one, {
      perSecond: Math.ceil(perProcess / roundTripSeconds),
      seconds: roundTripSeconds,
    })
  ),
);
refuseLosses("freekill-gw", runs);
await leave(contestants);

report(`${opened.toLocaleString("en-US")} WebSocket connections over ${processes} gateways`, [
  { name: "opened and upgraded", value: opened / openS, unit: "/s" },
  { name: "memory of all gateways", value: fullBytes / 2 ** 20, unit: "MiB" },
  {
    name: "memory a connection",
    value: (fullBytes - emptyBytes) / opened,
    unit: "bytes",
    goal: { max: 1_600 },
  },
  { name: "CPU while idle, heartbeats included", value: idleCpu * 100, unit: "% of a core" },
  {
    name: "a message of each and back, p99",
    value: Math.max(...runs.map((run) => run.echo.p99Ms)),
    unit: "ms",
  },
]);
