import assert from "node:assert/strict";
import { it } from "node:test";
import { bunHttp } from "../../../src/adapters/bun/http.ts";
import { ReceiveBuffers } from "../../../src/adapters/bun/receive_buffers.ts";
import { until, withServer } from "../http_recorder.ts";

const mebibyte = 1_048_576;

function closable(name: string, closed: string[]) {
  return { close: (code: number, reason: string) => void closed.push(`${name} ${code} ${reason}`) };
}

it("ReceiveBuffers closes those whose last large message is the oldest, and never the one that sends", () => {
  const buffers = new ReceiveBuffers();
  const closed: string[] = [];
  const [a, b, c] = ["a", "b", "c"].map((name) => closable(name, closed));
  if (a === undefined || b === undefined || c === undefined) return assert.fail();
  buffers.received(a, 400_000, mebibyte);
  buffers.received(b, 400_000, mebibyte);
  buffers.received(a, 100_000, mebibyte);
  for (let n = 0; n < 1_000; n++) buffers.received(c, 1_000, mebibyte);
  assert.deepEqual(closed, []);
  buffers.received(c, 300_000, mebibyte);
  assert.deepEqual(closed, ["b 1013 memory"]);
  buffers.left(b);
  buffers.received(c, 9_000_000, mebibyte);
  assert.deepEqual(closed, ["b 1013 memory", "a 1013 memory"]);
  buffers.left(c);
  buffers.received(a, 500_000, mebibyte);
  buffers.received(b, 500_000, mebibyte);
  assert.equal(closed.length, 2, "what left is not counted any more");
  buffers.received(c, 900_000, undefined);
  assert.equal(closed.length, 2, "no limit");
});

it("bunHttp bounds what stays of large messages, by closing with 1013 `memory`", () =>
  withServer(
    bunHttp(),
    { limits: { messageBytesMax: 8 * mebibyte, receiveBytesMax: 24 * mebibyte } },
    async ({ port, webSockets, errors }) => {
      const text = "x".repeat(8 * mebibyte);
      const sockets: WebSocket[] = [];
      const closes: string[] = [];
      for (let number = 0; number < 12; number++) {
        const socket = new WebSocket(`ws://127.0.0.1:${port}/${number}`);
        sockets.push(socket);
        socket.onclose = ({ code, reason }) => closes.push(`${number} ${code} ${reason}`);
        await until(() => webSockets.opened.length > number, "it to open");
        socket.send(text);
        const seen = webSockets.opened[number]!;
        await until(() => seen.messages.length === 1, "its message");
        seen.messages.length = 0;
      }
      await until(() => closes.length === 9, "the oldest to be closed");
      assert.deepEqual(
        closes.sort((one, other) => parseInt(one) - parseInt(other)),
        Array.from({ length: 9 }, (_, number) => `${number} 1013 memory`),
      );
      assert.deepEqual(errors, []);
      for (const socket of sockets) socket.close();
    },
  ));
