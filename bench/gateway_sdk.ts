/**
 * The SDK in one Node process: acknowledged messages of 100 bytes a second, each durable on the
 * gateway's disk, and the CPU that they take there and here.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { allTo, journal, startUpstream } from "./gateway_processes.ts";
import {
  cpuSecondsSince,
  type Figure,
  median,
  numberFlag,
  report,
  threadTimes,
} from "./measure.ts";
import { freePort, startServe } from "./processes.ts";

const seconds = numberFlag("seconds", 3);
const rounds = numberFlag("rounds", 3);
const inFlight = numberFlag("in-flight", 256);
const perSecond = numberFlag("rate", 10_000);
/** Below 22 it takes the WebSocket of `ws`. */
const node = process.env.FREEKILL_GW_NODE ?? Bun.which("node") ?? process.execPath;

interface SdkResult {
  readonly acknowledged: number;
  readonly perSecond: number;
  readonly cpuUs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const directory = mkdtempSync(join(tmpdir(), "freekill-gw-bench-"));
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
const upstream = await startUpstream({ answer: "none" });
const config = join(directory, "freekill-gw.json");
const { persistFile, buffer } = journal;
// One client sends what a thousand would.
const gateway = { messagesPerSecond: 0, history: { enabled: false } };
const routes = allTo(upstream.url);
writeFileSync(config, JSON.stringify({ gateway, routes, buffer: { persistFile, ...buffer } }));
const httpPort = await freePort();
const server = await startServe(["--config", config], { directory, httpPort });
const gatewayUrl = `ws://127.0.0.1:${httpPort}/ws`;

const steady: (SdkResult & { serverUs: number })[] = [];
const saturated: (SdkResult & { serverUs: number })[] = [];
for (let round = 0; round < rounds; round++) {
  steady.push(await load({ perSecond }));
  saturated.push(await load({}));
}
await server.stop();
await upstream.stop();

async function load(pace: { perSecond?: number }) {
  const before = threadTimes(server.pid);
  const options = { gatewayUrl, seconds, inFlight, ...pace };
  const path = join(import.meta.dir, "load/gateway_sdk.js");
  const child = Bun.spawn([node, path, JSON.stringify(options)], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  if (await child.exited !== 0) throw new Error(`the load ended with ${child.exitCode}`);
  const result = JSON.parse(text) as SdkResult;
  // The load's warm-up of a second is in the server's time.
  const share = seconds / (seconds + 1);
  const serverUs = cpuSecondsSince(before, server.pid) * 1e6 * share / result.acknowledged;
  return { ...result, serverUs };
}

function figures(name: string, runs: typeof steady, goal?: number): Figure[] {
  const of = (value: (run: typeof runs[number]) => number) => median(runs.map(value));
  return [
    {
      name: `${name}: acknowledged`,
      value: of((run) => run.perSecond),
      unit: "/s",
      ...(goal === undefined ? {} : { goal: { min: goal } }),
    },
    { name: `${name}: CPU a message in the client`, value: of((run) => run.cpuUs), unit: "µs" },
    { name: `${name}: CPU a message in the gateway`, value: of((run) => run.serverUs), unit: "µs" },
    { name: `${name}: acknowledged p50`, value: of((run) => run.p50Ms), unit: "ms" },
    { name: `${name}: acknowledged p99`, value: of((run) => run.p99Ms), unit: "ms" },
  ];
}

const version = Bun.spawnSync([node, "--version"]).stdout.toString().trim();
report(`SDK in one process (${version}), ${rounds} × ${seconds} s`, [
  ...figures(`at ${perSecond}/s`, steady),
  ...figures(`${inFlight} under way`, saturated, 10_000),
]);
