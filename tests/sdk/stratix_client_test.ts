import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StratixClient } from "../../src/sdk/stratix_client.ts";
import { WebSocket } from "ws";
import { ScriptedServer } from "./scripted_server.ts";
import { codeOf, SdkClient, withClient } from "./sdk_client.ts";

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

  it("ends with disconnect() and the signal of a client that has no connection", async () => {
    const stop = new AbortController();
    const config = { clientId: "c", gatewayUrl: "ws://127.0.0.1:1/ws", acks: true };
    const idle = new StratixClient(config);
    const aborted = new StratixClient({ ...config, signal: stop.signal });
    const waiting = [idle.messages().next(), aborted.messages().next()];
    const kept = codeOf(idle.send("x"));
    idle.disconnect();
    stop.abort(new Error("enough"));
    for (const reading of [...waiting, aborted.messages().next()]) {
      assert.equal((await reading).done, true);
    }
    assert.equal(await kept, "disconnected");
    await assert.rejects(aborted.send("x"), { message: "enough" });
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
