import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { apiConfig, apiToken, useApi as use } from "../gateway_tools/gateway_api.ts";
import { UpstreamServer } from "../gateway_tools/upstream_server.ts";
import { message, withGateway } from "./gateway_stage.ts";

const gatewayKeys = { api: apiConfig };
const buffer = { upstreamAck: "none" };

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
      const ping = { type: 2, data: "ping", messageId: "u2" };
      const answered = await use(gateway, "POST /clients/b/upstream-messages", ping);
      assert.deepEqual([answered.status, answered.json.code], [400, "bad_message"]);
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
      assert.equal(JSON.stringify(uses).includes(apiToken), false);
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

  it("shows what was acknowledged and given up, as JSON", () =>
    withGateway({
      gateway: gatewayKeys,
      buffer: { ttlSeconds: 1 },
      // Nobody answers there.
      routes: () => [{ clientIdPrefix: "", upstream: "ws://127.0.0.1:1/" }],
    }, async ({ gateway }) => {
      const client = await gateway.client("a", "ack=1");
      client.sendJson({ ...message("m1", "x"), own: [1] });
      assert.equal((await client.nextJson()).action, "ack");
      let letters: Record<string, unknown>[] = [];
      while (letters.length === 0) {
        await Bun.sleep(50);
        const { json } = await use(gateway, "GET /dead-letters?limit=5");
        letters = json.deadLetters as Record<string, unknown>[];
      }
      const [letter] = letters;
      assert.deepEqual(
        [letter?.reason, letter?.direction, letter?.clientId, letter?.messageId],
        ["expired", "up", "a", "m1"],
      );
      const kept = JSON.parse(String(letter?.message)) as Record<string, unknown>;
      assert.deepEqual([kept.type, kept.messageId, kept.data, kept.own], [0, "m1", "x", [1]]);
    }));
});
