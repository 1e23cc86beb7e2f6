/** Replies a second over UDP with a window of datagrams under way, against bare echoes. */
import { cpuSeconds, type Figure, median, numberFlag, report } from "./measure.ts";
import { runLoad, type ServerProcess, startPeer, startServe } from "./processes.ts";

const inFlight = numberFlag("in-flight", 128);
const seconds = numberFlag("seconds", 4);
const rounds = numberFlag("rounds", 3);

interface Load {
  readonly replies: number;
  readonly perSecond: number;
  readonly lost: number;
}

interface Result extends Load {
  readonly cpuUs: number;
}

const contestants = [
  { name: "freekill-gw", server: await startServe(), results: [] as Result[] },
  {
    name: "bare Bun.udpSocket",
    server: await startPeer("bare_udp_echo.ts", ["bun"]),
    results: [] as Result[],
  },
  {
    name: "bare node:dgram",
    server: await startPeer("bare_udp_echo.ts", ["node"]),
    results: [] as Result[],
  },
] as const;

async function measure(
  contestant: { name: string; server: ServerProcess },
  forSeconds: number,
): Promise<Result> {
  const { server, name } = contestant;
  const before = cpuSeconds(server.pid);
  const load = await runLoad("udp_ping_pong.ts", {
    // `serve` answers probes on the number after its TCP port.
    port: name === "freekill-gw" ? server.port + 1 : server.port,
    inFlight,
    seconds: forSeconds,
    line: "M1_UDP_PING",
  }) as Load;
  return { ...load, cpuUs: (cpuSeconds(server.pid) - before) * 1e6 / load.replies };
}

for (const contestant of contestants) await measure(contestant, 1); // compiles the hot code
for (let round = 0; round < rounds; round++) {
  for (const contestant of contestants) {
    contestant.results.push(await measure(contestant, seconds));
  }
}
for (const { server } of contestants) await server.stop();

const figures: Figure[] = contestants.flatMap(({ name, results }): Figure[] => [
  {
    name: `${name}: replies`,
    value: median(results.map((one) => one.perSecond)),
    unit: "/s",
    ...(name === "freekill-gw" ? { goal: { min: 60_000 } } : {}),
  },
  { name: `${name}: CPU a reply`, value: median(results.map((one) => one.cpuUs)), unit: "µs" },
  {
    name: `${name}: lost`,
    value: median(results.map((one) => 100 * one.lost / (one.lost + one.replies))),
    unit: "%",
  },
]);
report(`UDP ping-pong, ${inFlight} in flight, ${rounds} × ${seconds} s`, figures);
