import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StratixClient } from "../../src/sdk/stratix_client.ts";
import { WebSocket } from "ws";
import { ScriptedServer } from "./scripted_server.ts";
import { codeOf, isPending, SdkClient, withClient } from "./sdk_client.ts";

describe("StratixClient with the options of the old SDK", () => {
  it("asks for nothing that old gateways do not know, and encodes its id", async () => {
    await withClient({ clientId: "a b&v=2/ü" }, async ({ peer }) => {
      assert.deepEqual([...peer.url.searchParams], [["clientId", "a b&v=2/ü"]]);
      assert.equal(peer.url.pathname, "/ws");
    });
  });

  it("sends messages in the old shape, and keeps them until there is a connection", async () => {
    await ScriptedServer.with(async (server) => {
      const { client } = new SdkClient({ gatewayUrl: server.url });
      await client.send('first "quoted" 世界');
      await client.send(Uint8Array.of(0, 255, 1).buffer);
      assert.equal(client.getQueueSize(), 2);
      assert.equal(client.getConnectionState(), false);
      await client.connect();
      assert.equal(client.getConnectionState(), true);
      const peer = await server.peer();
      const first = await peer.nextJson();
      const members = ["type", "clientId", "messageId", "timestamp", "data", "contentType"];
      assert.deepEqual(Object.keys(first), [...members, "compressed"]);
      assert.deepEqual(
        { ...first, messageId: "", timestamp: 0 },
        {
          type: 0,
          clientId: "client-1",
          messageId: "",
          timestamp: 0,
          data: 'first "quoted" 世界',
          contentType: "text/plain",
          compressed: false,
        },
      );
      assert.match(String(peer.frames[0]), /"timestamp":\d{19},/);
      const second = await peer.nextJson();
      assert.equal(second.type, 1);
      assert.equal(second.data, "AP8B");
      assert.notEqual(first.messageId, second.messageId);
      assert.equal(client.getQueueSize(), 0);
      client.disconnect();
      assert.equal(client.getConnectionState(), false);
      assert.equal(await peer.untilClosed(), 1000);
    });
  });

  it("hands every frame to the user as it came, controls of strangers included", async () => {
    await withClient({}, async ({ peer, messages, until, errors }) => {
      const old =
        '{"type":0,"clientId":"client-1","messageId":"m","timestamp":1709078400000000000,' +
        '"data":"x","contentType":"text/plain","compressed":false}';
      const frames = [
        old,
        '{"type":2,"action":"history_complete","total":0}',
        '{"type":2,"action":"own","clientId":"client-1","data":"y"}',
        '{"type":2,"action":"ack","clientId":"client-1","messageId":"m"}',
      ];
      for (const frame of frames) peer.send(frame);
      peer.send("no json");
      peer.send("1");
      await until("two errors", () => errors.length === 2);
      assert.deepEqual(messages.map(({ info }) => info.text), frames);
      assert.deepEqual(messages[0]?.message, JSON.parse(old));
      assert.deepEqual(errors.map((error) => "code" in error && error.code), [
        "bad_frame",
        "bad_frame",
      ]);
    });
  });

  it("lets a handler that throws keep nobody else from the message", async () => {
    await withClient({}, async ({ client, peer, messages, errors, until }) => {
      client.onMessage(() => {
        throw new Error("mine");
      });
      const end = client.onMessage(() => assert.fail("this one is gone"));
      end();
      peer.send({ type: 0, data: "x" });
      await until("the error", () => errors.length === 1);
      assert.equal(errors[0]?.message, "mine");
      assert.equal(messages.length, 1);
    });
  });

  it("takes the WebSocket that it is given", async () => {
    await withClient({ WebSocket }, async ({ client, peer }) => {
      await client.send("x");
      assert.equal((await peer.nextJson()).data, "x");
    });
  });

  it("tries again at once where a WebSocket reports an error and no close, as Node 22 does", async () => {
    let attempts = 0;
    class Failing {
      onerror: (() => void) | null = null;
      constructor() {
        attempts++;
        queueMicrotask(() => this.onerror?.());
      }
      close(): void {}
    }
    const gatewayUrl = "ws://localhost/ws";
    const { client, until, errors } = new SdkClient({ gatewayUrl, WebSocket: Failing });
    assert.equal(await codeOf(client.connect()), "connect_failed");
    await until("three attempts", () => errors.length === 3);
    client.disconnect();
    assert.equal(attempts, 3);
  });

  it("refuses options that cannot be used", () => {
    const gatewayUrl = "ws://localhost";
    const wrong = [{ clientId: "" }, { clientId: "x".repeat(257) }, { queueMessagesMax: 0 }, {
      heartbeatInterval: NaN,
    }];
    for (const options of wrong) {
      assert.throws(
        () => new StratixClient({ clientId: "c", gatewayUrl, ...options }),
        RangeError,
        JSON.stringify(options),
      );
    }
    assert.throws(() => new StratixClient({ clientId: "c", gatewayUrl: "ftp://x" }), TypeError);
  });
});

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
});

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

