import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { constants, deflateRawSync } from "node:zlib";
import type { ProgramKind } from "../client/game_program.ts";
import { opcode } from "../adapters/raw_websocket.ts";
import { withGateway } from "./gateway_stage.ts";

// Deno agrees to no compression: its inflater cannot be trusted with broken data.
const kinds: readonly ProgramKind[] = ["binary"];
const offer = { "Sec-WebSocket-Extensions": "permessage-deflate" };
const on = { security: { enableCompression: true } };

for (const kind of kinds) {
  describe(`gateway (${kind}): compression`, () => {
    it("is off unless the configuration has it on, and carries messages then", async () => {
      await withGateway({ kind }, async ({ gateway }) => {
        const client = await gateway.client("a", "", { headers: offer });
        assert.equal(client.upgradeHeaders.get("sec-websocket-extensions"), null);
      });
      await withGateway({ kind, gateway: on }, async ({ gateway, upstream }) => {
        const client = await gateway.client("a", "", { headers: offer });
        assert.match(client.upgradeHeaders.get("sec-websocket-extensions") ?? "", /^permessage-/);
        const text = JSON.stringify({ type: 0, data: "so ".repeat(10_000) });
        client.sendFrame(opcode.text, deflated(text), { reserved: 4 });
        assert.equal(JSON.parse((await upstream.arrival(0)).text).data, "so ".repeat(10_000));
      });
    });

    it(
      "200 MB in a small message end with 1009, and the memory stays",
      { timeout: 120_000 },
      () =>
        withGateway({ kind, gateway: { ...on, maxMessageSize: "1MiB" } }, async ({ gateway }) => {
          const bomb = deflated(new Uint8Array(200 << 20));
          const before = gateway.residentMiB();
          let most = before;
          for (let i = 0; i < 10; i++) {
            const client = await gateway.client(`bomber-${i}`, "", { headers: offer });
            client.sendFrame(opcode.binary, bomb, { reserved: 4 });
            assert.equal((await client.expectClose()).code, 1009);
            most = Math.max(most, gateway.residentMiB());
          }
          assert.ok(most - before < 60, `grew from ${before} to ${most} MiB`);
          const client = await gateway.client("bystander", "v=2");
          assert.equal((await client.nextJson()).action, "welcome");
        }),
    );
  });
}

function deflated(payload: string | Uint8Array): Uint8Array {
  const out = new Uint8Array(deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH }));
  return out.subarray(0, out.length - 4);
}
