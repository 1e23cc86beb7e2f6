/** The promises of the gateway from source on Deno, in short; acknowledgements, tokens, frames and
 * metrics have tests of their own that run there too. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { makeToken } from "../gateway/identity/token_maker.ts";
import { chunkFrames, someBytes } from "../gateway_tools/chunks.ts";
import { apiConfig, useApi } from "../gateway_tools/gateway_api.ts";
import type { ServerMessage } from "../gateway_tools/gateway_client.ts";
import { UpstreamServer } from "../gateway_tools/upstream_server.ts";
import { message, takeAway, unlimited, withGateway } from "./gateway_stage.ts";

const kind = "deno";
/** A link that has to find out whether its upstream acknowledges takes five seconds for it. */
const buffer = { upstreamAck: "none" };
const countTo = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

describe("gateway (deno)", () => {
  it("messages go to their upstream and back, in order, each acknowledged", () =>
    withGateway({ kind, buffer, gateway: unlimited }, async ({ gateway, upstream }) => {
      const ids = countTo(300);
      const clients = await Promise.all(["a", "b"].map((id) => gateway.client(id, "ack=1")));
      for (const client of clients) {
        for (const id of ids) client.sendJson(message(id, "x".repeat(Number(id) * 50)));
      }
      for (const client of clients) {
        const frames: ServerMessage[] = [];
        while (frames.length < 600) frames.push(await client.nextJson());
        const of = (isAck: boolean) =>
          frames.filter(({ action }) => (action === "ack") === isAck).map((frame) =>
            frame.messageId
          );
        assert.deepEqual([of(true), of(false)], [ids, ids]);
      }
      assert.equal(upstream.arrivals.length, 600);
      await gateway.figureBecomes("bufferDepth", (depth) => depth === 0);
    }));

  it("large messages go both ways, whole or in chunks, once", () =>
    withGateway({ kind, buffer }, async ({ gateway, upstream }) => {
      const data = someBytes(3_000_000);
      const base64 = Buffer.from(data).toString("base64");
      const sender = await gateway.client("a", "ack=1");
      const { start, chunks, end } = chunkFrames("m", data);
      for (const frame of [start, ...chunks, end]) sender.sendBinary(frame);
      const answers = [await sender.nextJson(), await sender.nextJson()];
      const echoed = answers.filter(({ action }) => action === undefined);
      assert.deepEqual(echoed.map((frame) => frame.data === base64), [true]);
      const taker = await gateway.client("b", "chunks=1");
      await upstream.send({ ...message("down", base64), type: 1, clientId: "b" });
      await upstream.send({ ...message("behind"), clientId: "b" });
      const frames: Uint8Array[] = [];
      while (frames.at(-1)?.[0] !== 3) frames.push((await taker.nextFrame()).payload);
      const parts = frames.slice(1, -1).map((frame) => frame.subarray(13));
      assert.ok(Buffer.concat(parts).equals(data));
      assert.equal((await taker.nextJson()).messageId, "behind");
      assert.deepEqual([sender.unread(), taker.unread()], [[], []]);
    }));

  it("kill -9: what was acknowledged and not delivered is delivered after the restart", () =>
    withGateway({ kind, upstream: { answer: "ack" } }, async (stage) => {
      const { gateway, upstream } = stage;
      const ids = countTo(200);
      const client = await gateway.client("a", "ack=1");
      await takeAway(stage);
      for (const id of ids) client.sendJson(message(id));
      for (const id of ids) assert.equal((await client.nextJson()).messageId, id);
      await gateway.kill();
      await gateway.start();
      const again = await gateway.client("a", "ack=1");
      again.sendJson(message("new"));
      assert.equal((await again.nextJson()).messageId, "new");
      await upstream.comeBack();
      await upstream.arrival(200);
      assert.deepEqual(upstream.arrivals.map(({ messageId }) => messageId), [...ids, "new"]);
    }));

  it("SIGHUP and a changed file move routes and limits, and disconnect nobody", () =>
    withGateway({ kind, buffer }, async ({ gateway, upstream }) => {
      const other = await UpstreamServer.listen();
      const to = ({ url }: UpstreamServer) => [{ clientIdPrefix: "", upstream: url }];
      try {
        const client = await gateway.client("a");
        // Read once, whether the signal or the watch on the file came first.
        gateway.configure({ routes: to(other), buffer, gateway: { messageBurst: 7 } });
        gateway.signal("SIGHUP");
        const changed = new Set((await gateway.reloaded()).changed as string[]);
        assert.deepEqual(changed, new Set(["routes", "gateway.messageBurst"]));
        client.sendJson(message("1"));
        assert.equal((await other.arrival(0)).messageId, "1");
        const before = gateway.log;
        gateway.configure({ routes: to(upstream), buffer, gateway: { messageBurst: 7 } });
        await gateway.logs(/"changed":\["routes"\]/);
        assert.doesNotMatch(before, /"changed":\["routes"\]/);
        client.sendJson(message("2"));
        assert.equal((await upstream.arrival(0)).messageId, "2");
        assert.equal(await gateway.figure("connectionsTotal"), 1);
      } finally {
        await other.goAway();
      }
    }));

  it("the API sends, lists, kicks and changes routes", () =>
    withGateway({ kind, buffer, gateway: { api: apiConfig } }, async ({ gateway, upstream }) => {
      const client = await gateway.client("a", "ack=1");
      const sent = await useApi(gateway, "POST /clients/a/messages", message("down", "hi"));
      assert.deepEqual(sent.json, { outcome: "sent" });
      assert.equal((await client.nextJson()).messageId, "down");
      const up = await useApi(gateway, "POST /clients/b/upstream-messages", message("up"));
      assert.deepEqual(up.json, { durable: true });
      assert.equal((await upstream.arrival(0)).clientId, "b");
      assert.equal((await useApi(gateway, "GET /connections")).json.total, 1);
      assert.equal((await useApi(gateway, "DELETE /connections/a")).status, 200);
      assert.equal((await client.expectClose()).code, 1008);
      const rule = { clientIdPrefix: "c", upstream: "echo:" };
      assert.equal((await useApi(gateway, "POST /routes", rule)).json.routes, 2);
      const echoed = await gateway.client("c");
      echoed.sendJson(message("1"));
      assert.equal((await echoed.nextJson()).route, "echo:");
      const reload = await useApi(gateway, "POST /reload");
      assert.deepEqual(reload.json.changed, ["routes"]);
    }));

  it("a history is replayed to who shows a token, after a restart too, live messages behind", () => {
    const secret = "a secret of the end-to-end tests, long enough";
    const exp = Math.floor(Date.now() / 1_000) + 600;
    const token = makeToken({ sub: "a", exp }, { alg: "HS256", secret });
    const gateway = { ...unlimited, jwt: { secret } };
    return withGateway({ kind, gateway, upstream: { answer: "silent" } }, async (stage) => {
      const { gateway, upstream } = stage;
      const ids = countTo(100);
      const first = await gateway.client("a", `token=${token}`);
      for (const id of ids) first.sendJson(message(id, "x".repeat(50_000)));
      await upstream.arrival(99);
      assert.equal(await gateway.stop(), 0);
      await gateway.start();
      await upstream.connection();
      const refused = await gateway.refused({ clientId: "a", query: "loadHistory=true" });
      assert.equal(refused.status, 401);
      const client = await gateway.client("a", `loadHistory=true&token=${token}`);
      client.stopReading();
      for (const id of ids) await upstream.send({ ...message(`live ${id}`), clientId: "a" });
      await gateway.figureBecomes("historyMessages", (count) => count === 200);
      client.startReading();
      const { messages, end } = await client.replay();
      assert.deepEqual([messages.map(({ messageId }) => messageId), end.total], [ids, 100]);
      for (const id of ids) assert.equal((await client.nextJson()).messageId, `live ${id}`);
      assert.deepEqual(client.unread(), []);
    });
  });

  it("SIGTERM commits what was read, tells clients to come again and ends with 0", () =>
    withGateway({ kind, buffer, root: { drainSeconds: 1 } }, async (stage) => {
      const { gateway, upstream } = stage;
      const client = await gateway.client("a", "v=2&ack=1");
      assert.equal((await client.nextJson()).action, "welcome");
      client.sendJson(message("1"));
      await upstream.arrival(0);
      const ended = gateway.stop();
      const frames = [];
      while (frames.at(-1) !== "reconnect") frames.push((await client.nextJson()).action);
      assert.ok(frames.includes("ack"), frames.join(" "));
      assert.equal((await client.expectClose()).code, 1001);
      assert.equal(await ended, 0);
    }));
});
