import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { describe, it } from "node:test";
import type { Page } from "playwright-core";
import type { StratixClient, StratixConfig } from "../../src/sdk/stratix_client.ts";
import { eventually } from "../gateway_tools/changes.ts";
import { noChromium, withTab } from "../gateway_tools/chromium.ts";
import { GatewayProgram } from "../gateway_tools/gateway_program.ts";
import { NetworkCable } from "../gateway_tools/network_cable.ts";
import type { UpstreamServer } from "../gateway_tools/upstream_server.ts";
import { withGateway } from "./gateway_stage.ts";

/** Of the directory with the reports of the tests. */
const screenshots = new URL("../../.build/", import.meta.url).pathname;

/** What the test's page keeps. */
interface Sent {
  client: StratixClient;
  /** Ids in the order in which they were sent, and those that were acknowledged. */
  ids: string[];
  promised: string[];
  refused: string[];
  replies: string[];
}

describe("a tab with the SDK", { skip: noChromium }, () => {
  it("loses nothing that it was promised when its network goes and comes back", async () => {
    await withGateway({ gateway: { messagesPerSecond: 0 } }, async ({ gateway, upstream }) => {
      const cable = await NetworkCable.to(gateway.port);
      try {
        await withTab(async ({ page, context, faults }) => {
          await openSdk(page, `http://127.0.0.1:${cable.port}`);
          await sendEvery(page, 5);
          await enough(page, 100);
          cable.pullOut();
          await context.setOffline(true);
          await enough(page, 300);
          const before = await count(page, "promised");
          await eventually("it knows that the connection is gone", () => isAway(page));
          await enough(page, 400);
          cable.plugIn();
          await context.setOffline(false);
          await enough(page, 500);
          await allPromised(page);
          assert(await count(page, "promised") > before);
          assert(cable.connections >= 2, "it came back on a new connection");
          await nothingLost(page, upstream);
          assert.deepEqual(faults, []);
        });
      } finally {
        await cable.remove();
      }
    });
  });

  it("loses nothing that it was promised when the server is killed, twice", async () => {
    await withGateway({ gateway: { messagesPerSecond: 0 } }, async ({ gateway, upstream }) => {
      await withTab(async ({ page, faults }) => {
        await openSdk(page, `http://127.0.0.1:${gateway.port}`);
        await sendEvery(page, 2);
        for (const round of [1, 2]) {
          await enough(page, round * 200);
          await gateway.kill();
          await eventually("it knows that the connection is gone", () => isAway(page));
          await gateway.start();
        }
        await enough(page, 600);
        await allPromised(page);
        await nothingLost(page, upstream);
        assert.deepEqual(faults, []);
      });
    });
  });
});

describe("the page /demo", { skip: noChromium }, () => {
  it("sends, shows acknowledgements and replies, and survives a restart of the server", async () => {
    mkdirSync(screenshots, { recursive: true });
    await GatewayProgram.with({ config: {}, flags: ["--demo"] }, async (gateway) => {
      await withTab(async ({ page, faults }) => {
        const address = `http://127.0.0.1:${gateway.port}/demo`;
        await gateway.saysOut(new RegExp(address.replaceAll(".", "\\.")));
        await page.goto(address);
        await shows(page, "#state", "connected");
        await say(page, "hello");
        await say(page, "<b>no markup</b> 世界");
        await shows(page, "#stored", "2");
        await shows(page, "#answered", "2");
        await gateway.stop();
        await shows(page, "#state", "reconnecting…");
        await say(page, "written while the server was away");
        await shows(page, "#waiting", "1");
        await gateway.start();
        await shows(page, "#state", "connected");
        await shows(page, "#stored", "3");
        await shows(page, "#answered", "3");
        await shows(page, "#waiting", "0");
        await say(page, "and on it goes");
        await shows(page, "#answered", "4");
        await page.screenshot({ path: `${screenshots}gateway-demo.png` });
        await page.click("#language");
        await shows(page, "#state", "已连接");
        const list = await page.textContent("#list");
        assert.match(list ?? "", /<b>no markup<\/b> 世界/);
        await page.reload();
        await shows(page, "#state", "connected");
        assert.deepEqual(faults, []);
      });
    });
  });

  it("is not there without --demo, while the SDK is", async () => {
    await withGateway({}, async ({ gateway }) => {
      assert.equal((await gateway.get("/demo")).status, 404);
      const script = await gateway.get("/sdk/stratix-client.js");
      assert.equal(script.headers.get("content-type"), "text/javascript; charset=utf-8");
      const etag = script.headers.get("etag") ?? "";
      const again = await gateway.get("/sdk/stratix-client.js", {
        "if-none-match": `"x", ${etag}`,
      });
      assert.equal(again.status, 304);
      assert.equal(await again.text(), "");
      const types = await gateway.get("/sdk/stratix-client.d.ts");
      assert.match(await types.text(), /export declare class StratixClient/);
    });
  });
});

