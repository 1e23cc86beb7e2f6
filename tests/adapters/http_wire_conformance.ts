import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type HttpUnderTest, Seen, type Served, until, withServer } from "./http_recorder.ts";
import { openFiles } from "./open_files.ts";
import {
  encodeFrame,
  joined,
  opcode,
  rawConnect,
  type RawConnection,
  rawWebSocket,
  sampleAccept,
  upgradeText,
} from "./raw_websocket.ts";

/** What only bytes on a real connection can show of an HTTP server. */
export function httpWireConformance(under: HttpUnderTest): void {
  describe(`${under.name} on the wire`, () => requestConformance(under));
  describe(`${under.name} upgrade on the wire`, () => upgradeConformance(under));
  describe(`${under.name} with peers that do not go on`, () => patienceConformance(under));
}

function requestConformance(under: HttpUnderTest): void {
  it("answers one request after the other on one connection", async () => {
    const fetch = async (request: Request) => new Response(new URL(request.url).pathname);
    await withServer(under.http(), { fetch }, async ({ port, fetched }) => {
      const peer = await rawConnect(port);
      for (const path of ["/0", "/1", "/2"]) {
        peer.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
        assert.equal((await peer.readResponse()).body, path);
      }
      assert.deepEqual(new Set(fetched.map(({ peer }) => peer.remotePort)).size, 1);
      peer.destroy();
    });
  });

  it("answers pipelined requests in order", { skip: under.noPipelining ?? false }, async () => {
    const fetch = async (request: Request) => {
      if (request.url.endsWith("/1")) await new Promise((resolve) => setTimeout(resolve, 20));
      return new Response(new URL(request.url).pathname);
    };
    await withServer(under.http(), { fetch }, async ({ port }) => {
      const peer = await rawConnect(port);
      peer.write(["/1", "/2"].map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(""));
      assert.equal((await peer.readResponse()).body, "/1");
      assert.equal((await peer.readResponse()).body, "/2");
      peer.destroy();
    });
  });

  it("answers HEAD with the length of the body and without the body", async () => {
    const fetch = () => new Response("twelve bytes");
    await withServer(under.http(), { fetch }, async ({ port }) => {
      const peer = await rawConnect(port);
      peer.write("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
      const head = await peer.readHead();
      assert.equal(head.status, 200);
      assert.equal(head.headers.get("content-length"), "12");
      peer.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      assert.equal((await peer.readResponse()).body, "twelve bytes");
      peer.destroy();
    });
  });

  it("answers 413 to a chunked body that grows over bodyBytesMax, and reports nothing", async () => {
    const fetch = async (request: Request) => new Response(await request.text());
    await withServer(under.http(), { fetch, bodyBytesMax: 1000 }, async ({ port, errors }) => {
      const peer = await rawConnect(port);
      peer.write("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
      for (let i = 0; i < 11; i++) peer.write(`64\r\n${"x".repeat(100)}\r\n`);
      peer.write("0\r\n\r\n");
      assert.equal((await peer.readHead()).status, 413);
      assert.deepEqual(errors, []);
      peer.destroy();
    });
  });

  it("takes an HTTP/1.0 request without Host as one for localhost", async () => {
    const fetch = async (request: Request) => {
      return new Response(`${request.method} ${request.url} ${await request.text()}`);
    };
    await withServer(under.http(), { fetch }, async ({ port, fetched, errors }) => {
      const get = await rawConnect(port);
      get.write("GET /health?a=b HTTP/1.0\r\n\r\n");
      assert.equal((await get.readResponse()).body, "GET http://localhost/health?a=b ");
      const post = await rawConnect(port);
      post.write("POST /x HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi");
      assert.equal((await post.readResponse()).body, "POST http://localhost/x hi");
      assert.deepEqual(fetched.map(({ peer }) => peer.remoteHost), ["127.0.0.1", "127.0.0.1"]);
      assert.deepEqual(errors, []);
      for (const peer of [get, post]) peer.destroy();
    });
  });

  const refused: [string, string, number][] = [
    ["bytes that are not HTTP", "\x01\x02 garbage\r\n\r\n", 400],
    ["a request without Host", "GET / HTTP/1.1\r\n\r\n", 400],
    ["a Host that is none", "GET / HTTP/1.1\r\nHost: a b:c\r\n\r\n", 400],
    [
      "a head of 20,000 bytes",
      `GET / HTTP/1.1\r\nHost: x\r\nA: ${"x".repeat(100_000)}\r\n\r\n`,
      431,
    ],
    ["TRACE", "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 405],
    ["CONNECT", "CONNECT example.org:80 HTTP/1.1\r\nHost: example.org:80\r\n\r\n", 405],
  ];
  for (const [what, text, status] of refused) {
    it(`answers ${status} to ${what}, unseen by the owner`, async () => {
      await withServer(under.http(), {}, async ({ port, fetched, errors }) => {
        const peer = await rawConnect(port);
        peer.write(text);
        assert.equal((await peer.readHead()).status, status);
        assert.deepEqual([fetched, errors], [[], []]);
        peer.destroy();
      });
    });
  }

  it("sends a body as it comes", async () => {
    let push: (text: string) => void = () => {};
    const fetch = () =>
      new Response(
        new ReadableStream({
          start: (stream) => {
            push = (text) => stream.enqueue(new TextEncoder().encode(text));
            push("first");
          },
        }),
      );
    await withServer(under.http(), { fetch }, async ({ origin }) => {
      const reader = (await under.request(origin)).body?.getReader();
      const next = async () => new TextDecoder().decode((await reader?.read())?.value);
      assert.equal(await next(), "first");
      push("second");
      assert.equal(await next(), "second");
      await reader?.cancel();
    });
  });

  it("tells the owner by request.signal when the peer leaves, and reports nothing", async () => {
    const fetch = (request: Request) =>
      new Promise<Response>((_resolve, reject) => {
        request.signal.addEventListener("abort", () => reject(new Error("the peer left")));
      });
    await withServer(under.http(), { fetch }, async ({ port, fetched, errors }) => {
      const peer = await rawConnect(port);
      peer.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      await until(() => fetched.length > 0, "the request");
      peer.destroy();
      await until(() => fetched[0]?.request.signal.aborted === true, "the signal");
      assert.deepEqual(errors, []);
    });
  });

  it("listens on both families with `::` and shows an IPv4 peer as such", async () => {
    await withServer(under.http(), { host: "::" }, async ({ port, fetched }) => {
      await (await fetch(`http://127.0.0.1:${port}`)).text();
      await (await fetch(`http://[::1]:${port}`)).text();
      assert.deepEqual(fetched.map(({ peer }) => peer.remoteHost), ["127.0.0.1", "::1"]);
    });
  });
}

function upgradeConformance(under: HttpUnderTest): void {
  const refused: [string, Parameters<typeof upgradeText>[1], number][] = [
    ["no key", { "Sec-WebSocket-Key": undefined }, 400],
    ["a key that is not 16 bytes", { "Sec-WebSocket-Key": "c2hvcnQ=" }, 400],
    ["no version", { "Sec-WebSocket-Version": undefined }, 426],
    ["version 8", { "Sec-WebSocket-Version": "8" }, 426],
    ["protocols that are no names", { "Sec-WebSocket-Protocol": "a,,b\tc" }, 400],
  ];
  for (const [what, headers, status] of refused) {
    it(`answers ${status} to ${what}`, async () => {
      await withServer(under.http(), {}, async (served) => {
        const head = await answerTo(served, upgradeText("/socket", headers));
        assert.equal(head.status, status);
        if (status === 426) assert.equal(head.headers.get("sec-websocket-version"), "13");
        assert.deepEqual([served.webSockets.requests, served.fetched], [[], []]);
      });
    });
  }

  it("answers 400 to an upgrade by POST", async () => {
    await withServer(under.http(), {}, async (served) => {
      const text = upgradeText("/socket").replace("GET", "POST");
      assert.equal((await answerTo(served, text)).status, 400);
    });
  });

  for (
    const [what, headers] of [
      ["another protocol", { Upgrade: "h2c" }],
      ["no Connection: Upgrade", { Connection: undefined }],
    ] as const
  ) {
    it(`leaves a request with ${what} to fetch`, async () => {
      await withServer(under.http(), {}, async (served) => {
        const peer = await rawConnect(served.port);
        peer.write(upgradeText("/socket", headers));
        assert.equal((await peer.readResponse()).body, "plain\n");
        assert.equal(served.fetched.length, 1);
        peer.destroy();
      });
    });
  }

  it("sends the owner's refusal as it is", async () => {
    const response = () =>
      new Response("come back later\n", { status: 503, headers: { "Retry-After": "7" } });
    const react = { upgrade: () => ({ accept: false, response: response() }) as const };
    await withServer(under.http(), { react }, async ({ port }) => {
      const peer = await rawConnect(port);
      peer.write(upgradeText("/socket"));
      const answer = await peer.readResponse();
      assert.equal(answer.status, 503);
      assert.equal(answer.headers.get("retry-after"), "7");
      assert.equal(answer.body, "come back later\n");
      peer.destroy();
    });
  });

  it("accepts with the right key, without extensions, and agrees to no protocol unasked", async () => {
    await withServer(under.http(), {}, async (served) => {
      const { status, headers } = await answerTo(
        served,
        upgradeText("/socket", {
          "Sec-WebSocket-Protocol": "a, b",
          "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
        }),
      );
      assert.equal(status, 101);
      assert.equal(headers.get("sec-websocket-accept"), sampleAccept);
      assert.equal(headers.get("sec-websocket-extensions"), null);
      assert.equal(headers.get("sec-websocket-protocol"), null);
    });
  });

  it("agrees to the owner's protocol if the peer offers it", async () => {
    const react = {
      upgrade: (request: { headers: Headers }) => {
        const offered = request.headers.get("sec-websocket-protocol") ?? "";
        offers.push(offered);
        return { accept: true, data: new Seen(), protocol: "b" } as const;
      },
    };
    const offers: string[] = [];
    await withServer(under.http(), { react }, async (served) => {
      for (const [offer, agreed] of [["a, b", "b"], ["a", null], [undefined, null]] as const) {
        const { status, headers } = await answerTo(
          served,
          upgradeText("/socket", { "Sec-WebSocket-Protocol": offer }),
        );
        assert.equal(status, 101);
        assert.equal(headers.get("sec-websocket-protocol"), agreed);
      }
      assert.deepEqual(offers, ["a, b", "a", ""]);
    });
  });

  it("reads frames that came with the request", async () => {
    await withServer(under.http(), {}, async ({ port, webSockets }) => {
      const peer = await rawConnect(port);
      peer.write(joined([
        new TextEncoder().encode(upgradeText("/socket")),
        encodeFrame(opcode.text, "early"),
      ]));
      const seen = await webSockets.first();
      await until(() => seen.messages.length > 0, "the message");
      assert.deepEqual(seen.messages, ["early"]);
      peer.destroy();
    });
  });
}

function patienceConformance(under: HttpUnderTest): void {
  it(
    "cuts 200 handshakes that stop half way, and headers that drip in",
    { timeout: 30_000 },
    async () => {
      await withServer(
        under.http({ idleSecondsMax: 4 }),
        {},
        async ({ port, webSockets, origin }) => {
          const half = upgradeText("/socket").slice(0, 90);
          const peers = await Promise.all(Array.from({ length: 200 }, () => rawConnect(port)));
          for (const [i, peer] of peers.entries()) if (i > 0) peer.write(half);
          const dripping = await rawConnect(port);
          dripping.write("GET / HTTP/1.1\r\nX-Long: ");
          const drip = setInterval(() => dripping.write("x"), 500);
          assert.equal((await under.request(origin)).status, 200);
          try {
            await Promise.all([...peers, dripping].map((peer) => peer.closed));
          } finally {
            clearInterval(drip);
          }
          assert.deepEqual(webSockets.requests, []);
        },
      );
    },
  );

  it(
    "cuts a connection that asks nothing long before one that has asked",
    { timeout: 30_000 },
    async () => {
      await withServer(under.http(), {}, async ({ port }) => {
        const silent = await rawConnect(port);
        const asked = await rawConnect(port);
        let askedClosed = false;
        void asked.closed.then(() => askedClosed = true);
        asked.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        await asked.readResponse();
        await silent.closed;
        assert.equal(askedClosed, false);
        asked.destroy();
      });
    },
  );

  it("close() ends what is idle, half sent, waiting for its answer or a WebSocket", async () => {
    const fetch = (request: Request) =>
      request.url.endsWith("/now") ? new Response() : new Promise<Response>(() => {});
    await withServer(under.http(), { fetch }, async ({ port, server, fetched }) => {
      const idle = await rawConnect(port);
      idle.write("GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
      await idle.readResponse();
      const half = await rawConnect(port);
      half.write("GET / HTTP/1.1\r\nHo");
      const waiting = await rawConnect(port);
      waiting.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      const webSocket = await rawWebSocket(port);
      await until(() => fetched.length > 1, "the request");
      await server.close();
      assert.deepEqual(await webSocket.readClose(), { code: 1001, reason: "Server closed" });
      await Promise.all([idle, half, waiting, webSocket].map((peer) => peer.closed));
    });
  });

  it("keeps nothing of 1,000 connections that came and went", { timeout: 30_000 }, async () => {
    await withServer(under.http(), {}, async ({ port, webSockets }) => {
      const filesBefore = openFiles();
      for (let round = 0; round < 10; round++) {
        const peers = await Promise.all(Array.from({ length: 100 }, () => rawWebSocket(port)));
        for (const [i, peer] of peers.entries()) {
          if (i % 2 === 0) peer.destroy();
          else peer.sendClose(1000);
        }
        await Promise.all(peers.map((peer) => peer.closed));
      }
      await until(() => webSockets.opened.every((seen) => seen.closes.length > 0), "all closes");
      assert.equal(webSockets.opened.length, 1000);
      assert.ok(webSockets.opened.every((seen) => seen.closes.length === 1));
      await until(() => openFiles() <= filesBefore, "all sockets to be gone");
    });
  });
}

async function answerTo({ port }: Served, text: string): ReturnType<RawConnection["readHead"]> {
  const peer = await rawConnect(port);
  peer.write(text);
  const head = await peer.readHead();
  peer.destroy();
  return head;
}
