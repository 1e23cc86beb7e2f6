import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { WebSocket, WebSocketServer } from "ws";
import { encodeFrame, opcode } from "../adapters/raw_websocket.ts";
import { eventually } from "./changes.ts";
import { judgeDelivery } from "./delivery_faults.ts";
import { FrameReader } from "./frame_reader.ts";
import { GatewayClient } from "./gateway_client.ts";
import { LoadClient, loadData } from "./load_client.ts";
import { UpstreamProcess } from "./upstream_process.ts";
import { type Arrival, UpstreamServer } from "./upstream_server.ts";

describe("FrameReader", () => {
  it("FrameReader.next() gives each frame once, wherever the stream is cut", () => {
    const payloads = ["", "a", "x".repeat(125), "y".repeat(126), "z".repeat(70_000)];
    const stream = Buffer.concat(payloads.map((text, at) => {
      return encodeFrame(opcode.text, text, { masked: at % 2 === 0, fin: at !== 1 });
    }));
    for (const size of [1, 2, 3, 1_000, stream.length]) {
      const reader = new FrameReader();
      const texts: string[] = [];
      for (let at = 0; at < stream.length; at += size) {
        reader.push(stream.subarray(at, at + size));
        for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
          assert.equal(frame.masked, texts.length % 2 === 0);
          assert.equal(frame.fin, texts.length !== 1);
          texts.push(new TextDecoder().decode(frame.payload));
        }
      }
      assert.deepEqual(texts, payloads);
    }
  });
});

describe("GatewayClient against another implementation", () => {
  it("GatewayClient exchanges texts, bytes, fragments, pings and closes with a server of ws", async () => {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await new Promise((resolve) => server.once("listening", resolve));
    const asked: string[] = [];
    server.on("connection", (socket, request) => {
      asked.push(request.url ?? "");
      socket.on("message", (data: Uint8Array, isBinary: boolean) => {
        socket.send(data, { binary: isBinary });
        if (data.toString() === "bye") socket.close(4_409, "replaced");
      });
      socket.ping();
    });
    const { port } = server.address() as { port: number };
    const client = await GatewayClient.open({ port, clientId: "a b", query: "ack=1" });
    assert.deepEqual(asked, ["/ws?clientId=a%20b&ack=1"]);
    await client.untilPings(1);
    client.sendText("hello");
    assert.equal(await client.next(), "hello");
    client.sendFrame(opcode.text, "in ", { fin: false });
    client.sendFrame(opcode.continuation, "parts");
    assert.equal(await client.next(), "in parts");
    client.sendBinary(Uint8Array.of(1, 2, 3));
    assert.deepEqual([...(await client.nextFrame()).payload], [1, 2, 3]);
    client.sendText("bye");
    assert.equal(await client.next(), "bye");
    assert.deepEqual(await client.expectClose(), { code: 4_409, reason: "replaced" });
    await new Promise((resolve) => server.close(resolve));
  });

  it("GatewayClient.refused() gives status, headers and body", async () => {
    const upstream = await UpstreamServer.listen();
    const refusal = await GatewayClient.refused({
      port: upstream.port,
      headers: { "Sec-WebSocket-Key": undefined },
    });
    assert.equal(refusal.status, 400);
    assert.equal(refusal.headers.get("content-length"), "0");
    await upstream.goAway();
  });
});

