import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually } from "../gateway_tools/changes.ts";
import type { GatewayClient } from "../gateway_tools/gateway_client.ts";
import { message, takeAway, withGateway } from "./gateway_stage.ts";

describe("gateway: stopping", () => {
  it("SIGTERM tells modern clients to come again, flushes upstreams, closes with 1001, exits 0", () =>
    withGateway(
      { root: { drainSeconds: 3 }, upstream: { answer: "ack" } },
      async ({ gateway, upstream }) => {
        const modern = [];
        for (let i = 0; i < 20; i++) modern.push(await gateway.client(`modern ${i}`, "ack=1"));
        const old = await gateway.client("old");
        old.sendJson(message("hello"));
        await upstream.arrival(0);
        (await upstream.connection()).stopReading();
        const data = "x".repeat(50_000);
        for (const client of modern) {
          for (let i = 0; i < 20; i++) client.sendJson(message(`${i}`, data));
        }
        for (const client of modern) {
          for (let i = 0; i < 20; i++) assert.equal((await client.nextJson()).action, "ack");
        }
        const startedAt = performance.now();
        gateway.signal("SIGTERM");
        // Of those that it sends away one after the other, one of the last.
        const accepted = await sendUntilDraining(modern.at(-1));
        (await upstream.connection()).startReading();
        for (const client of modern) {
          const note = await client.nextJson();
          assert.equal(note.type, 2);
          assert.equal(note.action, "reconnect");
          assert.ok(Number(note.afterMs) >= 0, JSON.stringify(note));
          assert.equal((await client.expectClose()).code, 1_001);
          assert.deepEqual(client.unread(), []);
        }
        assert.equal((await old.expectClose()).code, 1_001);
        assert.deepEqual(old.texts, []);
        assert.equal(await gateway.ended, 0);
        const took = performance.now() - startedAt;
        assert.ok(took < 10_000, `${took} ms for a drain of 3 s`);
        assert.equal(upstream.arrivals.length, 401 + accepted);
        await gateway.start();
        assert.equal(await gateway.figure("bufferDepth"), 0, "all was delivered");
        assert.equal(upstream.arrivals.length, 401 + accepted);
      },
    ));

  it("while it drains it takes no connection", () =>
    withGateway(
      { root: { drainSeconds: 2 }, upstream: { answer: "ack" } },
      async ({ gateway }) => {
        const client = await gateway.client("a", "ack=1");
        gateway.signal("SIGTERM");
        await sendUntilDraining(client);
        await assert.rejects(gateway.client("b"), /refused with 503|ECONNREFUSED|ended before/);
        assert.equal((await client.nextJson()).action, "reconnect");
        assert.equal(await gateway.ended, 0);
      },
    ));

  it("few clients have all of drainSeconds, and an upstream that hangs has no more", () =>
    withGateway({ root: { drainSeconds: 3 } }, async ({ gateway, upstream }) => {
      const clients = [];
      for (const name of ["a", "b", "c"]) clients.push(await gateway.client(name, "ack=1"));
      clients[0]?.sendJson(message("first"));
      await upstream.arrival(0);
      (await upstream.connection()).stopReading();
      const startedAt = performance.now();
      const since = () => (performance.now() - startedAt) / 1_000;
      for (let i = 0; i < 20; i++) clients[0]?.sendJson(message(`${i}`, "x".repeat(1_000_000)));
      await gateway.figureBecomes("upstreamPending", (pending) => pending > 0);
      gateway.signal("SIGTERM");
      const signalled = since();
      const closedAt = await Promise.all(clients.map(async (client) => {
        while ((await client.nextJson()).action !== "reconnect");
        return since() - signalled;
      }));
      closedAt.sort((a, b) => a - b);
      for (const [n, at] of closedAt.entries()) {
        assert.ok(at >= n + 0.9 && at < n + 2, `closed at ${closedAt} s`);
      }
      assert.equal(await gateway.ended, 0);
      const took = since() - signalled;
      assert.ok(took >= 2.9 && took < 4.5, `${took} s for a drain of 3 s`);
    }));

  it("a second signal ends it at once, and nothing acknowledged is lost", () =>
    withGateway(
      { root: { drainSeconds: 60 }, upstream: { answer: "ack" } },
      async ({ gateway, upstream }) => {
        await takeAway({ gateway, upstream });
        const client = await gateway.client("a", "ack=1");
        for (let i = 0; i < 10; i++) client.sendJson(message(`${i}`));
        for (let i = 0; i < 10; i++) await client.next();
        gateway.signal("SIGTERM");
        await sendUntilDraining(client);
        const startedAt = performance.now();
        gateway.signal("SIGTERM");
        await gateway.ended;
        const took = performance.now() - startedAt;
        assert.ok(took < 5_000, `${took} ms`);
        await upstream.comeBack();
        await gateway.start();
        await upstream.arrival(9);
      },
    ));

  it("without drainSeconds SIGTERM closes with 1001 at once, and what was read is kept", () =>
    withGateway({ upstream: { answer: "ack" } }, async ({ gateway, upstream }) => {
      await takeAway({ gateway, upstream });
      const client = await gateway.client("a", "ack=1");
      const old = await gateway.client("b");
      for (let i = 0; i < 50; i++) client.sendJson(message(`${i}`));
      for (let i = 0; i < 50; i++) await client.next();
      assert.equal(await gateway.stop(), 0);
      assert.equal((await client.expectClose()).code, 1_001);
      assert.equal((await old.expectClose()).code, 1_001);
      await upstream.comeBack();
      await gateway.start();
      await upstream.arrival(49);
      await eventually("none is sent again", async () => await gateway.figure("bufferDepth") === 0);
      assert.equal(upstream.arrivals.length, 50);
    }));
});

/** Sends one message after the other until one is refused; how many were taken. */
async function sendUntilDraining(client: GatewayClient | undefined): Promise<number> {
  for (let taken = 0;; taken++) {
    client?.sendJson(message(`late ${taken}`));
    const answer = await client?.nextJson();
    if (answer?.action === "ack") continue;
    assert.equal(answer?.code, "draining", JSON.stringify(answer));
    return taken;
  }
}
