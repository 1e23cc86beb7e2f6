import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { WebSocketConnection } from "../../src/ports/http.ts";
import {
  ClientRecorder,
  connectClient,
  type HttpUnderTest,
  Seen,
  until,
  withServer,
  withWebSocket,
} from "./http_recorder.ts";

/** What each WebSocket client must keep towards a server that keeps the rules; the fake's too. */
export function webSocketClientConformance(under: HttpUnderTest): void {
  const echo = {
    message: (c: WebSocketConnection<Seen>, message: string | Uint8Array) => void c.send(message),
  };

  describe(`${under.name} WebSocketClientPort.connect()`, () => {
    it("throws TypeError for what is no WebSocket URL", () => {
      for (const url of ["", "nonsense", "http://127.0.0.1/", "ws://", "ftp://127.0.0.1/"]) {
        const connect = () =>
          under.client().connect({
            url,
            connectTimeoutMs: 1000,
            messageBytesMax: 1000,
            handlers: new ClientRecorder(),
          });
        assert.throws(connect, TypeError, url);
      }
    });

    it("asks for path and query, offers the protocols, and opens after it returned", async () => {
      const react = {
        upgrade: () => ({ accept: true, data: new Seen(), protocol: "b" }) as const,
      };
      await withServer(under.http(), { react }, async ({ port, webSockets }) => {
        const { client, recorder } = connectClient(under, port, { protocols: ["a", "b"] });
        assert.deepEqual(recorder.events, []);
        assert.equal(client.send("too early"), false);
        await until(() => recorder.events.length > 0, "the outcome");
        assert.deepEqual(recorder.events, ["open"]);
        const request = webSockets.requests[0];
        assert.equal(request?.url.pathname, "/socket");
        assert.equal(request?.url.search, "?room=7");
        const offered = request?.headers.get("sec-websocket-protocol")?.split(/\s*,\s*/);
        assert.deepEqual(offered, ["a", "b"]);
        client.terminate();
      });
    });

    it("reports a port that nobody listens on as 1006 with the cause, after it returned", async () => {
      let free = 0;
      await withServer(under.http(), {}, async ({ port }) => void (free = port));
      const { client, recorder } = connectClient(under, free);
      assert.deepEqual(recorder.events, []);
      await until(() => recorder.closes.length > 0, "the close");
      assert.deepEqual(recorder.events, ["close"]);
      assert.equal(recorder.closes[0]?.code, 1006);
      assert.notEqual(recorder.closes[0]?.reason, "");
      assert.equal(client.send("nothing"), false);
    });

    for (const how of ["close", "terminate"] as const) {
      it(`is given up by ${how}(), which is 1006 while it is not open`, async () => {
        await withServer(under.http(), {}, async ({ port }) => {
          const { client, recorder } = connectClient(under, port);
          if (how === "close") client.close(1000, "changed my mind");
          else client.terminate();
          assert.deepEqual(recorder.events, []);
          await until(() => recorder.closes.length > 0, "the close");
          assert.deepEqual(recorder.events, ["close"]);
          assert.equal(recorder.closes[0]?.code, 1006);
        });
      });
    }
  });

  describe(`${under.name} WebSocketClientConnection`, () => {
    it("sends and gets text and bytes in order", async () => {
      await withWebSocket(under, { react: echo }, async ({ client, recorder }) => {
        const sent = ["text ü", Uint8Array.of(0, 255), "", new Uint8Array(70_000).fill(3)];
        for (const message of sent) assert.equal(client.send(message), true);
        await until(() => recorder.messages.length === sent.length, "the echoes");
        assert.deepEqual(recorder.messages, sent);
      });
    });

    it("send() has taken the bytes when it returns, and leaves them as they are", async () => {
      await withWebSocket(under, {}, async ({ client, seen }) => {
        const bytes = new Uint8Array(100_000).fill(1);
        client.send(bytes);
        assert.equal(bytes[0], 1);
        bytes.fill(2);
        await until(() => seen.messages.length > 0, "the message");
        assert.deepEqual(seen.messages, [new Uint8Array(100_000).fill(1)]);
      });
    });

    it("close() tells both sides the first code, once, and not within the call", async () => {
      await withWebSocket(under, { react: echo }, async ({ client, recorder, seen }) => {
        client.close(4010, "done");
        assert.deepEqual(recorder.closes, []);
        client.close(4011, "again");
        client.terminate();
        assert.equal(client.send("after"), false);
        await until(() => recorder.closes.length > 0 && seen.closes.length > 0, "both closes");
        assert.deepEqual(recorder.closes, [{ code: 4010, reason: "done" }]);
        assert.deepEqual(seen.closes, [{ code: 4010, reason: "done" }]);
        assert.equal(client.bufferedBytes, 0);
      });
    });

    it("close() refuses codes of no close frame", async () => {
      await withWebSocket(under, {}, async ({ client }) => {
        for (const code of [0, 1005, 1006, 5000]) {
          assert.throws(() => client.close(code, ""), RangeError);
        }
      });
    });

    it("terminate() is 1006 on both sides", async () => {
      await withWebSocket(under, {}, async ({ client, recorder, seen }) => {
        client.terminate();
        assert.deepEqual(recorder.events, ["open"]);
        await until(() => recorder.closes.length > 0 && seen.closes.length > 0, "both closes");
        assert.equal(recorder.closes[0]?.code, 1006);
        assert.equal(seen.closes[0]?.code, 1006);
      });
    });

    it("takes a message of messageBytesMax and closes with 1009 after a longer one", async () => {
      const options = { clientMessageBytesMax: 1000 };
      await withWebSocket(under, options, async ({ recorder, seen }) => {
        seen.open.send(new Uint8Array(1000));
        seen.open.send("é".repeat(501));
        seen.open.send("never seen");
        await until(() => recorder.closes.length > 0 && seen.closes.length > 0, "both closes");
        assert.deepEqual(recorder.messages, [new Uint8Array(1000)]);
        assert.deepEqual(recorder.closes, [{ code: 1009, reason: "message too big" }]);
        assert.equal(seen.closes[0]?.code, 1009);
      });
    });
  });
}
