/**
 * A load of the SDK as it is published, in one process: `gateway_sdk.js '{"gatewayUrl":…,"seconds":…,
 * "perSecond":…}'`. Without `perSecond` it keeps as many messages under way as it may. Prints one JSON
 * object: what was acknowledged, how fast, and the CPU of this process.
 */
import process from "node:process";
import { StratixClient } from "../../src/sdk/stratix-client.js";

const { gatewayUrl, seconds, perSecond, inFlight } = JSON.parse(process.argv[2]);
// Node has one from version 22 on.
const { WebSocket } = globalThis.WebSocket === undefined ? await import("ws") : globalThis;
const client = new StratixClient({
  clientId: "sdk",
  gatewayUrl,
  acks: true,
  inFlightMax: inFlight,
  queueMessagesMax: 1_000_000,
  WebSocket,
});
await client.connect();
const data = "x".repeat(100);

/** In milliseconds, from the call of `send` to its end. */
let times = [];
async function send() {
  const start = performance.now();
  await client.send(data);
  times.push(performance.now() - start);
}

async function steady(until) {
  const start = performance.now();
  const under = [];
  for (let now = start; now < until; now = performance.now()) {
    const due = Math.floor((now - start) * perSecond / 1_000);
    while (under.length < due) under.push(send());
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(under);
}

async function saturated(until) {
  const lane = async () => {
    while (performance.now() < until) await send();
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
}

async function run(ms) {
  times = [];
  const cpu = process.cpuUsage();
  const start = performance.now();
  await (perSecond === undefined ? saturated : steady)(start + ms);
  const took = performance.now() - start;
  const used = process.cpuUsage(cpu);
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.floor(share * (times.length - 1))];
  return {
    acknowledged: times.length,
    perSecond: times.length / took * 1_000,
    cpuUs: (used.user + used.system) / times.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  };
}

await run(1_000);
const result = await run(seconds * 1_000);
client.disconnect();
console.log(JSON.stringify(result));
