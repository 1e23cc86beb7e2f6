import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { ProgramKind } from "../client/game_program.ts";
import { eventually } from "../gateway_tools/changes.ts";
import { message, takeAway, withGateway } from "./gateway_stage.ts";

const kinds: readonly ProgramKind[] = ["binary", "deno"];

for (const kind of kinds) {
  describe(`gateway (${kind}): acknowledgements`, () => {
    it("an ack comes to who asks for it, by the URL or by the message", () =>
      withGateway({ kind, upstream: { answer: "ack" } }, async ({ gateway, upstream }) => {
        const asking = await gateway.client("asking", "ack=1");
        const plain = await gateway.client("plain");
        asking.sendJson(message("m1"));
        assert.deepEqual(await asking.nextJson(), { type: 2, action: "ack", messageId: "m1" });
        plain.sendJson(message("m1"));
        plain.sendJson({ ...message("m2"), ack: false });
        await upstream.arrival(2);
        asking.sendJson({ type: 0, data: "without an id" });
        asking.sendJson(message('q"é\\'));
        assert.equal((await asking.nextJson()).messageId, 'q"é\\');
        plain.sendJson({ ...message("m3"), ack: true });
        await upstream.arrival(5);
        // An ack frame goes to modern connections only.
        const modern = await gateway.client("modern", "v=2");
        await modern.next();
        modern.sendJson(message("m1"));
        modern.sendJson({ ...message("m2"), ack: true });
        assert.equal((await modern.nextJson()).messageId, "m2");
        const all = asking.unread().concat(modern.unread());
        assert.deepEqual(all, []);
        await gateway.figureBecomes("acksSent", (count) => count >= 3);
      }));

    it("a repetition is acknowledged again and not forwarded again", () =>
      withGateway({ kind, upstream: { answer: "ack" } }, async ({ gateway, upstream }) => {
        const client = await gateway.client("a", "ack=1");
        for (let i = 0; i < 5; i++) {
          client.sendJson(message("m", "same"));
          assert.equal((await client.nextJson()).messageId, "m");
        }
        client.sendJson(message("m", "different"));
        const error = await client.nextJson();
        assert.deepEqual([error.action, error.code], ["error", "duplicate_id"]);
        const other = await gateway.client("b", "ack=1");
        other.sendJson(message("m", "of another client"));
        assert.equal((await other.nextJson()).messageId, "m");
        client.sendJson(message("end"));
        assert.equal((await client.nextJson()).messageId, "end");
        await upstream.until("the last one", () => upstream.arrivals.length >= 3);
        assert.deepEqual(
          upstream.arrivals.map(({ clientId, messageId }) => `${clientId} ${messageId}`),
          ["a m", "b m", "a end"],
        );
        assert.equal(await gateway.figure("duplicatesDropped"), 4);
      }));

    it("a repetition by an old client, which asks for no ack, is another message", () =>
      withGateway({ kind, upstream: { answer: "ack" } }, async ({ gateway, upstream }) => {
        const client = await gateway.client("a");
        for (let i = 0; i < 3; i++) client.sendJson(message("m", `${i}`));
        await upstream.arrival(2);
        assert.deepEqual(
          upstream.arrivals.map(({ text }) => JSON.parse(text).data),
          ["0", "1", "2"],
        );
      }));

    it("a repetition is known as one after kill -9, delivered or not", () =>
      withGateway({ kind, upstream: { answer: "ack" } }, async ({ gateway, upstream }) => {
        const client = await gateway.client("a", "ack=1");
        client.sendJson(message("delivered", "d"));
        await client.next();
        await gateway.figureBecomes("bufferDepth", (depth) => depth === 0);
        await takeAway({ gateway, upstream });
        client.sendJson(message("waiting", "w"));
        assert.equal((await client.nextJson()).messageId, "waiting");
        await gateway.kill();
        await upstream.comeBack();
        await gateway.start();
        const again = await gateway.client("a", "ack=1");
        for (const [id, data] of [["delivered", "d"], ["waiting", "w"]] as const) {
          again.sendJson(message(id, data));
          assert.deepEqual(await again.nextJson(), { type: 2, action: "ack", messageId: id });
          again.sendJson(message(id, "other"));
          assert.equal((await again.nextJson()).code, "duplicate_id");
        }
        again.sendJson(message("end"));
        await again.next();
        await upstream.until(
          "the last one",
          () => upstream.arrivals.some(({ messageId }) => messageId === "end"),
        );
        await gateway.figureBecomes("bufferDepth", (depth) => depth === 0);
        const ids = upstream.arrivals.map(({ messageId }) => messageId);
        // At least once: what the upstream had acknowledged just before the kill may come again.
        assert.deepEqual([...new Set(ids)], ["delivered", "waiting", "end"]);
        assert.equal(ids.filter((id) => id === "waiting").length, 1);
      }));

    it("an acknowledged message survives kill -9 while its upstream is away", () =>
      withGateway({ kind, upstream: { answer: "ack" } }, async ({ gateway, upstream }) => {
        await takeAway({ gateway, upstream });
        const client = await gateway.client("a", "ack=1");
        const count = 500;
        for (let i = 0; i < count; i++) client.sendJson(message(`${i}`, `data ${i}`));
        for (let i = 0; i < count; i++) assert.equal((await client.nextJson()).messageId, `${i}`);
        assert.equal(await gateway.figure("bufferDepth"), count);
        await gateway.kill();
        await gateway.start();
        assert.equal(await gateway.figure("bufferDepth"), count);
        await upstream.comeBack();
        await upstream.arrival(count - 1);
        assert.deepEqual(
          upstream.arrivals.map(({ messageId, text }) => `${messageId} ${JSON.parse(text).data}`),
          Array.from({ length: count }, (_, i) => `${i} data ${i}`),
        );
        for (const { text } of upstream.arrivals) {
          assert.equal(JSON.parse(text).clientId, "a");
          assert.equal(JSON.parse(text).route, upstream.url);
        }
      }));
  });
}

