import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ScriptedServer } from "./scripted_server.ts";
import { codeOf, SdkClient, withClient } from "./sdk_client.ts";

describe("StratixClient's connection", () => {
  for (const [code, expected] of [[4409, "replaced"], [1009, "too_big"]] as const) {
    it(`does not come back after ${code}`, async () => {
      await withClient({ acks: true }, async ({ client, peer, server, errors, disconnections }) => {
        const sent = client.send("x");
        await peer.next();
        peer.close(code, "because");
        assert.equal(await codeOf(sent), expected);
        assert.equal(client.state, "idle");
        assert.deepEqual(disconnections, [{ code, reason: "because", reconnectMs: undefined }]);
        assert.equal(errors.length, 1);
        await client.connect();
        await server.peer();
      });
    });
  }

  it("comes back when the gateway's hint says", async () => {
    await withClient({ acks: true }, async ({ peer, server, until, disconnections }) => {
      peer.send({ type: 2, action: "reconnect", afterMs: 37 });
      peer.close(1001, "going away");
      await server.peer();
      await until("the loss", () => disconnections.length === 1);
      assert.deepEqual(disconnections, [{ code: 1001, reason: "going away", reconnectMs: 37 }]);
    });
  });

  it("waits for a random part of a doubling time, and gives up in the end", async () => {
    const limits = { reconnectInterval: 8, maxReconnectInterval: 16, maxReconnectAttempts: 4 };
    await withClient(limits, async ({ client, peer, server, until, errors, disconnections }) => {
      server.refusal = 503;
      peer.terminate();
      await until("the end", () => client.state === "idle");
      assert.equal(server.refused, 4);
      assert((disconnections[0]?.reconnectMs ?? 99) <= 8);
      const codes = errors.map((error) => "code" in error && error.code);
      assert.deepEqual(codes, [...Array(3).fill("connect_failed"), "gave_up"]);
      const failed = codeOf(client.connect());
      assert.equal(await failed, "connect_failed");
      server.refusal = undefined;
      await server.peer();
    });
  });

  it("ends with the first attempt, or the first loss, without autoReconnect", async () => {
    await withClient({ autoReconnect: false }, async ({ client, peer, server, errors, until }) => {
      peer.terminate();
      await until("the end", () => errors.length === 1);
      assert.equal(client.state, "idle");
      server.refusal = 401;
      assert.equal(await codeOf(client.connect()), "connect_failed");
      assert.equal(client.state, "idle");
      assert.equal(server.refused, 1);
    });
  });

  it("counts as lost when nothing comes after a ping, of which one goes out each interval", async () => {
    const beat = { acks: true, heartbeatInterval: 1, heartbeatTimeout: 30 };
    await withClient(beat, async ({ peer, server, until, disconnections }) => {
      const startedAt = performance.now();
      assert.deepEqual(await peer.nextJson(), { type: 2, data: "ping" });
      assert(performance.now() - startedAt > 900, "an interval is 1,100 ms at least");
      const second = await server.peer();
      await until("the loss", () => disconnections.length === 1);
      assert.equal(disconnections[0]?.code, 1006);
      assert.deepEqual(await second.nextJson(), { type: 2, data: "ping" });
      second.send({ type: 2, action: "pong", timestamp: 1 });
      assert.deepEqual(await second.nextJson(), { type: 2, data: "ping" });
      assert.equal(server.peers.length, 2);
    });
  });

  it("gives no sign of a pong's absence to gateways that answer no pings", async () => {
    const beat = { heartbeatInterval: 1, heartbeatTimeout: 30 };
    await withClient(beat, async ({ peer, disconnections }) => {
      await peer.next();
      await peer.next();
      assert.deepEqual(disconnections, []);
    });
  });

  it("leaves no timer behind after disconnect(), in whatever state", async () => {
    const { setTimeout: set, clearTimeout: clear } = globalThis;
    const running = new Set<unknown>();
    const counting = (call: () => void, ms?: number) => {
      const timer = set(() => {
        running.delete(timer);
        call();
      }, ms);
      running.add(timer);
      return timer;
    };
    try {
      await ScriptedServer.with(async (server) => {
        const config = { acks: true, gatewayUrl: server.url, reconnectInterval: 60_000 };
        const open = new SdkClient({ ...config, heartbeatInterval: 5_000 });
        await open.client.connect();
        const early = new SdkClient(config);
        const waiting = new SdkClient({ ...config, gatewayUrl: "ws://127.0.0.1:1/ws" });
        Object.assign(globalThis, {
          setTimeout: counting,
          clearTimeout: (timer: unknown) => {
            running.delete(timer);
            clear(timer as number);
          },
        });
        assert.equal(await codeOf(waiting.client.connect()), "connect_failed");
        const connecting = codeOf(early.client.connect());
        const sent = codeOf(open.client.send("x"));
        assert(running.size >= 3, "there are timers before");
        for (const { client } of [open, early, waiting]) client.disconnect();
        assert.equal(running.size, 0);
        assert.equal(await connecting, "disconnected");
        assert.equal(await sent, "disconnected");
      });
    } finally {
      Object.assign(globalThis, { setTimeout: set, clearTimeout: clear });
    }
  });

  it("stays as it is when a handler of its error tells it to disconnect", async () => {
    const failing = new SdkClient({
      gatewayUrl: "ws://127.0.0.1:1/ws",
      token: () => Promise.reject(new Error("no token")),
    });
    failing.client.onError(() => failing.client.disconnect());
    assert.equal(await codeOf(failing.client.connect()), "disconnected");
    assert.equal(failing.client.state, "idle");
    assert.equal(failing.errors.length, 1);
  });

  it("takes Infinity for a time that is never over", async () => {
    const never = { connectTimeout: Infinity, heartbeatTimeout: Infinity, ackTimeout: Infinity };
    const token = () => new Promise<string>((resolve) => setTimeout(resolve, 50, "t"));
    await withClient({ ...never, acks: true, token }, async ({ client, peer, server }) => {
      const sent = client.send("x", { messageId: "m" });
      await peer.next();
      peer.ack("m");
      await sent;
      assert.equal(server.peers.length, 1);
    });
  });

  it("ends by its signal", async () => {
    const stop = new AbortController();
    await withClient({ signal: stop.signal }, async ({ client, peer }) => {
      stop.abort(new Error("enough"));
      assert.equal(client.state, "idle");
      assert.equal(await peer.untilClosed(), 1000);
      await assert.rejects(client.connect(), { message: "enough" });
    });
  });
});