/** A client in the page, of the script that the gateway serves. */
async function openSdk(page: Page, origin: string): Promise<void> {
  await page.goto(`${origin}/health`);
  await page.evaluate(async (script) => {
    const { StratixClient } = await import(script) as {
      StratixClient: new (config: StratixConfig) => StratixClient;
    };
    const client = new StratixClient({
      clientId: "a tab",
      gatewayUrl: "/ws",
      acks: true,
      resumeStore: sessionStorage,
      reconnectInterval: 50,
      maxReconnectInterval: 200,
      connectTimeout: 1_000,
      heartbeatInterval: 1_100,
      heartbeatTimeout: 500,
    });
    const sent: Sent = { client, ids: [], promised: [], refused: [], replies: [] };
    client.onMessage(({ messageId }) => sent.replies.push(messageId));
    Object.assign(globalThis, { sent });
    await client.connect();
  }, `${origin}/sdk/stratix-client.js`);
}

/** Starts to send numbered messages. */
async function sendEvery(page: Page, ms: number): Promise<void> {
  await page.evaluate((ms) => {
    const { sent } = globalThis as unknown as { sent: Sent };
    const timer = setInterval(() => {
      const messageId = `m${sent.ids.length}`;
      sent.ids.push(messageId);
      sent.client.send(`number ${sent.ids.length}`, { messageId }).then(
        () => sent.promised.push(messageId),
        (error) => sent.refused.push(`${messageId}: ${error}`),
      );
    }, ms);
    Object.assign(globalThis, { timer });
  }, ms);
}

function count(page: Page, list: "ids" | "promised" | "replies"): Promise<number> {
  return page.evaluate(
    (list) => (globalThis as unknown as { sent: Sent }).sent[list].length,
    list,
  );
}

async function enough(page: Page, ids: number): Promise<void> {
  await eventually(`${ids} messages were sent`, async () => await count(page, "ids") >= ids);
}

function isAway(page: Page): Promise<boolean> {
  return page.evaluate(
    () => !(globalThis as unknown as { sent: Sent }).sent.client.getConnectionState(),
  );
}

/** Stops sending, and waits for all acknowledgements. */
async function allPromised(page: Page): Promise<void> {
  await page.evaluate(() => clearInterval((globalThis as unknown as { timer: number }).timer));
  const ids = await count(page, "ids");
  await eventually("all are acknowledged", async () => await count(page, "promised") === ids);
}

/** What was promised is at the upstream, in the order in which it was sent. */
async function nothingLost(page: Page, upstream: UpstreamServer): Promise<void> {
  const sent = await page.evaluate(() => {
    const { ids, promised, refused } = (globalThis as unknown as { sent: Sent }).sent;
    return { ids, promised, refused };
  });
  assert.deepEqual(sent.refused, []);
  assert.deepEqual(new Set(sent.promised), new Set(sent.ids));
  const arrived = () => new Set(upstream.arrivals.map(({ messageId }) => messageId));
  await upstream.until("all at the upstream", () => arrived().size >= sent.ids.length);
  assert.deepEqual([...arrived()], sent.ids);
}

async function say(page: Page, text: string): Promise<void> {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
}

async function shows(page: Page, selector: string, text: string): Promise<void> {
  await eventually(
    `${selector} shows ${text}`,
    async () => await page.textContent(selector) === text,
  );
}
