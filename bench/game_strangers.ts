/** What connections cost that never log in: their memory, and their attempts to be large. */
import {
  cpuSecondsSince,
  type Figure,
  median,
  numberFlag,
  report,
  residentBytes,
  threadTimes,
} from "./measure.ts";
import { holdLoad, runLoad, startServe } from "./processes.ts";

const connections = numberFlag("connections", 8_000);
const rounds = numberFlag("rounds", 2);
const oversized = 20;

/** Code that runs for the first time takes memory that is no connection's. */
const warmUpConnections = 50;
/** Waits out collections of garbage. */
const settleMs = 3_000;

const memory: number[] = [];
const cpuMs: number[] = [];
const grown: number[] = [];
for (let round = 0; round < rounds; round++) {
  const server = await startServe(["--tcp-port-mode", "game"]);
  const { port, pid } = server;
  await (await holdLoad("game_silent.ts", { port, connections: warmUpConnections })).release();
  await Bun.sleep(settleMs);
  const before = residentBytes(pid);
  const load = await holdLoad("game_silent.ts", { port, connections });
  await Bun.sleep(settleMs);
  memory.push((residentBytes(pid) - before) / connections);
  await load.release();
  await Bun.sleep(settleMs);
  await runLoad("game_oversize.ts", { port, rounds: 3 });
  const rss = residentBytes(pid);
  const timesBefore = threadTimes(pid);
  await runLoad("game_oversize.ts", { port, rounds: oversized });
  cpuMs.push(cpuSecondsSince(timesBefore, pid) * 1000 / oversized);
  grown.push((residentBytes(pid) - rss) / 2 ** 20);
  await server.stop();
}
const figures: Figure[] = [
  {
    name: `each of ${connections} silent connections`,
    value: median(memory),
    unit: "bytes",
    goal: { max: 2_500 },
  },
  {
    name: "50 MB under an announced 1 GB",
    value: median(cpuMs),
    unit: "ms CPU",
    goal: { max: 1 },
  },
  { name: `memory after ${oversized} of them`, value: median(grown), unit: "MB more" },
];
report(`Strangers, ${rounds} rounds`, figures);
