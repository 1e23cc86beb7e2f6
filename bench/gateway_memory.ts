/** Memory of the gateway for one idle WebSocket connection, against bare forwarders. */
import {
  allTo,
  type GatewayProcess,
  startClients,
  startForwarder,
  startGateway,
  startUpstream,
  wsRuntime,
} from "./gateway_processes.ts";
import { type Figure, median, numberFlag, report, residentBytes } from "./measure.ts";

const connections = numberFlag("connections", 19_000);
const rounds = numberFlag("rounds", 1);

/** What the first ones take is not what the later ones do. */
const first = Math.min(1_000, connections >> 1);

/** Waits out collections of garbage. */
const settleMs = 4_000;

async function bytesPerConnection(
  start: (upstreamUrl: string) => Promise<GatewayProcess>,
): Promise<number> {
  const upstream = await startUpstream();
  const server = await start(upstream.url);
  const clients = await startClients();
  const at = { port: server.port, query: "" };
  await clients.open({ ...at, first: 0, count: first });
  await Bun.sleep(settleMs);
  const before = residentBytes(server.pid);
  await clients.open({ ...at, first, count: connections - first });
  await Bun.sleep(settleMs);
  const bytes = (residentBytes(server.pid) - before) / (connections - first);
  await clients.stop();
  await server.stop();
  await upstream.stop();
  return bytes;
}

const contestants = [
  {
    name: "freekill-gw",
    start: (url: string) => startGateway({ routes: allTo(url), persistFile: "" }),
    bytes: [] as number[],
    goal: { goal: { max: 1_600 } },
  },
  {
    name: "bare forwarder",
    start: (url: string) => startForwarder("bare", url),
    bytes: [] as number[],
    goal: {},
  },
  {
    name: `ws forwarder on ${wsRuntime}`,
    start: (url: string) => startForwarder("ws", url),
    bytes: [] as number[],
    goal: {},
  },
];
for (let round = 0; round < rounds; round++) {
  for (const { start, bytes } of contestants) bytes.push(await bytesPerConnection(start));
}
report(
  `Idle WebSocket connections, from ${first} to ${connections}`,
  contestants.map(({ name, bytes, goal }): Figure => ({
    name,
    value: median(bytes),
    unit: "bytes a connection",
    ...goal,
  })),
);
