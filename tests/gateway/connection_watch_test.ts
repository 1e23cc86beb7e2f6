import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClientConnection } from "../../src/gateway/client_connection.ts";
import type { ClientLedger } from "../../src/gateway/client_ledger.ts";
import { ConnectionRing } from "../../src/gateway/connection_ring.ts";
import { ConnectionWatch } from "../../src/gateway/connection_watch.ts";
import type { GatewayCore } from "../../src/gateway/gateway_types.ts";
import { MemoryAccount } from "../../src/gateway/memory_account.ts";
import { fakeClock } from "../fakes/clock.ts";
import { roomyGateway } from "./door_fixture.ts";

test("ConnectionWatch ends a client that reads a little, never has room for what comes next, and does not go round for it", () => {
  const clock = fakeClock();
  const ring = new ConnectionRing<ClientConnection>();
  // Less than half of the limit waits, but what is next is larger than all of it.
  const connection = {
    ringPlace: -1,
    heardAtMs: 0,
    isOpen: true,
    bufferedBytes: 10,
    client: { id: "a" },
    webSocket: { ping: () => {} },
  } as unknown as ClientConnection;
  const ended: string[] = [];
  let tries = 0;
  const watch: ConnectionWatch = new ConnectionWatch({
    config: { ...roomyGateway, outboundBytesMax: 1_000, slowConsumerSeconds: 5 },
    core: {
      drained: () => {
        tries++;
        watch.slow(connection);
      },
    } as unknown as GatewayCore,
    clock,
    memory: new MemoryAccount({ maxMemoryMB: 64, highWatermark: 0.8 }),
    ledger: { arrived: () => {} } as unknown as ClientLedger,
    ring,
    end: (which, { reason }) => {
      ended.push(reason);
      watch.left(which);
      ring.remove(which);
    },
  });
  ring.add(connection);
  watch.joined(connection);
  watch.slow(connection);
  clock.advance(4_900);
  assert.deepEqual(ended, []);
  assert.ok(tries >= 10 && tries <= 20, `${tries} tries, one a tick`);
  clock.advance(500);
  assert.deepEqual(ended, ["slow consumer"]);
});

test("ConnectionWatch pings all that are due, a few at a time", () => {
  const clock = fakeClock();
  const ring = new ConnectionRing<ClientConnection>();
  const pinged = new Map<string, number>();
  let atOnce = 0;
  const watch = new ConnectionWatch({
    config: { ...roomyGateway, heartbeatIntervalMs: 1_000, connectionTimeoutMs: 10_000 },
    core: {} as unknown as GatewayCore,
    clock,
    memory: new MemoryAccount({ maxMemoryMB: 64, highWatermark: 0.8 }),
    ledger: { arrived: () => {} } as unknown as ClientLedger,
    ring,
    end: () => assert.fail("nobody is silent for that long"),
  });
  const clients = Array.from({ length: 1_000 }, (_, number) => ({
    ringPlace: -1,
    heardAtMs: 0,
    isOpen: true,
    bufferedBytes: 0,
    client: { id: `${number}` },
    webSocket: {
      ping: () => {
        atOnce++;
        pinged.set(`${number}`, (pinged.get(`${number}`) ?? 0) + 1);
      },
    },
  } as unknown as ClientConnection));
  for (const client of clients) {
    ring.add(client);
    watch.joined(client);
  }
  let most = 0;
  for (let ms = 0; ms < 2_000; ms++) {
    clock.advance(1);
    most = Math.max(most, atOnce);
    atOnce = 0;
  }
  assert.ok(most <= 16, `${most} pings at once`);
  assert.equal(pinged.size, clients.length, "everybody is asked once in a round");
  watch.stop();
  assert.equal(clock.waiting, 0, "no timer is left");
});