describe("StratixClient's identity", () => {
  it("keeps the resume token for the next connection, and for the next run", async () => {
    const kept = new Map<string, string>();
    const given: string[] = [];
    const resumeStore = {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => kept.set(key, value),
    };
    const config = { resumeStore, onResumeToken: (token: string) => given.push(token) };
    await withClient(config, async ({ client, peer, server, messages, until }) => {
      assert.equal(peer.url.searchParams.get("v"), "2");
      assert.equal(peer.url.searchParams.has("resume"), false);
      peer.send({ type: 2, action: "welcome", resume: "secret" });
      peer.send({ type: 0, data: "behind it" });
      await until("the message", () => messages.length === 1);
      assert.equal(client.resumeToken, "secret");
      peer.terminate();
      assert.equal((await server.peer()).url.searchParams.get("resume"), "secret");
      assert.deepEqual(given, ["secret"]);
      assert.deepEqual([...kept.values()], ["secret"]);
      client.disconnect();
      const next = new SdkClient({ gatewayUrl: server.url, ...config });
      await next.client.connect();
      assert.equal((await server.peer()).url.searchParams.get("resume"), "secret");
      next.client.disconnect();
    });
  });

  it("gets a token for each connection, and shows a fresh one before it runs out", async () => {
    let calls = 0;
    const token = async () => jwt(++calls, Date.now() / 1_000 + 2);
    await withClient({ token }, async ({ peer, server }) => {
      assert.equal(peer.url.searchParams.get("token"), jwt(1, expOf(peer.url)));
      const frame = await peer.nextJson();
      assert.equal(frame.action, "auth");
      assert.equal(calls, 2);
      peer.close(1008, "token expired");
      const second = await server.peer();
      assert.equal(calls, 3);
      assert.notEqual(second.url.searchParams.get("token"), frame.token);
    });
  });

  it("can show the token as a subprotocol, which access logs leave out", async () => {
    await withClient({ token: "a.b.c", tokenIn: "protocol" }, async ({ peer }) => {
      assert.equal(peer.url.searchParams.has("token"), false);
      assert.equal(peer.protocol, "bearer");
    });
  });

  it("reports a token callback that fails, and tries again", async () => {
    let calls = 0;
    const token = () => {
      if (++calls === 1) throw new Error("no");
      return "t";
    };
    await ScriptedServer.with(async (server) => {
      const { client, errors } = new SdkClient({ gatewayUrl: server.url, token });
      assert.equal(await codeOf(client.connect()), "connect_failed");
      await server.peer();
      assert.equal("code" in errors[0]! && errors[0].code, "token_failed");
      client.disconnect();
    });
  });
});

describe("StratixClient's history", () => {
  it("tells stored messages from live ones, and asks for what it missed", async () => {
    const config = { loadHistory: true, historyLimit: 7, lastMessageId: "m0" };
    await withClient(config, async (stage) => {
      const { peer, server, messages, histories, gaps, until } = stage;
      const query = (url: URL) =>
        ["loadHistory", "lastMessageId", "limit"].map((name) => url.searchParams.get(name));
      assert.deepEqual(query(peer.url), ["true", "m0", "7"]);
      peer.send({ type: 0, clientId: "client-1", messageId: "m1", data: "old" });
      const end = { total: 1, oldestMessageId: "m1", newestMessageId: "m1" };
      peer.send({ type: 2, action: "history_complete", ...end, gap: true });
      peer.send({ type: 0, clientId: "client-1", messageId: "m2", data: "live" });
      await until("both", () => messages.length === 2);
      assert.deepEqual(messages.map(({ info }) => info.isHistory), [true, false]);
      assert.deepEqual(histories, [{ ...end, gap: true }]);
      assert.deepEqual(gaps, histories);
      peer.terminate();
      assert.deepEqual(query((await server.peer()).url), ["true", "m2", "7"]);
    });
  });
});

describe("StratixClient.messages()", () => {
  it("gives each message once, in order, and ends with the client", async () => {
    await withClient({}, async ({ client, peer }) => {
      const seen: string[] = [];
      const reading = (async () => {
        for await (const { data } of client) {
          seen.push(data);
          if (data === "b") client.disconnect();
        }
      })();
      for (const data of ["a", "b"]) peer.send({ type: 0, data });
      await reading;
      assert.deepEqual(seen, ["a", "b"]);
    });
  });

  it("ends by its signal, and by break, and leaves others alone", async () => {
    await withClient({}, async ({ client, peer }) => {
      const stop = new AbortController();
      const stopped = client.messages({ signal: stop.signal });
      const other = client.messages();
      const waiting = stopped.next();
      stop.abort();
      assert.equal((await waiting).done, true);
      peer.send({ type: 0, data: "x" });
      for await (const { data } of other) {
        assert.equal(data, "x");
        break;
      }
    });
  });

  it("throws iterator_full where nobody reads", async () => {
    await withClient({}, async ({ client, peer, messages, until }) => {
      const stream = client.messages();
      for (let i = 0; i <= 10_000; i++) peer.send('{"type":0,"data":""}');
      await until("all of them", () => messages.length === 10_001);
      for (let i = 0; i < 10_000; i++) await stream.next();
      assert.equal(await codeOf(stream.next()), "iterator_full");
      assert.equal((await stream.next()).done, true);
    });
  });
});

function jwt(id: number, exp: number): string {
  return `h.${btoa(JSON.stringify({ id, exp: Math.floor(exp) })).replace(/=+$/, "")}.s`;
}

function expOf(url: URL): number {
  const body = url.searchParams.get("token")?.split(".")[1] ?? "";
  return (JSON.parse(atob(body)) as { exp: number }).exp;
}
