import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ScriptedServer } from "./scripted_server.ts";
import { codeOf, isPending, SdkClient, withClient } from "./sdk_client.ts";

describe("StratixClient.send() with acks", () => {
  it("resolves when the gateway has acknowledged the message, and not before", async () => {
    await withClient({ acks: true }, async ({ client, peer }) => {
      assert.equal(peer.url.searchParams.get("ack"), "1");
      const sent = client.send("x");
      const { messageId } = await peer.nextJson();
      assert(await isPending(sent));
      assert.equal(client.getQueueSize(), 1);
      peer.ack("another");
      peer.ack(messageId);
      assert.equal(await sent, messageId);
      assert.equal(client.getQueueSize(), 0);
    });
  });

  it("sends the same frames again after a reconnect, in order and before newer ones", async () => {
    await withClient({ acks: true }, async ({ client, server, peer }) => {
      const sent = ["a", "b", "c"].map((data) => client.send(data));
      const [, b] = [await peer.nextJson(), await peer.nextJson(), await peer.nextJson()];
      peer.ack(b?.messageId);
      await sent[1];
      const [a, , c] = peer.frames;
      peer.terminate();
      const late = client.send("d");
      const second = await server.peer();
      assert.equal(await second.next(), a);
      assert.equal(await second.next(), c);
      assert.equal((await second.nextJson()).data, "d");
      for (const frame of second.frames) second.ack(JSON.parse(String(frame)).messageId);
      await Promise.all([...sent, late]);
    });
  });

  it("rejects with the gateway's code when it is refused for good", async () => {
    await withClient({ acks: true }, async ({ client, peer }) => {
      const sent = client.send("x", { messageId: "m" });
      await peer.next();
      peer.send({ type: 2, action: "error", code: "no_route", message: "none", messageId: "m" });
      assert.equal(await codeOf(sent), "no_route");
    });
  });

  it("waits and sends again, in order, what is refused for now", async () => {
    await withClient({ acks: true }, async ({ client, peer }) => {
      const sent = ["a", "b", "c"].map((messageId) => client.send(messageId, { messageId }));
      for (const _ of sent) await peer.next();
      const refuse = (code: string, messageId: string) =>
        peer.send({ type: 2, action: "error", code, message: "not now", messageId });
      refuse("rate_limited", "b");
      refuse("overloaded", "a");
      peer.ack("c");
      await sent[2];
      assert.equal((await peer.nextJson()).messageId, "a");
      assert.equal((await peer.nextJson()).messageId, "b");
      peer.ack("a");
      peer.ack("b");
      await Promise.all(sent);
    });
  });

  it("has no more than inFlightMax messages on the way", async () => {
    await withClient({ acks: true, inFlightMax: 2 }, async ({ client, peer }) => {
      const sent = ["a", "b", "c"].map((messageId) => client.send(messageId, { messageId }));
      await peer.next();
      await peer.next();
      peer.send({ type: 0, data: "a round trip" });
      assert(await isPending(Promise.all(sent)));
      assert.equal(peer.frames.length, 2);
      peer.ack("a");
      assert.equal((await peer.nextJson()).messageId, "c");
      peer.ack("b");
      peer.ack("c");
      await Promise.all(sent);
    });
  });

  it("rejects with queue_full past the limits, with duplicate_id for an id under way", async () => {
    const limits = { acks: true, queueMessagesMax: 2, queueBytesMax: 1_000 };
    await withClient(limits, async ({ client, peer }) => {
      assert.equal(await codeOf(client.send("x".repeat(1_000))), "queue_full");
      const first = client.send("x", { messageId: "m" });
      assert.equal(await codeOf(client.send("y", { messageId: "m" })), "duplicate_id");
      const second = client.send("x");
      assert.equal(await codeOf(client.send("x")), "queue_full");
      for (const _ of [first, second]) peer.ack((await peer.nextJson()).messageId);
      await Promise.all([first, second]);
    });
  });

  it("rejects with ack_timeout when no acknowledgement comes on a living connection", async () => {
    await withClient({ acks: true, ackTimeout: 40 }, async ({ client }) => {
      assert.equal(await codeOf(client.send("x")), "ack_timeout");
      assert.equal(client.getQueueSize(), 0);
    });
  });

  it("gives a message up by its signal, and what waits by disconnect()", async () => {
    await withClient({ acks: true }, async ({ client, server, peer, until, disconnections }) => {
      const stop = new AbortController();
      const sent = client.send("x", { signal: stop.signal });
      await peer.next();
      stop.abort(new Error("enough"));
      await assert.rejects(sent, { message: "enough" });
      await assert.rejects(client.send("x", { signal: stop.signal }), { message: "enough" });
      peer.terminate();
      await until("the loss", () => disconnections.length === 1);
      const kept = client.send("kept");
      const second = await server.peer();
      assert.equal((await second.nextJson()).data, "kept");
      client.disconnect();
      assert.equal(await codeOf(kept), "disconnected");
    });
  });

  it("gives a message up by its signal where nothing is acknowledged, too", async () => {
    await ScriptedServer.with(async (server) => {
      const { client } = new SdkClient({ gatewayUrl: server.url });
      const stop = new AbortController();
      await client.send("given up", { signal: stop.signal });
      await client.send("kept", { signal: new AbortController().signal });
      stop.abort();
      assert.equal(client.getQueueSize(), 1);
      await client.connect();
      assert.equal((await (await server.peer()).nextJson()).data, "kept");
      client.disconnect();
    });
  });
});
