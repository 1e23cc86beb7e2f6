import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { it } from "node:test";
import { bytesOf, StratixClient } from "../../src/sdk/stratix_client.ts";
import { Changes } from "../gateway_tools/changes.ts";
import type { GatewayProgram } from "../gateway_tools/gateway_program.ts";
import { withGateway } from "./gateway_stage.ts";

const urlOf = (gateway: GatewayProgram) => `ws://127.0.0.1:${gateway.port}/ws`;

it("StratixClient sends large messages in chunks, and gets the same bytes back in chunks", async () => {
  await withGateway({}, async ({ gateway }) => {
    const gatewayUrl = urlOf(gateway);
    const client = new StratixClient({ clientId: "c", gatewayUrl, acks: true, chunks: true });
    const bytes = new Uint8Array(5_000_001).map((_, at) => at * 13 + (at >> 8));
    const came = new Promise<Uint8Array>((resolve, reject) => {
      client.onError(reject);
      client.onMessage((message, info) => {
        assert.equal(message.messageId, "large");
        assert.equal(message.contentType, "image/png");
        assert(info.bytes !== undefined, "it came in binary frames");
        resolve(bytesOf(message, info));
      });
    });
    await client.connect();
    await client.send(bytes, { messageId: "large", contentType: "image/png" });
    assert(Buffer.compare(await came, bytes) === 0, "the same bytes");
    client.disconnect();
  });
});

it("StratixClient gets what was stored, and after a restart of the page only what is newer", async () => {
  await withGateway({}, async ({ gateway }) => {
    const gatewayUrl = urlOf(gateway);
    const options = { clientId: "c", gatewayUrl, acks: true, loadHistory: true };
    const first = new StratixClient(options);
    const changes = new Changes();
    let replies = 0;
    first.onMessage(() => {
      replies++;
      changes.happened();
    });
    await first.connect();
    for (const messageId of ["a", "b"]) await first.send("x", { messageId });
    await changes.until("both replies", () => replies === 2 || undefined);
    const { lastMessageId } = first;
    first.disconnect();
    for (const known of ["", lastMessageId]) {
      const ids: string[] = [];
      const client = new StratixClient({ ...options, lastMessageId: known });
      client.onMessage(({ messageId }, { isHistory }) => isHistory && ids.push(messageId));
      const end = new Promise((resolve) => client.onHistory(resolve));
      await client.connect();
      const { total, gap } = await end as { total: number; gap: boolean };
      assert.equal(gap, false);
      assert.equal(total, ids.length);
      assert.deepEqual([...new Set(ids)].sort(), known === "" ? ["a", "b"] : []);
      client.disconnect();
    }
  });
});

it("StratixClient proves its id by tokens, and shows a fresh one before the first runs out", async () => {
  const secret = "a secret of more than thirty-two characters";
  const gatewayConfig = { jwt: { secret } };
  await withGateway({ gateway: gatewayConfig }, async ({ gateway }) => {
    for (const tokenIn of ["query", "protocol"] as const) {
      const changes = new Changes();
      let calls = 0;
      const faults: Error[] = [];
      const client = new StratixClient({
        clientId: "c",
        gatewayUrl: urlOf(gateway),
        acks: true,
        tokenIn,
        token: () => {
          calls++;
          changes.happened();
          return jwt(secret, { sub: "c", exp: Math.floor(Date.now() / 1_000) + 2 + calls });
        },
      });
      client.onError((error) => faults.push(error));
      await client.connect();
      await changes.until("a second token", () => calls === 2 || undefined);
      await client.send("after it");
      assert.deepEqual(faults, []);
      client.disconnect();
    }
    const stranger = new StratixClient({
      clientId: "c",
      gatewayUrl: urlOf(gateway),
      token: jwt("another secret of more than thirty-two characters", { sub: "c", exp: 9e9 }),
      autoReconnect: false,
    });
    await assert.rejects(stranger.connect(), { code: "connect_failed" });
  });
});

function jwt(secret: string, claims: Record<string, unknown>): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}