describe("UpstreamServer against another implementation", () => {
  it("UpstreamServer answers a client of ws, records, and can be away and back", async () => {
    const upstream = await UpstreamServer.listen({ answer: "ack_echo" });
    const client = new WebSocket(upstream.url);
    const heard: string[] = [];
    client.on("message", (data: Uint8Array) => heard.push(data.toString()));
    await new Promise((resolve) => client.once("open", resolve));
    const message = `{"type":0,"clientId":"c","messageId":"m"}`;
    client.send(message);
    await eventually("both answers", () => heard.length === 2);
    assert.deepEqual(JSON.parse(heard[0] ?? ""), {
      type: 2,
      action: "ack",
      clientId: "c",
      messageId: "m",
    });
    assert.equal(heard[1], message);
    assert.deepEqual(upstream.arrivals, [{ clientId: "c", messageId: "m", text: message }]);
    assert.deepEqual(upstream.faults, []);
    const closed = new Promise((resolve) => client.once("close", resolve));
    await upstream.goAway();
    await closed;
    await upstream.comeBack();
    const again = await GatewayClient.open({ port: upstream.port });
    again.sendText(message);
    assert.equal((await upstream.arrival(1)).clientId, "c");
    again.destroy();
    await upstream.goAway();
  });

  it("UpstreamProcess records what came, also of a process that was stopped for a while", async () => {
    const directory = mkdtempSync(join(tmpdir(), "freekill-gw-upstream-"));
    const recordFile = join(directory, "record");
    const upstream = await UpstreamProcess.start({ answer: "ack", recordFile });
    try {
      const client = await GatewayClient.open({ port: upstream.port });
      upstream.freeze();
      client.sendJson({ type: 0, clientId: "c", messageId: "1" });
      await client.flushed();
      assert.deepEqual(upstream.arrivals(), []);
      upstream.thaw();
      assert.equal((await client.nextJson()).messageId, "1");
      assert.deepEqual(upstream.arrivals(), [{ clientId: "c", messageId: "1", text: "" }]);
      client.destroy();
    } finally {
      await upstream.kill();
      rmSync(directory, { recursive: true });
    }
  });
});

describe("LoadClient", () => {
  // An acknowledging upstream answers a client as a gateway would.
  it("LoadClient repeats what was not acknowledged, in order, before it goes on", async () => {
    const server = await UpstreamServer.listen({ answer: "silent" });
    const client = new LoadClient({
      port: server.port,
      clientId: "c",
      windowMax: 4,
      dataBytes: 20,
    });
    client.sendUpTo(10);
    await server.arrival(3);
    assert.equal(client.sent, 4);
    await server.goAway();
    server.answer = "ack";
    await server.comeBack();
    await server.arrival(13);
    await client.settled();
    assert.deepEqual(
      server.arrivals.map(({ messageId }) => Number(messageId)),
      [1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    );
    assert.equal(client.acknowledged.size, 10);
    client.end();
    await server.goAway();
  });
});

describe("judgeDelivery()", () => {
  const came = (number: number, data = loadData("c", number, 10)): Arrival => {
    const text = JSON.stringify({ data });
    return { clientId: "c", messageId: `${number}`, text };
  };
  const ledger = { clientId: "c", sent: 3, acknowledged: new Set([1, 2, 3]) };

  it("judgeDelivery() accepts repetitions, and what was not acknowledged may be missing", () => {
    const arrivals = [came(1), came(2), came(1), came(2), came(3)];
    const { faults, delivered, repeated } = judgeDelivery([{ ...ledger, sent: 4 }], arrivals);
    assert.deepEqual({ faults, delivered, repeated }, { faults: [], delivered: 3, repeated: 2 });
  });

  const wrong: readonly [string, readonly Arrival[], RegExp][] = [
    ["a missing one", [came(1), came(3)], /1 acknowledged are missing, first 2/],
    ["a changed order", [came(2), came(1), came(3)], /c 1 came after 2/],
    ["one that was never sent", [came(1), came(2), came(3), came(4)], /never sent: 4/],
    ["other data", [came(1), came(2), came(3), came(1, "c 1 other")], /came again with other data/],
    ["swapped data", [came(1, "c 2 x"), came(2), came(3)], /with the data of another/],
  ];
  for (const [name, arrivals, fault] of wrong) {
    it(`judgeDelivery() finds ${name}`, () => {
      const { faults } = judgeDelivery([ledger], arrivals);
      assert.equal(faults.length, 1, faults.join("\n"));
      assert.match(faults[0] ?? "", fault);
    });
  }
});
