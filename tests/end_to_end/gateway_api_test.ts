import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { GatewayProgram } from "../gateway_tools/gateway_program.ts";
import { UpstreamServer } from "../gateway_tools/upstream_server.ts";
import { message, withGateway } from "./gateway_stage.ts";

const token = "an-operator's-token";
const sha256 = createHash("sha256").update(token).digest("hex");
const gatewayKeys = { api: { tokens: [`ops:write:${sha256}`], burstSize: 1_000 } };
const buffer = { upstreamAck: "none" };

interface Answer {
  readonly status: number;
  readonly json: Record<string, unknown>;
}

async function use(
  gateway: GatewayProgram,
  line: string,
  body?: unknown,
): Promise<Answer> {
  const [method = "", path = ""] = line.split(" ");
  const response = await fetch(`http://127.0.0.1:${gateway.port}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...body === undefined ? {} : { "content-type": "application/json" },
    },
    ...body === undefined ? {} : { body: JSON.stringify(body) },
  });
  return { status: response.status, json: await response.json() as Record<string, unknown> };
}

describe("gateway: API", () => {
  it("sends to clients and upstreams, lists and kicks, and writes down who did it", () =>
    withGateway({ gateway: gatewayKeys, buffer }, async ({ gateway, upstream }) => {
      const client = await gateway.client("a", "ack=1");
      const sent = await use(gateway, "POST /clients/a/messages", { data: "hi", messageId: "d1" });
      assert.deepEqual([sent.status, sent.json], [200, { outcome: "sent" }]);
      const got = await client.nextJson();
      assert.deepEqual([got.type, got.clientId, got.messageId, got.data], [0, "a", "d1", "hi"]);
      const nobody = await use(gateway, "POST /clients/nobody/messages", { data: "hi" });
      assert.equal(nobody.status, 404);

      const up = { data: "up", messageId: "u1", priority: 3 };
      const first = await use(gateway, "POST /clients/b/upstream-messages", up);
      assert.deepEqual([first.status, first.json], [200, { durable: true }]);
      const arrival = await upstream.arrival(0);
      assert.deepEqual([arrival.clientId, arrival.messageId], ["b", "u1"]);
      assert.equal((await use(gateway, "POST /clients/b/upstream-messages", up)).status, 200);
      const other = await use(gateway, "POST /clients/b/upstream-messages", { ...up, data: "x" });
      assert.deepEqual([other.status, other.json.code], [409, "duplicate_id"]);
      assert.equal(upstream.arrivals.length, 1);

      const history = (await use(gateway, "GET /clients/a/history")).json.messages as {
        message: string;
      }[];
      assert.equal(JSON.parse(history[0]?.message ?? "{}").messageId, "d1");
      const listed = (await use(gateway, "GET /connections")).json;
      assert.equal(listed.total, 1);
      assert.equal((await use(gateway, "GET /connections/a")).json.clientId, "a");
      assert.equal((await use(gateway, "DELETE /connections/a")).status, 200);
      assert.equal((await client.expectClose()).code, 1008);
      assert.equal((await use(gateway, "DELETE /connections/a")).status, 404);
      const kept = await use(gateway, "POST /clients/a/messages", { data: "2", messageId: "d2" });
      assert.deepEqual(kept.json, { outcome: "kept" });
      assert.equal((await (await gateway.client("a")).nextJson()).messageId, "d2");
      assert.deepEqual((await use(gateway, "GET /dead-letters")).json, { deadLetters: [] });
      const stats = (await use(gateway, "GET /stats")).json;
      assert.equal((stats.figures as Record<string, number>).connectionsActive, 1);

      await gateway.stop();
      const path = join(gateway.directory, "server/api.log");
      const uses = readFileSync(path, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
      assert.deepEqual([uses[0].who, uses[0].status, uses[0].target], [
        "ops",
        200,
        "/api/v1/clients/a/messages",
      ]);
      assert.equal(statSync(path).mode & 0o777, 0o600);
      assert.equal(JSON.stringify(uses).includes(token), false);
    }));

  it("changes routes while messages go, until the configuration is read again", () =>
    withGateway({ gateway: gatewayKeys, buffer }, async ({ gateway, upstream }) => {
      const other = await UpstreamServer.listen();
      try {
        const client = await gateway.client("a-1", "ack=1");
        const rule = { clientIdPrefix: "a-", upstream: other.url };
        const set = await use(gateway, "POST /routes", rule);
        assert.deepEqual(set.json, { routes: 2, persistent: false });
        client.sendJson(message("1"));
        assert.equal((await other.arrival(0)).messageId, "1");
        const wrong = await use(gateway, "POST /routes", {
          clientIdPrefix: "a",
          upstream: "http://x",
        });
        assert.equal(wrong.status, 400);
        assert.equal((await use(gateway, "GET /routes")).json.total, 2);
        const reload = await use(gateway, "POST /reload");
        assert.deepEqual([reload.status, reload.json.changed], [200, ["routes"]]);
        client.sendJson(message("2"));
        assert.equal((await upstream.arrival(0)).messageId, "2");
        assert.equal((await use(gateway, "DELETE /routes?clientIdPrefix=a-")).status, 404);
        assert.equal((await use(gateway, "DELETE /routes?clientIdPrefix=")).json.routes, 0);
        assert.equal((await use(gateway, "PUT /routes", { routes: [rule] })).json.routes, 1);
      } finally {
        await other.goAway();
      }
    }));
});
