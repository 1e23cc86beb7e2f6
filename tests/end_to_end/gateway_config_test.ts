import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { GatewayProgram } from "../gateway_tools/gateway_program.ts";
import { UpstreamServer } from "../gateway_tools/upstream_server.ts";
import { binary, runProgram, withDirectory } from "./run_program.ts";

/** The original's configuration, with a value for each key that it knows. */
function originalConfig(upstreamUrl: string): Record<string, unknown> {
  return {
    gateway: {
      maxConnections: 1_000,
      connectionTimeout: "90s",
      heartbeatInterval: 15_000_000_000,
      maxMessageSize: 52_428_800,
      upstreamMaxMessageSize: 75_497_472,
      readBufferSize: 4_096,
      writeBufferSize: 4_096,
      rateLimit: { enabled: true, requestsPerSecond: 1_000, burstSize: 2_000 },
      security: { allowedOrigins: [], enableCompression: false, maxControlFrameSize: 125 },
      history: {
        enabled: true,
        maxTotalMB: 1_024,
        maxPerClient: 500,
        maxMsgSizeKB: 64,
        cleanupHours: 24,
      },
    },
    routes: [{ clientIdPrefix: "client-", openclawGateway: upstreamUrl }],
    buffer: { size: 1_000, persistFile: "data/buffer.log" },
    metrics: { enabled: true, logInterval: "60s" },
    memory: { maxMemoryMB: 2_048, gcInterval: "30s", highWatermark: 0.8 },
  };
}

describe("gateway: configuration", () => {
  it("the original's configuration is read as it is, gateway.listen and all", async () => {
    const upstream = await UpstreamServer.listen();
    const options = { config: originalConfig(upstream.url), isListenKey: true };
    try {
      await GatewayProgram.with(options, async (gateway) => {
        const client = await gateway.client("client-1");
        client.sendJson({ type: 0, messageId: "m", data: "x" });
        assert.equal((await client.nextJson()).data, "x");
        assert.equal(await gateway.figure("bufferCapacity"), 1_000);
        const notices = gateway.log.split("\n").filter((line) => line.includes("readBufferSize"));
        assert.equal(notices.length, 1, gateway.log);
        for (const key of ["writeBufferSize", "maxControlFrameSize", "gcInterval"]) {
          assert.ok(notices[0]?.includes(key), `${key} in ${notices[0]}`);
        }
      });
    } finally {
      await upstream.goAway();
    }
  });

  it("without any of its sections there is no gateway", () =>
    GatewayProgram.with({ config: {} }, async (gateway) => {
      const { status } = await gateway.refused({ clientId: "a" });
      assert.ok(status >= 400 && status < 500, `${status}`);
      assert.equal((await gateway.get("/health")).status, 200);
    }));

  const wrong: readonly [string, Record<string, unknown>, RegExp][] = [
    ["a size of 0", { buffer: { size: 0 } }, /buffer\.size/],
    ["an unknown key", { gateway: { maxConections: 5 } }, /gateway\.maxConections/],
    ["a duration without a unit", { gateway: { heartbeatInterval: "15" } }, /heartbeatInterval/],
    ["a watermark of 2", { memory: { highWatermark: 2 } }, /memory\.highWatermark/],
    ["a way to sync that is none", { buffer: { fsync: "perhaps" } }, /buffer\.fsync/],
    ["a route without an upstream", { routes: [{ clientIdPrefix: "a" }] }, /routes/],
    [
      "an upstream of another scheme",
      { routes: [{ clientIdPrefix: "", upstream: "ftp://127.0.0.1/" }] },
      /routes.*(ws:|wss:)/s,
    ],
  ];
  for (const [name, config, fault] of wrong) {
    it(`${name} stops the start with the path, what was found and what is allowed`, () =>
      withDirectory(async (cwd) => {
        const all = { tcp_port: 0, http_port: 8_080, gateway: {}, ...config };
        writeFileSync(join(cwd, "freekill-gw.json"), JSON.stringify(all));
        const outcome = await runProgram([binary, "serve"], { cwd });
        assert.equal(outcome.exitCode, 2, outcome.stderr);
        assert.match(outcome.stderr, fault);
        assert.equal(outcome.stdout, "");
      }));
  }
});
