/**
 * 1,000,000 acknowledged messages that wait for an upstream which is away: memory, a start with them
 * after kill -9, and their delivery when the upstream comes.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cpuUs, refuseLosses } from "./gateway_contest.ts";
import {
  allTo,
  type GatewayProcess,
  journal,
  startClients,
  startGateway,
  startUpstream,
} from "./gateway_processes.ts";
import { numberFlag, report, residentBytes } from "./measure.ts";
import { freePort } from "./processes.ts";

const messages = numberFlag("messages", 1_000_000);
const clients = numberFlag("clients", 1_000);
const window = numberFlag("window", 16);

/** Waits out collections of garbage. */
const settleMs = 2_000;
const deliveryMsMax = 120_000;

const upstreamPort = await freePort();
const directory = mkdtempSync(join(tmpdir(), "freekill-gw-bench-"));
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
const options = {
  directory,
  routes: allTo(`ws://127.0.0.1:${upstreamPort}/`),
  ...journal,
  buffer: { ...journal.buffer, size: messages },
};

async function depth(server: GatewayProcess): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${server.port}/metrics`);
  return (await response.json() as { bufferDepth: number }).bufferDepth;
}

async function refuseDepth(server: GatewayProcess, when: string): Promise<void> {
  const found = await depth(server);
  if (found !== messages) throw new Error(`${when} ${found} of ${messages} messages wait`);
}

const before = await startGateway(options);
const empty = residentBytes(before.pid);
const load = await startClients();
await load.open({ port: before.port, first: 0, count: clients, query: "&ack=1" });
const run = await load.saturate({
  messages,
  window,
  awaited: "ack",
  watch: { server: before.pid },
});
refuseLosses("freekill-gw", [run]);
await load.stop();
await refuseDepth(before, "before the restart");
await Bun.sleep(settleMs);
const full = residentBytes(before.pid);
await before.kill();

const after = await startGateway(options);
await refuseDepth(after, "after the restart");
await Bun.sleep(settleMs);
const restarted = residentBytes(after.pid);

const upstream = await startUpstream({ answer: "none", port: upstreamPort });
const arrived = async () => (await upstream.received()).total;
const giveUpAt = performance.now() + deliveryMsMax;
while (await arrived() === 0 && performance.now() < giveUpAt) await Bun.sleep(5);
const firstAt = performance.now();
while (await arrived() < messages && performance.now() < giveUpAt) await Bun.sleep(50);
const deliveryS = (performance.now() - firstAt) / 1000;
const delivered = await arrived();
await upstream.stop();
await after.stop();
if (delivered < messages) throw new Error(`${delivered} of ${messages} messages were delivered`);

const count = messages.toLocaleString("en-US");
report(`Gateway with ${count} messages of ${run.messageBytes} bytes waiting`, [
  {
    name: "memory with all waiting",
    value: full / 2 ** 20,
    unit: "MiB",
    goal: { max: 400 },
  },
  { name: "of it, more than at the start", value: (full - empty) / 2 ** 20, unit: "MiB" },
  { name: "kill -9, start to ready", value: after.readyMs, unit: "ms", goal: { max: 5_000 } },
  { name: "memory then", value: restarted / 2 ** 20, unit: "MiB", goal: { max: 400 } },
  { name: "taken in: CPU a message", value: cpuUs(run), unit: "µs" },
  { name: "taken in", value: run.messages / run.seconds, unit: "/s" },
  { name: "delivered when the upstream came", value: messages / deliveryS, unit: "/s" },
]);
