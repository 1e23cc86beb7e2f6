import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { judgeDelivery } from "../gateway_tools/delivery_faults.ts";
import { LoadClient } from "../gateway_tools/load_client.ts";
import { unlimited, withGateway } from "./gateway_stage.ts";

const kills = Number(process.env.FREEKILL_GW_KILLS ?? 20);
const seed = Number(process.env.FREEKILL_GW_TEST_SEED ?? Date.now() % 1_000_000);

const clientCount = 8;
const windowMax = 64;
/** A random moment is drawn within this time after the start. */
const lifeMsMax = 400;
/** Of the kills, those while the upstream is away. */
const awayShare = 0.5;
/** Pongs of an upstream that never acknowledges count from 5 s after the start on. Shorter lives
 * alone would fill the log, and clients would be refused. */
const backlogMax = 30_000;
/** Promised are 2,000; this leaves a busy machine its time, and the figure is printed. */
const readyMsMax = 5_000;

describe("gateway: kill -9 under load", () => {
  for (const answer of ["ack", "echo"] as const) {
    const share = answer === "ack" ? Math.ceil(kills / 2) : Math.floor(kills / 2);
    const by = answer === "ack" ? "acknowledges" : "only echoes";
    it(
      `nothing acknowledged is lost or out of order in ${share} kills, by an upstream that ${by}`,
      { timeout: 120_000 + kills * 10_000 },
      () =>
        withGateway({ gateway: unlimited, upstream: { answer } }, async ({ gateway, upstream }) => {
          console.log(`seed ${seed} (FREEKILL_GW_TEST_SEED)`);
          const random = randomOf(seed + (answer === "ack" ? 0 : 1));
          const clients = Array.from({ length: clientCount }, (_, n) =>
            new LoadClient({
              port: gateway.port,
              clientId: `client ${n}`,
              windowMax,
              dataBytes: n === 0 ? 20_000 : 100,
            }));
          const readyMs: number[] = [];
          const acknowledged = () =>
            clients.reduce((sum, client) => sum + client.acknowledged.size, 0);
          try {
            for (const client of clients) client.sendUpTo(Infinity);
            for (let i = 0; i < share; i++) {
              const before = acknowledged();
              await Promise.all(
                clients.map((client) => client.until("its connection", () => client.isConnected)),
              );
              await clients[1]?.until("some acks", () => acknowledged() > before);
              await passed(random() * lifeMsMax);
              if (await gateway.figure("bufferDepth") > backlogMax) {
                await gateway.figureBecomes("bufferDepth", (depth) => depth < backlogMax);
              }
              // What comes while the upstream is away is in the log alone.
              const isAway = random() < awayShare;
              if (isAway) await upstream.goAway();
              if (isAway) await passed(random() * lifeMsMax);
              await gateway.kill();
              readyMs.push(await gateway.start());
              if (isAway) await upstream.comeBack();
            }
            await Promise.all(clients.map((client) => client.settled(60_000)));
            await gateway.figureBecomes("bufferDepth", (depth) => depth === 0);
            const { faults, delivered, repeated } = judgeDelivery(clients, upstream.arrivals);
            const slowest = Math.round(Math.max(...readyMs));
            console.log(
              `${share} kills: ${acknowledged()} acknowledged, ${delivered} delivered, ` +
                `${repeated} repeated; ready again within ${slowest} ms`,
            );
            assert.deepEqual(faults, []);
            assert.deepEqual(clients.flatMap(({ errors }) => errors).slice(0, 3), []);
            assert.ok(slowest <= readyMsMax, `ready again only after ${slowest} ms`);
          } finally {
            for (const client of clients) client.end();
          }
        }),
    );
  }
});

function passed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
