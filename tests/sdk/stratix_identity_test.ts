import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ScriptedServer } from "./scripted_server.ts";
import { codeOf, SdkClient, withClient } from "./sdk_client.ts";

describe("StratixClient's identity", () => {
  it("keeps the resume token for the next connection, and for the next run", async () => {
    const kept = new Map<string, string>();
    const given: string[] = [];
    const resumeStore = {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => kept.set(key, value),
    };
    const config = { resumeStore, onResumeToken: (token: string) => given.push(token) };
    await withClient(config, async ({ client, peer, server, messages, until }) => {
      assert.equal(peer.url.searchParams.get("v"), "2");
      assert.equal(peer.url.searchParams.has("resume"), false);
      peer.send({ type: 2, action: "welcome", resume: "secret" });
      peer.send({ type: 0, data: "behind it" });
      await until("the message", () => messages.length === 1);
      assert.equal(client.resumeToken, "secret");
      peer.terminate();
      assert.equal((await server.peer()).url.searchParams.get("resume"), "secret");
      assert.deepEqual(given, ["secret"]);
      assert.deepEqual([...kept.values()], ["secret"]);
      client.disconnect();
      const next = new SdkClient({ gatewayUrl: server.url, ...config });
      await next.client.connect();
      assert.equal((await server.peer()).url.searchParams.get("resume"), "secret");
      next.client.disconnect();
    });
  });

  it("gets a token for each connection, and shows a fresh one before it runs out", async () => {
    let calls = 0;
    const token = async () => jwt(++calls, Date.now() / 1_000 + 2);
    await withClient({ token }, async ({ peer, server }) => {
      assert.equal(peer.url.searchParams.get("token"), jwt(1, expOf(peer.url)));
      const frame = await peer.nextJson();
      assert.equal(frame.action, "auth");
      assert.equal(calls, 2);
      peer.close(1008, "token expired");
      const second = await server.peer();
      assert.equal(calls, 3);
      assert.notEqual(second.url.searchParams.get("token"), frame.token);
    });
  });

  it("can show the token as a subprotocol, which access logs leave out", async () => {
    await withClient({ token: "a.b.c", tokenIn: "protocol" }, async ({ peer }) => {
      assert.equal(peer.url.searchParams.has("token"), false);
      assert.equal(peer.protocol, "bearer");
    });
  });

  it("reports a token callback that fails, and tries again", async () => {
    let calls = 0;
    const token = () => {
      if (++calls === 1) throw new Error("no");
      return "t";
    };
    await ScriptedServer.with(async (server) => {
      const { client, errors } = new SdkClient({ gatewayUrl: server.url, token });
      assert.equal(await codeOf(client.connect()), "connect_failed");
      await server.peer();
      assert.equal("code" in errors[0]! && errors[0].code, "token_failed");
      client.disconnect();
    });
  });
});

describe("StratixClient's history", () => {
  it("tells stored messages from live ones, and asks for what it missed", async () => {
    const config = { loadHistory: true, historyLimit: 7, lastMessageId: "m0" };
    await withClient(config, async (stage) => {
      const { peer, server, messages, histories, gaps, until } = stage;
      const query = (url: URL) =>
        ["loadHistory", "lastMessageId", "limit"].map((name) => url.searchParams.get(name));
      assert.deepEqual(query(peer.url), ["true", "m0", "7"]);
      peer.send({ type: 0, clientId: "client-1", messageId: "m1", data: "old" });
      const end = { total: 1, oldestMessageId: "m1", newestMessageId: "m1" };
      peer.send({ type: 2, action: "history_complete", ...end, gap: true });
      peer.send({ type: 0, clientId: "client-1", messageId: "m2", data: "live" });
      await until("both", () => messages.length === 2);
      assert.deepEqual(messages.map(({ info }) => info.isHistory), [true, false]);
      assert.deepEqual(histories, [{ ...end, gap: true }]);
      assert.deepEqual(gaps, histories);
      peer.terminate();
      assert.deepEqual(query((await server.peer()).url), ["true", "m2", "7"]);
    });
  });
});

function jwt(id: number, exp: number): string {
  return `h.${btoa(JSON.stringify({ id, exp: Math.floor(exp) })).replace(/=+$/, "")}.s`;
}

function expOf(url: URL): number {
  const body = url.searchParams.get("token")?.split(".")[1] ?? "";
  return (JSON.parse(atob(body)) as { exp: number }).exp;
}
