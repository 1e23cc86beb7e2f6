import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { UpstreamServer } from "../gateway_tools/upstream_server.ts";
import { message, withGateway } from "./gateway_stage.ts";

/** A link that has to find out whether its upstream acknowledges takes five seconds for it. */
const buffer = { upstreamAck: "none" };
const everybodyTo = (url: string) => [{ clientIdPrefix: "", upstream: url }];

describe("gateway: reload", () => {
  it("SIGHUP: routes and limits change, nobody is disconnected, the rest is named", () =>
    withGateway({ buffer }, async ({ gateway, upstream }) => {
      const other = await UpstreamServer.listen();
      try {
        const client = await gateway.client("a", "ack=1");
        client.sendJson(message("1"));
        await client.next();
        await client.next();
        gateway.configure({
          routes: everybodyTo(other.url),
          gateway: { messagesPerSecond: 1, messageBurst: 3, maxMessageSize: 4_096 },
          buffer: { ...buffer, size: 5_000, retries: 7 },
          tick_interval_ms: 77,
          log: { level: "debug" },
        });
        gateway.signal("SIGHUP");
        const report = await gateway.reloaded();
        assert.deepEqual(
          new Set(report.changed as string[]),
          new Set([
            "routes",
            "gateway.messagesPerSecond",
            "gateway.messageBurst",
            "buffer.retries",
            "log.level",
          ]),
        );
        assert.deepEqual(
          new Set(report.need_restart as string[]),
          new Set([
            "gateway.maxMessageSize",
            "buffer.size",
            "tick_interval_ms",
          ]),
        );
        for (let n = 2; n < 8; n++) client.sendJson(message(`${n}`));
        const arrived = await other.arrival(0);
        assert.equal(arrived.messageId, "2", "the new upstream has it");
        const codes: unknown[] = [];
        while (codes.length < 3) {
          const frame = await client.nextJson();
          if (frame.action === "error") codes.push(frame.code);
        }
        assert.deepEqual(codes, ["rate_limited", "rate_limited", "rate_limited"]);
        assert.equal(upstream.arrivals.length, 1);
        assert.equal(await gateway.figure("connectionsTotal"), 1, "it was never disconnected");
      } finally {
        await other.goAway();
      }
    }));

  it("notices a file that is rewritten, replaced, or reached by another link", {
    timeout: 60_000,
  }, () =>
    withGateway({}, async ({ gateway, upstream }) => {
      const path = gateway.configPath;
      const client = await gateway.client("a", "ack=1");
      const to = (n: number) => ({ routes: [{ clientIdPrefix: `${n}`, upstream: upstream.url }] });
      gateway.configure(to(1));
      assert.deepEqual((await gateway.reloaded(1)).changed, ["routes"]);
      writeFileSync(`${path}.new`, gateway.configText(to(2)));
      renameSync(`${path}.new`, path);
      assert.deepEqual((await gateway.reloaded(2)).changed, ["routes"]);
      for (const n of [3, 4]) {
        const folder = join(gateway.directory, `version${n}`);
        mkdirSync(folder);
        writeFileSync(join(folder, "gw.json"), gateway.configText(to(n)));
        symlinkSync(join(folder, "gw.json"), `${path}.link`);
        renameSync(`${path}.link`, path);
        assert.deepEqual((await gateway.reloaded(n)).changed, ["routes"]);
      }
      client.sendJson(message("m"));
      assert.equal((await client.nextJson()).code, "no_route");
    }));

  it("a faulty file in the middle of traffic changes nothing, and each fault is a line", async () => {
    await assert.rejects(
      withGateway({}, async ({ gateway }) => {
        const client = await gateway.client("a");
        const path = gateway.configPath;
        const garbage = [
          ["", /freekill-gw.json/],
          ["\u0000\u0001garbage", /freekill-gw.json/],
          [
            gateway.configText({
              routes: [{ clientIdPrefix: "a" }],
              gateway: { messageBurst: "x" },
            }),
            /messageBurst must be[^]*routes\[0\] must be/,
          ],
          ["[]", /must be an object/],
        ] as const;
        let sent = 0;
        for (const [bytes, fault] of garbage) {
          writeFileSync(path, bytes);
          gateway.signal("SIGHUP");
          for (let n = 0; n < 50; n++) client.sendJson(message(`${++sent}`));
          await gateway.logs(fault);
        }
        rmSync(path);
        for (let n = 0; n < sent; n++) {
          assert.equal((await client.nextJson()).messageId, `${n + 1}`);
        }
        client.sendJson(message("last"));
        assert.equal((await client.nextJson()).messageId, "last");
        assert.doesNotMatch(gateway.log, /"configuration reloaded"/);
      }),
      // The faults are errors in its log, which the stage finds at the end.
      /the program found no fault of its own/,
    );
  });

  it("messages that wait follow a new rule, in order, with 20,000 rules read meanwhile", () =>
    withGateway({ buffer }, async ({ gateway, upstream }) => {
      const other = await UpstreamServer.listen();
      try {
        const client = await gateway.client("a", "ack=1");
        await upstream.goAway();
        await gateway.figureBecomes("openclawConnections", (open) => open === 0);
        for (let n = 0; n < 500; n++) client.sendJson(message(`${n}`));
        await gateway.figureBecomes("bufferDepth", (depth) => depth === 500);
        const many = Array.from({ length: 20_000 }, (_, n) => ({
          clientIdPrefix: `someone-${n}`,
          upstream: upstream.url,
        }));
        gateway.configure({ routes: [...many, ...everybodyTo(other.url)] });
        gateway.signal("SIGHUP");
        await other.arrival(499);
        assert.deepEqual(
          other.arrivals.map(({ messageId }) => messageId),
          Array.from({ length: 500 }, (_, n) => `${n}`),
        );
        assert.equal((await gateway.reloaded()).routes, 20_001);
      } finally {
        await other.goAway();
      }
    }));
});