describe("gateway: delivery", () => {
  it("without a file nothing is acknowledged, and all is forwarded", () =>
    withGateway({ buffer: { persistFile: "" } }, async ({ gateway }) => {
      const client = await gateway.client("a", "ack=1");
      client.sendJson(message("m"));
      client.sendJson(message("n"));
      assert.equal((await client.nextJson()).data, "");
      assert.equal((await client.nextJson()).messageId, "n");
      assert.equal(await gateway.figure("acksSent"), 0);
    }));

  it("what an upstream that acknowledges has not acknowledged comes again, in order", () =>
    withGateway(
      { upstream: { answer: "ack" }, buffer: { upstreamAck: "required" } },
      async ({ gateway, upstream }) => {
        const client = await gateway.client("a", "ack=1");
        client.sendJson(message("1"));
        await upstream.arrival(0);
        await gateway.figureBecomes("bufferDepth", (depth) => depth === 0);
        upstream.answer = "silent";
        for (const id of ["2", "3", "4"]) client.sendJson(message(id));
        await upstream.arrival(3);
        await upstream.send({ type: 2, action: "ack", clientId: "a", messageId: "3" });
        await gateway.figureBecomes("bufferDepth", (depth) => depth === 2);
        await takeAway({ gateway, upstream });
        upstream.answer = "ack";
        await upstream.comeBack();
        client.sendJson(message("5"));
        await gateway.figureBecomes("bufferDepth", (depth) => depth === 0);
        const ids = upstream.arrivals.map(({ messageId }) => messageId);
        assert.deepEqual(ids, ["1", "2", "3", "4", "2", "4", "5"]);
        assert.ok(await gateway.figure("upstreamReconnects") >= 1);
      },
    ));

  it("an upstream that never acknowledges confirms by its pongs, and not before", () =>
    withGateway(
      { upstream: { answer: "silent", answersPings: false }, buffer: { upstreamAck: "none" } },
      async ({ gateway, upstream }) => {
        const client = await gateway.client("a", "ack=1");
        for (let i = 0; i < 10; i++) client.sendJson(message(`${i}`));
        await upstream.arrival(9);
        for (let i = 0; i < 10; i++) await client.next();
        assert.equal(await gateway.figure("bufferDepth"), 10, "sent is not delivered");
        await takeAway({ gateway, upstream });
        upstream.answersPings = true;
        await upstream.comeBack();
        await gateway.figureBecomes("bufferDepth", (depth) => depth === 0);
        const again = upstream.arrivals.slice(10).map(({ messageId }) => Number(messageId));
        assert.deepEqual(again, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      },
    ));

  it("a full buffer rejects with overloaded, and takes messages again when it has room", () =>
    withGateway(
      { buffer: { size: 5 }, upstream: { answer: "ack" } },
      async ({ gateway, upstream }) => {
        await takeAway({ gateway, upstream });
        const client = await gateway.client("a", "ack=1");
        for (let i = 0; i < 8; i++) client.sendJson(message(`${i}`));
        const answers = [];
        for (let i = 0; i < 8; i++) answers.push(await client.nextJson());
        const acked = answers.filter(({ action }) => action === "ack");
        assert.deepEqual(acked.map(({ messageId }) => messageId), ["0", "1", "2", "3", "4"]);
        const errors = answers.filter(({ action }) => action === "error");
        assert.deepEqual(errors.map(({ code }) => code), Array(3).fill("overloaded"));
        await upstream.comeBack();
        await gateway.figureBecomes("bufferDepth", (depth) => depth === 0);
        client.sendJson(message("5"));
        assert.deepEqual(await client.nextJson(), { type: 2, action: "ack", messageId: "5" });
        await upstream.arrival(5);
        const ids = upstream.arrivals.map(({ messageId }) => messageId);
        assert.deepEqual(ids, ["0", "1", "2", "3", "4", "5"]);
      },
    ));

  it("with drop-oldest a full buffer keeps the newest", () =>
    withGateway(
      { buffer: { size: 5, overflow: "drop-oldest" }, upstream: { answer: "ack" } },
      async ({ gateway, upstream }) => {
        await takeAway({ gateway, upstream });
        const client = await gateway.client("a", "ack=1");
        for (let i = 0; i < 8; i++) client.sendJson(message(`${i}`));
        for (let i = 0; i < 8; i++) await client.next();
        await upstream.comeBack();
        await gateway.figureBecomes("bufferDepth", (depth) => depth === 0);
        await upstream.arrival(4);
        const ids = upstream.arrivals.map(({ messageId }) => messageId);
        assert.deepEqual(ids, ["3", "4", "5", "6", "7"]);
      },
    ));

  it("a message that is older than ttlSeconds is not delivered any more", () =>
    withGateway(
      { buffer: { ttlSeconds: 1 }, upstream: { answer: "ack" } },
      async ({ gateway, upstream }) => {
        await takeAway({ gateway, upstream });
        const client = await gateway.client("a", "ack=1");
        client.sendJson(message("old"));
        await client.next();
        await gateway.figureBecomes("bufferDepth", (depth) => depth === 0);
        await upstream.comeBack();
        await gateway.figureBecomes("openclawConnections", (open) => open === 1);
        client.sendJson(message("new"));
        assert.equal((await upstream.arrival(0)).messageId, "new");
      },
    ));

  it("the log's files are nobody else's to read", () =>
    withGateway({}, async ({ gateway }) => {
      const client = await gateway.client("a", "ack=1");
      client.sendJson(message("m"));
      await client.next();
      const directory = join(gateway.directory, "data");
      assert.equal(statSync(join(directory, "buffer.log.000001")).mode & 0o777, 0o600);
      assert.equal(statSync(directory).mode & 0o777, 0o700);
    }));
});

describe("gateway: messages for clients that are away", () => {
  it("they are sent on the return, in order, before new ones, also over a restart", () =>
    withGateway({ upstream: { answer: "silent" } }, async ({ gateway, upstream }) => {
      const client = await gateway.client("a");
      client.sendJson(message("hello"));
      await upstream.arrival(0);
      await client.close();
      await gateway.figureBecomes("connectionsActive", (active) => active === 0);
      for (let i = 0; i < 20; i++) await upstream.send({ ...message(`${i}`), clientId: "a" });
      await upstream.send({ type: 0, clientId: "a", data: "without an id" });
      await upstream.send({ ...message("x"), clientId: "never seen" });
      await gateway.figureBecomes("waitingMessages", (count) => count === 20);
      const [bystander] = [await gateway.client("b", "ack=1")];
      bystander.sendJson(message("flush"));
      await bystander.next();
      assert.equal(await gateway.stop(), 0);
      await gateway.start();
      await eventually("the link is there again", () => upstream.connections.length > 0);
      const again = await gateway.client("a");
      await upstream.send({ ...message("new"), clientId: "a" });
      for (let i = 0; i < 20; i++) assert.equal((await again.nextJson()).messageId, `${i}`);
      assert.equal((await again.nextJson()).messageId, "new");
      await again.close();
      const third = await gateway.client("a");
      await upstream.send({ ...message("last"), clientId: "a" });
      assert.equal((await third.nextJson()).messageId, "last", "nothing is sent twice");
    }));

  it("they are bounded for each client", () =>
    withGateway(
      { upstream: { answer: "silent" }, gateway: { waiting: { perClient: 10 } } },
      async ({ gateway, upstream }) => {
        const client = await gateway.client("a");
        client.sendJson(message("hello"));
        await upstream.arrival(0);
        await client.close();
        await gateway.figureBecomes("connectionsActive", (active) => active === 0);
        for (let i = 0; i < 50; i++) await upstream.send({ ...message(`${i}`), clientId: "a" });
        const marker = await gateway.client("b");
        marker.sendJson(message("hello"));
        await upstream.arrival(1);
        await upstream.send({ ...message("behind them"), clientId: "b" });
        await marker.next();
        const again = await gateway.client("a");
        await upstream.send({ ...message("end"), clientId: "a" });
        const ids: unknown[] = [];
        while (ids.at(-1) !== "end") ids.push((await again.nextJson()).messageId);
        assert.equal(ids.length, 11, ids.join(" "));
      },
    ));
});
