import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Replay, ServerMessage } from "../gateway_tools/gateway_client.ts";
import type { GatewayProgram } from "../gateway_tools/gateway_program.ts";
import { type GatewayStage, message, unlimited, withGateway } from "./gateway_stage.ts";

/** Connects, takes the history and leaves. */
async function historyOf(gateway: GatewayProgram, id: string, query = ""): Promise<Replay> {
  const client = await gateway.client(id, `loadHistory=true${query === "" ? "" : `&${query}`}`);
  const replay = await client.replay();
  await client.close();
  return replay;
}

const idsOf = ({ messages }: Replay) => messages.map(({ messageId }) => messageId);
const dataOf = ({ messages }: Replay) => messages.map(({ data }) => data);

/** Sends `m1` … to the upstream, which is silent. */
async function sendUp({ gateway, upstream }: GatewayStage, id: string, count: number) {
  const client = await gateway.client(id);
  const before = upstream.arrivals.length;
  for (let i = 1; i <= count; i++) client.sendJson(message(`m${i}`, `up ${i}`));
  await upstream.arrival(before + count - 1);
  await client.close();
}

const silent = { upstream: { answer: "silent" }, gateway: unlimited } as const;

describe("gateway: history", () => {
  it("a client that asks gets the messages of both directions in order, then the end note", () =>
    withGateway(silent, async ({ gateway, upstream }) => {
      const client = await gateway.client("a");
      client.sendText('{"type":0,"messageId":"up-1","data":"é\\u00e9","own":1e400}');
      const sent = JSON.parse((await upstream.arrival(0)).text) as ServerMessage;
      const stamp = /"timestamp":(\d+)/.exec((await upstream.arrival(0)).text)?.[1];
      assert.equal(sent.messageId, "up-1");
      const down = '{"clientId":"a","type":0 , "messageId":"down-1","data":"\\u0041"}';
      (await upstream.connection()).sendText(down);
      await client.next();
      client.sendJson({ type: 0, data: "without an id" });
      await upstream.arrival(1);
      await client.close();

      const again = await gateway.client("a", "loadHistory=true");
      assert.equal(
        await again.next(),
        `{"clientId":"a","timestamp":${stamp},"type":0,"messageId":"up-1","data":"é\\u00e9","own":1e400}`,
      );
      assert.equal(await again.next(), down);
      assert.equal(
        await again.next(),
        '{"type":2,"action":"history_complete","total":2,"oldestMessageId":"up-1","newestMessageId":"down-1"}',
      );
      assert.equal(await gateway.figure("historyClients"), 1);
      assert.equal(await gateway.figure("historyMessages"), 2);
    }));

  it("comes right behind the welcome; an id without messages gets the end note alone", () =>
    withGateway(silent, async ({ gateway }) => {
      const client = await gateway.client("new", "v=2&loadHistory=true");
      assert.equal((await client.nextJson()).action, "welcome");
      assert.deepEqual(await client.nextJson(), { type: 2, action: "history_complete", total: 0 });
      const gap = await historyOf(gateway, "other", "lastMessageId=x");
      assert.deepEqual(gap.end, { type: 2, action: "history_complete", total: 0, gap: true });
    }));

  it("`limit` of every shape: 1 … maxPerClient counts, all else is 100", () =>
    withGateway(
      { ...silent, gateway: { ...unlimited, history: { maxPerClient: 150 } } },
      async (stage) => {
        const { gateway } = stage;
        await sendUp(stage, "a", 160);
        const counts: [string, number][] = [
          ["", 100],
          ["limit=1", 1],
          ["limit=150", 150],
          ["limit=151", 100],
          ["limit=0", 100],
          ["limit=-1", 100],
          ["limit=1e1", 100],
          ["limit=0x10", 100],
          ["limit=%205%20", 100],
          ["limit=5.5", 100],
          ["limit=abc", 100],
          ["limit=", 100],
          ["limit=99999999999999999999", 100],
          ["limit=7&limit=8", 8],
          ["limit=%00", 100],
        ];
        for (const [query, count] of counts) {
          const replay = await historyOf(gateway, "a", query);
          assert.equal(replay.messages.length, count, query);
          assert.equal(replay.end.total, count, query);
          assert.equal(replay.end.newestMessageId, "m160", query);
          assert.equal(replay.end.oldestMessageId, `m${161 - count}`, query);
        }
        assert.equal(await gateway.figure("historyMessages"), 150);
      },
    ));

  it("`lastMessageId`: what came after its last message; unknown: all, with a gap", () =>
    withGateway(silent, async (stage) => {
      const { gateway } = stage;
      await sendUp(stage, "a", 5);
      assert.deepEqual(idsOf(await historyOf(gateway, "a", "lastMessageId=m3")), ["m4", "m5"]);
      const none = await historyOf(gateway, "a", "lastMessageId=m5");
      assert.deepEqual(none.end, { type: 2, action: "history_complete", total: 0 });
      const unknown = await historyOf(gateway, "a", "lastMessageId=m0&limit=2");
      assert.equal(unknown.end.gap, true);
      assert.deepEqual(idsOf(unknown), ["m1", "m2", "m3", "m4", "m5"]);
      const empty = await historyOf(gateway, "a", "lastMessageId=&limit=2");
      assert.deepEqual([idsOf(empty), empty.end.gap], [["m4", "m5"], undefined]);
      await sendUp(stage, "a", 4);
      const repeated = await historyOf(gateway, "a", "lastMessageId=m3");
      assert.deepEqual(idsOf(repeated), ["m4"]);
    }));

  it("of a message over maxMsgSizeKB only the metadata is kept, in both directions", () =>
    withGateway(
      { ...silent, gateway: { ...unlimited, history: { maxMsgSizeKB: 1 } } },
      async ({ gateway, upstream }) => {
        const data = "x".repeat(2_000);
        const client = await gateway.client("a");
        client.sendJson({ ...message("up", data), contentType: "text/x" });
        await upstream.arrival(0);
        await upstream.send({ type: 0, clientId: "a", messageId: "down", data });
        assert.equal((await client.nextJson()).data, data);
        const { messages } = await historyOf(gateway, "a");
        assert.deepEqual(messages.map(({ messageId }) => messageId), ["up", "down"]);
        for (const { data, size } of messages) {
          assert.equal(data, undefined);
          assert.ok(Number(size) > 2_000 && Number(size) < 2_100);
        }
        assert.equal(messages[0]?.contentType, "text/x");
      },
    ));

  it("what waited and is in the history comes once; what is not in it follows", () =>
    withGateway(silent, async ({ gateway, upstream }) => {
      const first = await gateway.client("a");
      await upstream.connection();
      await first.close();
      await gateway.figureBecomes("connectionsActive", (count) => count === 0);
      for (let i = 1; i <= 5; i++) {
        await upstream.send({ type: 0, clientId: "a", messageId: `d${i}`, data: `${i}` });
      }
      await gateway.figureBecomes("waitingMessages", (count) => count === 5);
      const client = await gateway.client("a", "loadHistory=true&limit=2");
      assert.deepEqual(dataOf(await client.replay()), ["4", "5"]);
      for (const data of ["1", "2", "3"]) assert.equal((await client.nextJson()).data, data);
      assert.equal(await gateway.figure("waitingMessages"), 0);
      await upstream.send({ type: 0, clientId: "a", data: "live" });
      assert.equal((await client.nextJson()).data, "live");
    }));

  it("survives a restart, with the waiting messages, and kill -9 a moment after", () =>
    withGateway(silent, async (stage) => {
      const { gateway, upstream } = stage;
      await sendUp(stage, "a", 20);
      await upstream.send({ type: 0, clientId: "a", messageId: "away", data: "away" });
      await gateway.figureBecomes("waitingMessages", (count) => count === 1);
      assert.equal(await gateway.stop(), 0);
      await gateway.start();
      const client = await gateway.client("a", "loadHistory=true");
      const replay = await client.replay();
      assert.deepEqual(idsOf(replay), [
        ...Array.from({ length: 20 }, (_, i) => `m${i + 1}`),
        "away",
      ]);
      assert.equal(await gateway.figure("waitingMessages"), 0);
      client.sendJson(message("the-last-one"));
      await upstream.until(
        "the last one",
        () => upstream.arrivals.some(({ messageId }) => messageId === "the-last-one"),
      );
      await untilOnDisk(gateway, "the-last-one");
      await gateway.kill();
      await gateway.start();
      assert.equal((await historyOf(gateway, "a", "limit=1")).end.newestMessageId, "the-last-one");
    }));

  it("killed while it is written, with a torn file: what is whole is served, in order", () =>
    withGateway(silent, async ({ gateway, upstream }) => {
      for (let round = 0; round < 4; round++) {
        const client = await gateway.client("a");
        const before = upstream.arrivals.length;
        for (let i = 0; i < 400; i++) client.sendJson(message(`r${round}-${i}`, "x".repeat(300)));
        await upstream.until("some of them", () => upstream.arrivals.length > before + 200);
        await gateway.kill();
        const [newest] = historyFiles(gateway).slice(-1);
        // Cut into the last record, as a power loss may.
        if (newest !== undefined && newest.bytes > 200) {
          truncateSync(newest.path, newest.bytes - 57);
        }
        await gateway.start();
        const { messages } = await historyOf(gateway, "a", "limit=500");
        const numbers = messages.map(({ messageId }) =>
          String(messageId).slice(1).split("-").map(Number)
        ).map(([round = 0, i = 0]) => round * 1_000 + i);
        assert.deepEqual(numbers, [...new Set(numbers)].sort((one, other) => one - other));
        for (const { data } of messages) assert.equal(data, "x".repeat(300));
      }
    }));

  it("live messages during a long replay come behind it, none twice and none missing", () =>
    withGateway(
      {
        ...silent,
        gateway: {
          ...unlimited,
          outboundBytesMax: 262_144,
          slowConsumerSeconds: 60,
          history: { maxMsgSizeKB: 1_024 },
        },
      },
      async ({ gateway, upstream }) => {
        const first = await gateway.client("a");
        for (let i = 0; i < 400; i++) first.sendJson(message(`m${i}`, "x".repeat(40_000)));
        await upstream.arrival(399);
        await first.close();
        const client = await gateway.client("a", "loadHistory=true&limit=400");
        client.stopReading();
        for (let i = 0; i < 500; i++) {
          const id = i % 3 === 0 ? {} : { messageId: `live${i}` };
          await upstream.send({ type: 0, clientId: "a", ...id, data: `live ${i}` });
        }
        const probe = await gateway.client("probe");
        await upstream.send({ type: 0, clientId: "probe", data: "all came" });
        await probe.next();
        client.startReading();
        const replay = await client.replay();
        assert.deepEqual(idsOf(replay), Array.from({ length: 400 }, (_, i) => `m${i}`));
        for (let i = 0; i < 500; i++) assert.equal((await client.nextJson()).data, `live ${i}`);
        assert.deepEqual(client.unread(), []);
      },
    ));

  it("a take-over in the middle of a replay loses and doubles nothing that has an id", () =>
    withGateway(
      {
        ...silent,
        gateway: {
          ...unlimited,
          outboundBytesMax: 65_536,
          slowConsumerSeconds: 60,
          history: { maxMsgSizeKB: 1_024 },
        },
      },
      async ({ gateway, upstream }) => {
        const first = await gateway.client("a");
        for (let i = 0; i < 300; i++) first.sendJson(message(`m${i}`, "x".repeat(30_000)));
        await upstream.arrival(299);
        await first.close();
        const stuck = await gateway.client("a", "loadHistory=true&limit=300");
        stuck.stopReading();
        for (let i = 0; i < 20; i++) {
          await upstream.send({ type: 0, clientId: "a", messageId: `d${i}`, data: `${i}` });
        }
        await gateway.figureBecomes("historyMessages", (count) => count === 320);
        const next = await gateway.client("a", "loadHistory=true&limit=10");
        const replay = await next.replay();
        assert.deepEqual(dataOf(replay), Array.from({ length: 10 }, (_, i) => `${i + 10}`));
        for (let i = 0; i < 10; i++) assert.equal((await next.nextJson()).data, `${i}`);
        await upstream.send({ type: 0, clientId: "a", data: "live" });
        assert.equal((await next.nextJson()).data, "live");
        stuck.startReading();
        assert.equal((await stuck.expectClose()).code, 4409);
      },
    ));

  it("switched off: the end note comes at once, and nothing is kept", () =>
    withGateway(
      { ...silent, gateway: { ...unlimited, history: { enabled: false } } },
      async (stage) => {
        await sendUp(stage, "a", 3);
        const { end } = await historyOf(stage.gateway, "a");
        assert.deepEqual(end, { type: 2, action: "history_complete", total: 0 });
        assert.equal(await stage.gateway.figure("historyMessages"), 0);
        assert.deepEqual(historyFiles(stage.gateway), []);
      },
    ));

  it("is nobody's but its owner's: an id with a token gives a stranger nothing", () =>
    withGateway(silent, async ({ gateway }) => {
      const owner = await gateway.client("a", "v=2");
      const { resume } = await owner.nextJson();
      await owner.close();
      const refused = await gateway.refused({ clientId: "a", query: "loadHistory=true" });
      assert.equal(refused.status, 401);
      const back = await gateway.client("a", `v=2&loadHistory=true&resume=${resume}`);
      assert.equal((await back.nextJson()).action, "welcome");
      assert.equal((await back.nextJson()).action, "history_complete");
    }));
});

function historyFiles({ directory }: GatewayProgram): { path: string; bytes: number }[] {
  const data = join(directory, "data");
  return readdirSync(data).filter((name) => name.includes(".history.")).sort().map((name) => {
    const path = join(data, name);
    return { path, bytes: statSync(path).size };
  });
}

/** Waits until a message is in a file of the history. */
async function untilOnDisk(gateway: GatewayProgram, messageId: string): Promise<void> {
  const isThere = () =>
    historyFiles(gateway).some(({ path }) => readFileSync(path).includes(messageId));
  const giveUpAt = performance.now() + 20_000;
  while (!isThere()) {
    if (performance.now() > giveUpAt) throw new Error(`${messageId} is in no file`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
