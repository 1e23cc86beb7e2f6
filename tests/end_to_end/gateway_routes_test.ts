import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { UpstreamServer } from "../gateway_tools/upstream_server.ts";
import { message, takeAway, withGateway } from "./gateway_stage.ts";

/** Runs `use` with so many upstreams that are gone afterwards. */
async function withUpstreams(
  count: number,
  use: (upstreams: UpstreamServer[]) => Promise<void>,
): Promise<void> {
  const upstreams: UpstreamServer[] = [];
  for (let i = 0; i < count; i++) upstreams.push(await UpstreamServer.listen());
  try {
    await use(upstreams);
  } finally {
    for (const upstream of upstreams) await upstream.goAway();
  }
}

function urlOf(upstream: UpstreamServer | undefined): string {
  return upstream?.url ?? "";
}

describe("gateway: routes", () => {
  it('the longest prefix wins, of two alike the first, and "" takes the rest', () =>
    withUpstreams(4, ([a, b, c, d]) =>
      withGateway({
        routes: (rest) => [
          { clientIdPrefix: "", openclawGateway: rest.url },
          { clientIdPrefix: "client-1", openclawGateway: urlOf(a) },
          { clientIdPrefix: "client-1-1000", upstream: urlOf(b) },
          { clientIdPrefix: "client-1-1000", upstream: urlOf(c) },
          { clientIdPrefix: "客", upstream: urlOf(d) },
        ],
      }, async ({ gateway, upstream }) => {
        const wanted: readonly [string, UpstreamServer | undefined][] = [
          ["client-1-1000", b],
          ["client-1-1000-7", b],
          ["client-1-100", a],
          ["client-1", a],
          ["client-", upstream],
          ["Client-1-1000", upstream],
          ["客户", d],
        ];
        for (const [clientId, target] of wanted) {
          const client = await gateway.client(clientId);
          client.sendJson({ type: 0, data: clientId });
          assert.equal((await client.nextJson()).data, clientId);
          const last = target?.arrivals.at(-1);
          assert.equal(last?.clientId, clientId);
          assert.equal(JSON.parse(last?.text ?? "{}").route, target?.url);
        }
        assert.equal(c?.arrivals.length, 0);
      })));

  it("a message without a route is counted and answered with no_route", () =>
    withGateway({
      routes: ({ url }) => [{ clientIdPrefix: "known-", upstream: url }],
    }, async ({ gateway, upstream }) => {
      const failed = await gateway.figure("messagesFailed");
      const stranger = await gateway.client("stranger", "ack=1");
      const old = await gateway.client("another stranger");
      stranger.sendJson(message("m"));
      const error = await stranger.nextJson();
      assert.deepEqual([error.type, error.action, error.code], [2, "error", "no_route"]);
      old.sendJson(message("m"));
      await gateway.figureBecomes("messagesFailed", (now) => now === failed + 2);
      const known = await gateway.client("known-1");
      known.sendJson(message("m"));
      assert.equal((await known.nextJson()).messageId, "m");
      assert.equal(upstream.arrivals.length, 1);
      assert.deepEqual(old.unread(), []);
    }));

  it("echo: answers by itself", () =>
    withGateway(
      { routes: () => [{ clientIdPrefix: "", upstream: "echo:" }] },
      async ({ gateway }) => {
        const client = await gateway.client("a", "ack=1");
        client.sendJson({ ...message("m", "hello"), extra: [1] });
        const got = [await client.nextJson(), await client.nextJson()];
        const echo = got.find(({ type }) => type === 0);
        assert.equal(echo?.data, "hello");
        assert.equal(echo?.clientId, "a");
        assert.deepEqual(echo?.extra, [1]);
        assert.equal(got.find(({ type }) => type === 2)?.action, "ack");
      },
    ));

  it("an answer goes only to clients that are routed to who gives it", () =>
    withUpstreams(1, ([other]) =>
      withGateway({
        routes: ({ url }) => [
          { clientIdPrefix: "mine-", upstream: url },
          { clientIdPrefix: "other-", upstream: urlOf(other) },
        ],
      }, async ({ gateway, upstream }) => {
        const mine = await gateway.client("mine-1");
        const theirs = await gateway.client("other-1");
        for (const client of [mine, theirs]) {
          client.sendJson(message("hello"));
          await client.next();
        }
        const strays = [
          { type: 0, clientId: "other-1", data: "stray" },
          { type: 0, clientId: "nobody", data: "stray" },
          { type: 0, data: "stray" },
          { type: 0, clientId: 5, data: "stray" },
          { type: 2, action: "ack", clientId: "other-1", messageId: "hello" },
          ["stray"],
          null,
          "stray",
        ];
        for (const stray of strays) await upstream.send(stray);
        (await upstream.connection()).sendText(`{"clientId":"mine-1","data":"stray"`);
        await upstream.send({ type: 0, clientId: "mine-1", data: "owned" });
        assert.equal((await mine.nextJson()).data, "owned");
        await other?.send({ type: 0, clientId: "other-1", data: "owned" });
        assert.equal((await theirs.nextJson()).data, "owned");
        assert.equal(upstream.opened, 1, "the link stayed");
      })));

  it("a client that never sent anything gets what its upstream sends", () =>
    withGateway({}, async ({ gateway, upstream }) => {
      const client = await gateway.client("a");
      await upstream.send({ type: 0, clientId: "a", data: "first" });
      assert.equal((await client.nextJson()).data, "first");
    }));

  it("an acknowledgement counts only from the upstream that has the message", () =>
    withUpstreams(1, ([other]) =>
      withGateway({
        upstream: { answer: "silent", answersPings: false },
        buffer: { upstreamAck: "required" },
        routes: ({ url }) => [
          { clientIdPrefix: "mine-", upstream: url },
          { clientIdPrefix: "other-", upstream: urlOf(other) },
        ],
      }, async ({ gateway, upstream }) => {
        if (other !== undefined) other.answer = "silent";
        const mine = await gateway.client("mine-1");
        const theirs = await gateway.client("other-1");
        mine.sendJson(message("m"));
        theirs.sendJson(message("hello"));
        await upstream.arrival(0);
        await other?.arrival(0);
        await other?.send({ type: 2, action: "ack", clientId: "mine-1", messageId: "m" });
        await other?.send({ type: 2, action: "ack", clientId: "other-1", messageId: "hello" });
        await gateway.figureBecomes("bufferDepth", (depth) => depth === 1);
        await upstream.send({ type: 2, action: "ack", clientId: "mine-1", messageId: "m" });
        await gateway.figureBecomes("bufferDepth", (depth) => depth === 0);
        assert.deepEqual([...mine.unread(), ...theirs.unread()], [], "acks are not for clients");
      })));

  for (const strategy of ["hash", "round-robin", "least-pending"]) {
    it(`several upstreams by ${strategy} share the clients and keep each one's order`, () =>
      withUpstreams(3, (upstreams) =>
        withGateway({
          routes: () => [
            { clientIdPrefix: "", upstreams: upstreams.map(({ url }) => url), strategy },
          ],
        }, async ({ gateway }) => {
          for (const upstream of upstreams) upstream.answer = "ack_echo";
          const counts = new Map<string, Set<number>>();
          const clients = await Promise.all(
            Array.from({ length: 30 }, (_, n) => gateway.client(`client ${n}`)),
          );
          for (let i = 0; i < 20; i++) {
            for (const client of clients) client.sendJson(message(`${i}`));
          }
          for (const client of clients) {
            for (let i = 0; i < 20; i++) await client.next();
          }
          for (const [at, upstream] of upstreams.entries()) {
            const last = new Map<string, number>();
            for (const { clientId, messageId } of upstream.arrivals) {
              assert.ok((last.get(clientId) ?? -1) < Number(messageId), `${clientId} in order`);
              last.set(clientId, Number(messageId));
              counts.set(clientId, (counts.get(clientId) ?? new Set()).add(at));
            }
          }
          const total = upstreams.reduce((sum, { arrivals }) => sum + arrivals.length, 0);
          assert.equal(total, 600);
          const used = upstreams.filter(({ arrivals }) => arrivals.length > 0).length;
          assert.ok(used >= 2, `${used} of 3 are used`);
          if (strategy !== "hash") return;
          for (const [clientId, places] of counts) assert.equal(places.size, 1, clientId);
        })));
  }

  it("a message of higher priority overtakes others that wait for the same upstream", () =>
    withGateway({ gateway: { priorityMax: 5 } }, async ({ gateway, upstream }) => {
      const client = await gateway.client("a", "ack=1");
      await takeAway({ gateway, upstream });
      const sent = [["1", 0], ["2", 0], ["3", 3], ["4", 9], ["5", 5], ["6", 0]] as const;
      for (const [messageId, priority] of sent) {
        client.sendJson({ ...message(messageId), priority });
      }
      for (const [messageId] of sent) assert.equal((await client.nextJson()).messageId, messageId);
      await upstream.comeBack();
      await upstream.arrival(sent.length - 1);
      // 9 counts as 5, the highest that is allowed here.
      assert.deepEqual(
        upstream.arrivals.map(({ messageId }) => messageId),
        ["4", "5", "3", "1", "2", "6"],
      );
    }));
});
