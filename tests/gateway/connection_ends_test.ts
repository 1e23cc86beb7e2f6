import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { until } from "../adapters/http_recorder.ts";
import { opcode } from "../adapters/raw_websocket.ts";
import { type OpenDoor, withDoor } from "./door_fixture.ts";

/** Those that came about, in the order of their names. */
function counted({ door }: OpenDoor): Record<string, number> {
  return Object.fromEntries([...door.ends.counts].filter(([, count]) => count > 0).sort());
}

describe("ConnectionEnds", () => {
  it("counts each connection that ends once, by who ended it and why", async () => {
    await withDoor({ config: { maxMessageSize: 1_000 }, maxConnections: 8 }, async (open) => {
      const { connect, door, clock } = open;
      const left = await connect("clientId=left");
      left.sendClose(1000);
      await left.closed;
      (await connect("clientId=lost")).destroy();
      await connect("clientId=twice");
      await connect("clientId=twice");
      await connect("clientId=kicked");
      door.kick("kicked");
      const large = await connect("clientId=large");
      large.send(opcode.text, "x".repeat(2_000));
      assert.equal((await large.readClose()).code, 1009);
      const broken = await connect("clientId=broken");
      broken.send(11, "there is no such opcode");
      await until(() => door.size === 1, "the ends");
      assert.deepEqual(counted(open), {
        kicked: 1,
        left: 1,
        lost: 1,
        protocol_error: 1,
        replaced: 1,
        too_big: 1,
      });
      clock.advance(200_000);
      assert.deepEqual([door.size, counted(open).silent], [0, 1]);
      await connect("clientId=last");
      await door.closeAll(0);
      assert.equal(counted(open).going_away, 1);
      const all = Object.values(counted(open)).reduce((sum, count) => sum + count, 0);
      assert.equal(all, open.counters.connectionsTotal);
    });
  });

  it("knows all its reasons from the start, so that a rate of each can be asked for", async () => {
    await withDoor({}, async (open) => {
      assert.deepEqual([...open.door.ends.counts.keys()].sort(), [
        "flood",
        "full",
        "going_away",
        "invalid_text",
        "kicked",
        "left",
        "lost",
        "memory",
        "owner_failed",
        "protocol_error",
        "replaced",
        "silent",
        "slow",
        "token_expired",
        "too_big",
      ]);
      assert.deepEqual(counted(open), {});
      await Promise.resolve();
    });
  });

  it("a client's own codes and words make no reasons of their own", async () => {
    await withDoor({}, async (open) => {
      for (const code of [1000, 1001, 3000, 4409, 4999]) {
        const peer = await open.connect(`clientId=c${code}`);
        peer.sendClose(code);
        await peer.closed;
      }
      await until(() => open.door.size === 0, "their ends");
      assert.deepEqual(counted(open), { left: 5 });
    });
  });

  it("says at debug level who went, why, after how long and what is left of it", async () => {
    await withDoor({}, async ({ connect, core, door, clock, log }) => {
      await connect(`clientId=${encodeURIComponent("a\u200bb")}`);
      const client = core.clientWithId("a\u200bb");
      assert.ok(client !== undefined);
      client.pendingUp = 3;
      clock.advance(2_500);
      door.kick("a\u200bb");
      const lines = log.lines.filter(({ message }) => message === "client gone");
      assert.deepEqual(lines, [{
        level: "debug",
        message: "client gone",
        fields: {
          client: "a\\u200bb",
          end: "kicked",
          code: 1008,
          seconds: 2.5,
          pending: 3,
          waiting: 0,
          buffered_bytes: 0,
        },
      }]);
    });
  });
});
