import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ProgramKind } from "../client/game_program.ts";
import { message, takeAway, withGateway } from "./gateway_stage.ts";

const kinds: readonly ProgramKind[] = ["binary", "deno"];

const names = (
  "connectionsTotal connectionsActive messagesReceived messagesSent messagesFailed bytesReceived " +
  "bytesSent largeMessages largeMessageBytes rateLimitExceeded currentConnections " +
  "openclawConnections memoryUsedMB memoryLimitMB memoryPercent heapAllocMB heapSysMB " +
  "numGoroutine rateLimitClients rateLimitAvgTokens rateLimitQPS historyClients historyMessages " +
  "uptimeSeconds bufferDepth bufferCapacity bufferOldestSeconds acksSent duplicatesDropped " +
  "upstreamReconnects fsyncP99Ms forwardP50Ms forwardP99Ms eventLoopLagP99Ms"
).split(" ");

for (const kind of kinds) {
  describe(`gateway (${kind}): metrics`, () => {
    it("/metrics holds every field of the gateway, and the host's", () =>
      withGateway({ kind }, async ({ gateway }) => {
        const client = await gateway.client("a", "ack=1");
        await gateway.client("b");
        for (let i = 0; i < 10; i++) {
          client.sendJson(message(`${i}`, "x".repeat(100)));
          await client.next();
          await client.next();
        }
        client.sendJson(message("9", "x".repeat(100)));
        await client.next();
        client.sendText("nonsense");
        await client.next();
        await gateway.figureBecomes("bufferDepth", (depth) => depth === 0);
        const response = await gateway.get("/metrics");
        assert.match(response.headers.get("content-type") ?? "", /application\/json/);
        const all = await response.json() as Record<string, number>;
        for (const name of names) {
          assert.equal(typeof all[name], "number", name);
          assert.ok(Number.isFinite(all[name]) && (all[name] ?? -1) >= 0, `${name}: ${all[name]}`);
        }
        assert.equal(typeof all.accepted_connections, "number", "the host's fields");
        const exact = {
          connectionsTotal: 2,
          connectionsActive: 2,
          currentConnections: 2,
          openclawConnections: 1,
          messagesSent: 10,
          messagesFailed: 1,
          acksSent: 11,
          duplicatesDropped: 1,
          bufferDepth: 0,
          bufferCapacity: 1_000_000,
          upstreamReconnects: 0,
          numGoroutine: 0,
          memoryLimitMB: 2_048,
          rateLimitExceeded: 0,
        };
        for (const [name, value] of Object.entries(exact)) assert.equal(all[name], value, name);
        assert.ok((all.messagesReceived ?? 0) >= 11);
        assert.ok((all.bytesReceived ?? 0) >= 1_000);
        assert.ok((all.bytesSent ?? 0) >= 1_000);
        assert.ok((all.heapAllocMB ?? 0) > 0);
        assert.ok((all.fsyncP99Ms ?? 0) > 0 && (all.fsyncP99Ms ?? 0) < 10_000);
        assert.ok((all.forwardP99Ms ?? 0) >= (all.forwardP50Ms ?? 0));
        assert.ok((all.memoryPercent ?? 0) <= 100);
      }));

    it("/metrics is Prometheus text only where that is strictly preferred", () =>
      withGateway({ kind }, async ({ gateway }) => {
        const isText = async (accept: string, path = "/metrics") => {
          const response = await gateway.get(path, { accept });
          const type = response.headers.get("content-type") ?? "";
          const body = await response.text();
          if (/json/.test(type)) {
            assert.equal(typeof JSON.parse(body), "object");
            return false;
          }
          assert.match(body, /^# TYPE \S+ (counter|gauge|histogram|summary)$/m);
          assert.match(body, /^freekill_gw_\w*connections\w* \d+$/m);
          return true;
        };
        for (
          const accept of ["text/plain", "application/openmetrics-text", "text/plain, */*;q=0.1"]
        ) assert.equal(await isText(accept), true, accept);
        for (
          const accept of [
            "*/*",
            "application/json",
            "text/plain, */*",
            "application/json, text/plain;q=0.9",
            "text/html",
          ]
        ) assert.equal(await isText(accept), false, accept);
        assert.equal(await isText("*/*", "/metrics/prometheus"), true);
        const prometheus = await (await gateway.get("/metrics/prometheus")).text();
        assert.match(prometheus, /gateway/);
      }));

    it("Prometheus counts closed connections by reason, each of them from the start on", () =>
      withGateway({ kind }, async ({ gateway }) => {
        const closed = async (reason: string) => {
          const text = await (await gateway.get("/metrics/prometheus")).text();
          const name = "freekill_gw_gateway_connections_closed_total";
          return Number(
            new RegExp(`^${name}\\{reason="${reason}"\\} (\\d+)$`, "m").exec(text)?.[1],
          );
        };
        assert.deepEqual([await closed("lost"), await closed("replaced"), await closed("flood")], [
          0,
          0,
          0,
        ]);
        const first = await gateway.client("a");
        await gateway.client("a");
        assert.equal((await first.expectClose()).code, 4_409);
        (await gateway.client("b")).reset();
        await gateway.figureBecomes("connectionsActive", (active) => active === 1);
        assert.deepEqual([await closed("lost"), await closed("replaced"), await closed("flood")], [
          1,
          1,
          0,
        ]);
      }));

    it("messages count as sent when they have left, not when they wait", () =>
      withGateway({ kind, upstream: { answer: "ack" } }, async ({ gateway, upstream }) => {
        await takeAway({ gateway, upstream });
        const client = await gateway.client("a", "ack=1");
        for (let i = 0; i < 5; i++) {
          client.sendJson(message(`${i}`));
          await client.next();
        }
        assert.equal(await gateway.figure("messagesSent"), 0);
        assert.equal(await gateway.figure("bufferDepth"), 5);
        assert.equal(await gateway.figure("openclawConnections"), 0);
        await gateway.figureBecomes("bufferOldestSeconds", (seconds) => seconds > 0);
        await upstream.comeBack();
        await gateway.figureBecomes("messagesSent", (sent) => sent === 5);
        await gateway.figureBecomes("bufferDepth", (depth) => depth === 0);
      }));

    it("metrics.enabled false leaves only the host's figures", () =>
      withGateway({ kind, root: { metrics: { enabled: false } } }, async ({ gateway }) => {
        const figures = await (await gateway.get("/metrics")).json() as Record<string, unknown>;
        assert.ok("active_connections" in figures && !("messagesSent" in figures));
        const prometheus = await (await gateway.get("/metrics/prometheus")).text();
        assert.ok(prometheus.includes("active_connections"));
        assert.doesNotMatch(prometheus, /freekill_gw_gateway/);
      }));

    it("/health and its two others answer", () =>
      withGateway({ kind }, async ({ gateway }) => {
        const health = await gateway.get("/health");
        assert.equal(health.status, 200);
        assert.deepEqual(await health.json(), { status: "ok" });
        for (const path of ["/health/live", "/health/ready"]) {
          assert.equal((await gateway.get(path)).status, 200, path);
        }
      }));
  });
}
