import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exchangeHttp, type HttpReply } from "../../src/app/http_exchange.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";

const encoder = new TextEncoder();
const limits = { outboundBytesMax: 1_048_576, lingerMs: 1_000 };

describe("exchangeHttp()", () => {
  const replies: readonly [name: string, sent: string, expected: string | [number, string]][] = [
    ["a body of a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", [
      200,
      "hello",
    ]],
    [
      "a body in chunks",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n",
      [
        200,
        "hello",
      ],
    ],
    ["no body", "HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n", [404, ""]],
    ["what is no HTTP", "SSH-2.0\r\n\r\n", [0, ""]],
    [
      "a reply that breaks off",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
      "the connection was closed",
    ],
    [
      "a chunk that breaks off",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\nhel",
      "the connection was closed",
    ],
    ["nothing at all", "", "the connection was closed"],
    [
      "too much",
      `HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n${"x".repeat(3_000)}`,
      "its reply has more than 2000 bytes",
    ],
  ];
  for (const [name, sent, expected] of replies) {
    it(`takes ${name}, whole or byte by byte`, async () => {
      for (const pieceBytes of [sent.length || 1, 1]) {
        const reply = await exchange(sent, pieceBytes);
        if (typeof reply === "string" || typeof expected === "string") {
          assert.equal(reply, expected);
        } else {
          assert.deepEqual([reply.status, new TextDecoder().decode(reply.body)], expected);
        }
      }
    });
  }

  it("says why it cannot connect, and gives up on a silent peer", async () => {
    const { tcp, clock } = await runtimeUnderTest();
    const listener = await tcp.listen<undefined>({
      host: "127.0.0.1",
      port: 0,
      limits,
      handlers: { open: (c) => c.data = undefined, data() {}, end() {}, drain() {}, close() {} },
    });
    const ask = () =>
      exchangeHttp({ tcp, clock }, {
        host: "127.0.0.1",
        port: listener.port,
        timeoutMs: 50,
        request: encoder.encode("GET / HTTP/1.1\r\n\r\n"),
        replyBytesMax: 2_000,
      });
    assert.equal(await ask(), "nothing within 50 ms");
    await listener.close();
    assert.equal(await ask(), "cannot connect (ECONNREFUSED)");
  });
});

/** With a server that sends this after a request has come, then closes. */
async function exchange(sent: string, pieceBytes: number): Promise<HttpReply | string> {
  const { tcp, clock } = await runtimeUnderTest();
  const bytes = encoder.encode(sent);
  const listener = await tcp.listen<undefined>({
    host: "127.0.0.1",
    port: 0,
    limits,
    handlers: {
      open: (connection) => connection.data = undefined,
      data(connection) {
        for (let at = 0; at < bytes.length; at += pieceBytes) {
          connection.write(bytes.subarray(at, at + pieceBytes));
        }
        connection.end();
      },
      end: (connection) => connection.end(),
      drain() {},
      close() {},
    },
  });
  try {
    return await exchangeHttp({ tcp, clock }, {
      host: "127.0.0.1",
      port: listener.port,
      timeoutMs: 10_000,
      request: encoder.encode("GET / HTTP/1.1\r\n\r\n"),
      replyBytesMax: 2_000,
    });
  } finally {
    await listener.close();
  }
}
