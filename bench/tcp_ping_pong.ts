/**
 * CPU time of the server for one request and reply over TCP, against a bare echo of the same bytes
 * by the same Bun, in turns in the same run.
 */
import { cpuSeconds, type Figure, median, numberFlag, report } from "./measure.ts";
import { runLoad, type ServerProcess, startPeer, startServe } from "./processes.ts";

const connections = numberFlag("connections", 50);
const seconds = numberFlag("seconds", 5);
const rounds = numberFlag("rounds", 3);

interface Load {
  readonly messages: number;
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

const contestants = [
  { name: "freekill-gw", server: await startServe(), results: [] as Result[] },
  { name: "bare echo", server: await startPeer("bare_echo.ts"), results: [] as Result[] },
] as const;

interface Result extends Load {
  readonly cpuUs: number;
}

async function measure(server: ServerProcess, forSeconds: number): Promise<Result> {
  const before = cpuSeconds(server.pid);
  const load = await runLoad("tcp_ping_pong.ts", {
    port: server.port,
    connections,
    seconds: forSeconds,
    line: "M1_CONN_PING",
  }) as Load;
  return { ...load, cpuUs: (cpuSeconds(server.pid) - before) * 1e6 / load.messages };
}

for (const { server } of contestants) await measure(server, 1); // compiles the hot code
for (let round = 0; round < rounds; round++) {
  for (const { server, results } of contestants) results.push(await measure(server, seconds));
}
for (const { server } of contestants) await server.stop();

const figures: Figure[] = contestants.flatMap(({ name, results }) => [
  { name: `${name}: CPU a message`, value: median(results.map((one) => one.cpuUs)), unit: "µs" },
  { name: `${name}: messages`, value: median(results.map((one) => one.perSecond)), unit: "/s" },
  { name: `${name}: round trip p50`, value: median(results.map((one) => one.p50Us)), unit: "µs" },
  { name: `${name}: round trip p99`, value: median(results.map((one) => one.p99Us)), unit: "µs" },
]);
const ratios = contestants[0].results.map((ours, round) =>
  ours.cpuUs / (contestants[1].results[round]?.cpuUs ?? NaN)
);
figures.push({
  name: "CPU a message, times the bare echo's",
  value: median(ratios),
  unit: "×",
  goal: { max: 1.3 },
});
report(`TCP ping-pong, ${connections} connections, ${rounds} × ${seconds} s`, figures);
