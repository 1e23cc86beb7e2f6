import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chunkFrames, someBytes } from "../gateway_tools/chunks.ts";
import { GatewayClient } from "../gateway_tools/gateway_client.ts";
import { withGateway } from "./gateway_stage.ts";

describe("large messages of clients", () => {
  it("reach the upstream as one message, are acknowledged, and come back", () =>
    withGateway({ upstream: { answer: "ack" } }, async ({ gateway, upstream }) => {
      const client = await GatewayClient.open({ port: gateway.port, clientId: "c", query: "ack=1" });
      const data = someBytes(5_000_001);
      const frames = chunkFrames("big", data, {
        start: { contentType: "image/png", compressed: false, mine: 7 },
      });
      client.sendBinary(frames.start);
      for (const chunk of frames.chunks) client.sendBinary(chunk);
      client.sendBinary(frames.end);
      client.sendJson({ type: 0, messageId: "after", data: "x" });
      assert.deepEqual(await client.nextJson(), { type: 2, action: "ack", messageId: "big" });
      const message = JSON.parse((await upstream.arrival(0)).text);
      assert.equal(message.type, 1);
      assert.equal(message.messageId, "big");
      assert.equal(message.contentType, "image/png");
      assert.equal(message.compressed, false);
      assert.equal(message.mine, 7);
      assert.deepEqual(Buffer.from(message.data, "base64"), Buffer.from(data));
      assert.equal((await upstream.arrival(1)).messageId, "after");
    }));
});
