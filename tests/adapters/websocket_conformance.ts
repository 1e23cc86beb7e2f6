import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type UpgradeDecision,
  upgradesPendingMax,
  webSocketCloseByAdapter,
} from "../../src/ports/http.ts";
import {
  connectClient,
  type HttpUnderTest,
  Seen,
  settle,
  until,
  withServer,
  withWebSocket,
} from "./http_recorder.ts";

/** All that each server's WebSockets must keep towards any peer, and the fake's with them. */
export function webSocketConformance(under: HttpUnderTest): void {
  describe(`${under.name} WebSocketConnection`, () => {
    it("is upgraded by what upgrade() decides from URL, headers and address", async () => {
      await withWebSocket(under, {}, async ({ webSockets, seen, port, fetched }) => {
        const request = webSockets.requests[0];
        assert.equal(request?.url.href, `http://127.0.0.1:${port}/socket?room=7`);
        assert.equal(request?.href, `http://127.0.0.1:${port}/socket?room=7`);
        assert.equal(request?.headers.get("upgrade")?.toLowerCase(), "websocket");
        assert.equal(request?.remoteHost, "127.0.0.1");
        assert.equal(seen.open.remoteHost, "127.0.0.1");
        assert.equal(seen.open.remotePort, request?.remotePort);
        assert.deepEqual(fetched, []);
      });
    });

    it("is refused with the owner's response, and then never opens", async () => {
      const react = {
        upgrade: () =>
          ({ accept: false, response: new Response("no\n", { status: 403 }) }) as const,
      };
      await withServer(under.http(), { react }, async ({ port, webSockets }) => {
        const { recorder } = connectClient(under, port);
        await until(() => recorder.closes.length > 0, "the refusal");
        assert.deepEqual(recorder.events, ["close"]);
        assert.equal(recorder.closes[0]?.code, 1006);
        assert.equal(webSockets.opened.length, 0);
      });
    });

    it("waits for what upgrade() promises, and opens or refuses then", async () => {
      const decide: ((accept: boolean) => void)[] = [];
      const react = {
        upgrade: () =>
          new Promise<UpgradeDecision<Seen>>((resolve) =>
            decide.push((accept) =>
              resolve(
                accept
                  ? { accept, data: new Seen(), protocol: "b" }
                  : { accept, response: refused() },
              )
            )
          ),
      };
      const refused = () => new Response("no\n", { status: 401 });
      await withServer(under.http(), { react }, async ({ port, webSockets, errors }) => {
        const first = connectClient(under, port, { protocols: ["a", "b"] });
        const second = connectClient(under, port);
        await until(() => decide.length === 2, "both to be asked for");
        assert.deepEqual([webSockets.opened.length, first.recorder.events.length], [0, 0]);
        decide[1]?.(webSockets.requests[1]?.headers.has("sec-websocket-protocol") === true);
        decide[0]?.(webSockets.requests[0]?.headers.has("sec-websocket-protocol") === true);
        await until(() => second.recorder.closes.length > 0, "the refusal");
        const seen = await webSockets.first();
        await until(() => first.recorder.events.length > 0, "the client to open");
        assert.deepEqual([first.recorder.events, second.recorder.events], [["open"], ["close"]]);
        seen.open.send("hello");
        first.client.send("hello back");
        await until(() => seen.messages.length + first.recorder.messages.length === 2, "messages");
        assert.deepEqual([webSockets.opened.length, errors], [1, []]);
        first.client.terminate();
      });
    });

    it("reports and answers 500 when what upgrade() promised is broken", async () => {
      const fault = new Error("secret detail");
      const react = { upgrade: () => Promise.reject(fault) };
      await withServer(under.http(), { react }, async ({ port, errors }) => {
        const { recorder } = connectClient(under, port);
        await until(() => recorder.closes.length > 0, "the refusal");
        assert.deepEqual([recorder.closes[0]?.code, errors], [1006, [fault]]);
      });
    });

    it("survives peers that leave, and a server that closes, while upgrade() decides", async () => {
      const decide: (() => void)[] = [];
      const react = {
        upgrade: () =>
          new Promise<UpgradeDecision<Seen>>((resolve) =>
            decide.push(() => resolve({ accept: true, data: new Seen() }))
          ),
      };
      await withServer(under.http(), { react }, async (served) => {
        const { port, webSockets, errors, server } = served;
        const gone = connectClient(under, port);
        await until(() => decide.length === 1, "the first");
        gone.client.terminate();
        await settle(served, under);
        decide[0]?.();
        await settle(served, under);
        // It may have opened for a moment.
        await until(() => webSockets.opened.every((seen) => seen.closes.length === 1), "its end");
        const late = connectClient(under, port);
        await until(() => decide.length === 2, "the second");
        await server.close();
        decide[1]?.();
        await until(() => late.recorder.closes.length > 0, "its end");
        await until(() => webSockets.opened.every((seen) => seen.closes.length === 1), "its end");
        assert.deepEqual(errors, []);
      });
    });

    it("lets only so many upgrades wait, and takes them again when one is decided", async () => {
      const decide: (() => void)[] = [];
      const react = {
        upgrade: () =>
          new Promise<UpgradeDecision<Seen>>((resolve) =>
            decide.push(() =>
              resolve({ accept: false, response: new Response("no\n", { status: 401 }) })
            )
          ),
      };
      await withServer(under.http(), { react }, async ({ port, webSockets }) => {
        const clients = Array.from(
          { length: upgradesPendingMax + 1 },
          () => connectClient(under, port),
        );
        const closed = () => clients.filter(({ recorder }) => recorder.closes.length > 0).length;
        await until(() => decide.length === upgradesPendingMax && closed() === 1, "one refusal");
        decide[0]?.();
        await until(() => closed() === 2, "the one that was decided");
        connectClient(under, port);
        await until(() => decide.length === upgradesPendingMax + 1, "one more");
        for (const now of decide) now();
        await until(() => closed() === clients.length, "all answers");
        assert.equal(webSockets.opened.length, 0);
      });
    });

    it("reports and answers 500 when upgrade() throws", async () => {
      const fault = new Error("secret detail");
      const react = {
        upgrade() {
          throw fault;
        },
      };
      await withServer(under.http(), { react }, async ({ port, errors }) => {
        const { recorder } = connectClient(under, port);
        await until(() => recorder.closes.length > 0, "the refusal");
        assert.equal(recorder.closes[0]?.code, 1006);
        assert.deepEqual(errors, [fault]);
      });
    });

    it("passes text and bytes both ways, whole and in order", async () => {
      const react = {
        message: (c: { send(m: string | Uint8Array): boolean }, m: string | Uint8Array) => {
          c.send(m);
        },
      };
      await withWebSocket(under, { react }, async ({ client, recorder, seen }) => {
        const sent = Array.from({ length: 500 }, (_, i) => {
          const text = `${i} ${"é\u{1F0A1}".repeat(i)}`;
          return i % 2 === 0 ? text : new TextEncoder().encode(text);
        });
        sent.push("", new Uint8Array(0), "\uFEFF byte order mark");
        for (const message of sent) assert.equal(client.send(message), true);
        await until(() => recorder.messages.length === sent.length, "all echoes");
        assert.deepEqual(seen.messages, sent);
        assert.deepEqual(recorder.messages, sent);
      });
    });

    it("gives binary messages as plain Uint8Array, so that slice() copies", async () => {
      const kinds: unknown[] = [];
      const react = { message: (_c: unknown, m: string | Uint8Array) => void kinds.push(m) };
      await withWebSocket(under, { react }, async ({ client }) => {
        client.send(Uint8Array.of(1));
        await until(() => kinds.length > 0, "the message");
        assert.equal(Object.getPrototypeOf(kinds[0]), Uint8Array.prototype);
      });
    });

    it("send() has taken the bytes when it returns", async () => {
      await withWebSocket(under, {}, async ({ seen, recorder }) => {
        const bytes = new Uint8Array(300_000).fill(1);
        seen.open.send(bytes);
        bytes.fill(2);
        await until(() => recorder.messages.length > 0, "the message");
        assert.deepEqual(recorder.messages, [new Uint8Array(300_000).fill(1)]);
      });
    });

    it("sendAll() sends all of them in order, and nothing on a closed one", async () => {
      await withWebSocket(under, {}, async ({ seen, recorder }) => {
        const all = Array.from({ length: 200 }, (_, i) => i % 3 === 0 ? Uint8Array.of(i) : `ü${i}`);
        seen.open.send("before");
        assert.equal(seen.open.sendAll(all), true);
        assert.equal(seen.open.sendAll([]), true);
        seen.open.send("after");
        await until(() => recorder.messages.length === 202, "all of them");
        assert.deepEqual(recorder.messages, ["before", ...all, "after"]);
        seen.open.close(1000, "");
        assert.equal(seen.open.sendAll(all), false);
      });
    });

    it("counts the payloads that its handlers get in traffic", async () => {
      await withWebSocket(under, {}, async ({ seen, client, traffic }) => {
        for (const message of ["é", "", new Uint8Array(300)]) client.send(message);
        await until(() => seen.messages.length === 3, "the messages");
        assert.equal(traffic.bytesReceived, 302);
      });
    });

    it("is closed by the peer with the peer's code and reason", async () => {
      await withWebSocket(under, {}, async ({ client, seen, recorder }) => {
        client.close(4321, "bye ü");
        await until(() => seen.closes.length > 0, "the close");
        assert.deepEqual(seen.closes, [{ code: 4321, reason: "bye ü" }]);
        assert.deepEqual(seen.events, ["open", "close"]);
        assert.equal(seen.open.send("too late"), false);
        assert.equal(seen.open.bufferedBytes, 0);
        await until(() => recorder.closes.length > 0, "the client's close");
        assert.deepEqual(recorder.closes, [{ code: 4321, reason: "bye ü" }]);
      });
    });

    it("close() tells both sides the first code, once, and not within the call", async () => {
      await withWebSocket(under, {}, async (both) => {
        const { seen, recorder } = both;
        seen.open.send("before");
        seen.open.close(4000, "first");
        assert.deepEqual(seen.closes, []);
        seen.open.close(4001, "second");
        seen.open.terminate();
        assert.equal(seen.open.send("after"), false);
        seen.open.ping();
        await until(() => seen.closes.length > 0 && recorder.closes.length > 0, "both closes");
        await settle(both, under);
        assert.deepEqual(seen.closes, [{ code: 4000, reason: "first" }]);
        assert.deepEqual(recorder.closes, [{ code: 4000, reason: "first" }]);
        assert.deepEqual(recorder.messages, ["before"]);
      });
    });

    it("close() within open() is reported after it", async () => {
      const react = {
        open: (c: { close(code: number, reason: string): void }) => c.close(4002, "full"),
      };
      await withServer(under.http(), { react }, async ({ port, webSockets }) => {
        const { recorder } = connectClient(under, port);
        const seen = await webSockets.first();
        await until(() => seen.closes.length > 0 && recorder.closes.length > 0, "both closes");
        assert.deepEqual(seen.events, ["open", "close"]);
        assert.deepEqual(recorder.closes, [{ code: 4002, reason: "full" }]);
      });
    });

    it("close() cuts a reason to 123 bytes at a character and refuses codes of no frame", async () => {
      await withWebSocket(under, {}, async ({ seen, recorder }) => {
        for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000]) {
          assert.throws(() => seen.open.close(code, ""), RangeError);
        }
        seen.open.close(1012, "é".repeat(100));
        await until(() => seen.closes.length > 0 && recorder.closes.length > 0, "both closes");
        assert.deepEqual(seen.closes, [{ code: 1012, reason: "é".repeat(61) }]);
        assert.deepEqual(recorder.closes, [{ code: 1012, reason: "é".repeat(61) }]);
      });
    });

    it("terminate() is 1006 on both sides", async () => {
      await withWebSocket(under, {}, async ({ seen, recorder }) => {
        seen.open.terminate();
        assert.deepEqual(seen.closes, []);
        await until(() => seen.closes.length > 0 && recorder.closes.length > 0, "both closes");
        assert.deepEqual(seen.closes, [{ code: 1006, reason: "" }]);
        assert.equal(recorder.closes[0]?.code, 1006);
      });
    });

    it("is 1006 when the peer breaks off", async () => {
      await withWebSocket(under, {}, async ({ seen, client }) => {
        client.terminate();
        await until(() => seen.closes.length > 0, "the close");
        assert.deepEqual(seen.closes, [{ code: 1006, reason: "" }]);
      });
    });

    it("takes a message of messageBytesMax and closes with 1009 after a longer one", async () => {
      const limits = { messageBytesMax: 1000 };
      await withWebSocket(under, { limits }, async ({ seen, client, recorder }) => {
        client.send("x".repeat(1000));
        client.send(new Uint8Array(1001));
        client.send("never seen");
        await until(() => seen.closes.length > 0 && recorder.closes.length > 0, "both closes");
        assert.deepEqual(seen.messages, ["x".repeat(1000)]);
        const { code, reason } = webSocketCloseByAdapter.tooBig;
        assert.deepEqual(seen.closes, [{ code, reason }]);
        assert.equal(recorder.closes[0]?.code, 1009);
      });
    });

    it("takes a burst of messages and closes with 1008 after a longer one", async () => {
      const inbound = { messagesPerSecond: 0.001, bytesPerSecond: 1 << 20, burstSeconds: 50_000 };
      await withWebSocket(under, { limits: { inbound } }, async ({ seen, client, recorder }) => {
        for (let i = 0; i < 60; i++) client.send(String(i));
        await until(() => seen.closes.length > 0 && recorder.closes.length > 0, "both closes");
        assert.equal(seen.messages.length, 50);
        const { code, reason } = webSocketCloseByAdapter.flood;
        assert.deepEqual(seen.closes, [{ code, reason }]);
        assert.deepEqual(recorder.closes, [{ code, reason }]);
      });
    });

    it("takes a burst of bytes and closes with 1008 after a longer one", async () => {
      const inbound = { messagesPerSecond: 1e6, bytesPerSecond: 0.001, burstSeconds: 5_000_000 };
      const limits = { inbound, messageBytesMax: 2000 };
      await withWebSocket(under, { limits }, async ({ seen, client }) => {
        for (let i = 0; i < 6; i++) client.send("é".repeat(500));
        await until(() => seen.closes.length > 0, "the close");
        assert.equal(seen.messages.length, 5);
        assert.equal(seen.closes[0]?.code, webSocketCloseByAdapter.flood.code);
      });
    });

    for (const where of ["open", "message"] as const) {
      it(`closes with 1011 when ${where}() throws, and reports the error`, async () => {
        const fault = new Error("secret detail");
        const react = {
          [where]() {
            throw fault;
          },
        };
        await withServer(under.http(), { react }, async ({ port, webSockets, errors }) => {
          const { client, recorder } = connectClient(under, port);
          const seen = await webSockets.first();
          await until(() => recorder.events.length > 0, "the client to open");
          client.send("now");
          await until(() => seen.closes.length > 0 && recorder.closes.length > 0, "both closes");
          const { code, reason } = webSocketCloseByAdapter.ownerFailed;
          assert.deepEqual(errors, [fault]);
          assert.deepEqual(seen.closes, [{ code, reason }]);
          assert.deepEqual(recorder.closes, [{ code, reason }]);
        });
      });
    }

    it("reports an error of close() and goes on", async () => {
      const fault = new Error("secret detail");
      const react = {
        close() {
          throw fault;
        },
      };
      await withWebSocket(under, { react }, async (both) => {
        both.client.close(1000, "");
        await until(() => both.errors.length > 0, "the report");
        assert.deepEqual(both.errors, [fault]);
        await settle(both, under);
      });
    });
  });
}
