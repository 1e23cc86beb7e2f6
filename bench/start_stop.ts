/** How fast the binary starts and stops, what it costs when idle, and how big it is. */
import { statSync } from "node:fs";
import { cpuSecondsSince, median, numberFlag, report, threadTimes } from "./measure.ts";
import { binary, holdLoad, startServe } from "./processes.ts";

const versionRuns = numberFlag("version-runs", 30);
const rounds = numberFlag("rounds", 5);
const idleSeconds = numberFlag("idle-seconds", 10);
const openConnections = 1_000;

/** What is left over from the start: threads for a job end after a second, Lua gets ready. */
const settleMs = 5_000;

async function versionMs(): Promise<number> {
  const start = performance.now();
  const child = Bun.spawn([binary, "version"], { stdout: "ignore", stderr: "ignore" });
  if (await child.exited !== 0) throw new Error(`${binary} version failed`);
  return performance.now() - start;
}

async function idleCpuPercent(): Promise<number> {
  const server = await startServe();
  await Bun.sleep(settleMs);
  const before = threadTimes(server.pid);
  const start = performance.now();
  await Bun.sleep(idleSeconds * 1000);
  const used = cpuSecondsSince(before, server.pid);
  const percent = 100 * used / ((performance.now() - start) / 1000);
  await server.stop();
  return percent;
}

const version: number[] = [];
for (let run = 0; run < versionRuns; run++) version.push(await versionMs());

const ready: number[] = [];
const stop: number[] = [];
for (let round = 0; round < rounds; round++) {
  const game = await startServe();
  ready.push(game.readyMs);
  await game.stop();
  // The game lets few connections wait from one address.
  const server = await startServe(["--tcp-port-mode", "host"]);
  const load = await holdLoad("hold_connections.ts", {
    port: server.port,
    connections: openConnections,
  });
  stop.push(await server.stop());
  await load.release();
}

report("Start and stop", [
  { name: "version", value: median(version), unit: "ms", goal: { max: 15 } },
  { name: "version, fastest", value: Math.min(...version), unit: "ms" },
  { name: "serve: start to ready", value: median(ready), unit: "ms", goal: { max: 200 } },
  {
    name: `serve: SIGTERM to exit, ${openConnections} connections`,
    value: median(stop),
    unit: "ms",
    goal: { max: 300 },
  },
  {
    name: "serve: idle",
    value: await idleCpuPercent(),
    unit: "% of a core",
    goal: { max: 0.5 },
  },
  { name: "binary", value: statSync(binary).size / 1e6, unit: "MB", goal: { max: 120 } },
]);
