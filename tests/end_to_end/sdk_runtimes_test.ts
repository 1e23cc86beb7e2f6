import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { StratixClient } from "../../src/sdk/stratix_client.ts";
import { Changes } from "../gateway_tools/changes.ts";
import { withGateway } from "./gateway_stage.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const peer = `${root}tests/gateway_tools/sdk_peer.js`;
/** A Node of this machine: below 22 it has no WebSocket of its own, and takes that of `ws`. */
const node = process.env.FREEKILL_GW_NODE ?? "node";

const runtimes: Record<string, string[]> = {
  Node: [node, peer],
  Deno: [`${root}.tools/bin/deno`, "run", "-A", peer],
  Bun: [process.execPath, peer],
};

describe("the published SDK", () => {
  for (const [name, command] of Object.entries(runtimes)) {
    const isThere = spawnSync(command[0]!, ["--version"]).status === 0;
    const skip = isThere ? false : `no ${name} on this machine`;
    it(`in ${name} loses nothing when the server is killed, and lets the process end`, {
      skip,
    }, async () => {
      await withGateway({ gateway: { messagesPerSecond: 0 } }, async ({ gateway, upstream }) => {
        const count = 2_000;
        const gatewayUrl = `ws://127.0.0.1:${gateway.port}/ws`;
        const run = new Run(command, { gatewayUrl, count });
        await run.says(/^acknowledged 100$/m);
        await gateway.kill();
        await gateway.start();
        const [, report = ""] = await run.says(/^(\{.*\})$/m);
        assert.equal(await run.ended, 0);
        const { connects, acknowledged, queue } = JSON.parse(report);
        assert.deepEqual({ acknowledged, queue }, { acknowledged: count, queue: 0 });
        assert(connects >= 2, "it was killed before the end");
        const ids = Array.from({ length: count }, (_, number) => `m${number}`);
        const arrived = new Set(upstream.arrivals.map(({ messageId }) => messageId));
        assert.deepEqual([...arrived], [...ids, "binary"]);
        assert.equal(upstream.arrivals[0]?.clientId, "peer/ü 1");
      });
    });
  }

  it("has every message acknowledged that it sends faster than a client may", async () => {
    await withGateway({}, async ({ gateway, upstream }) => {
      const gatewayUrl = `ws://127.0.0.1:${gateway.port}/ws`;
      const client = new StratixClient({ clientId: "hasty", gatewayUrl, acks: true });
      let losses = 0;
      client.onDisconnect(() => losses++);
      await client.connect();
      // The burst is 2,000, and then 1,000 a second.
      const ids = Array.from({ length: 4_000 }, (_, number) => `m${number}`);
      await Promise.all(ids.map((messageId) => client.send("x", { messageId })));
      assert.equal(losses, 0);
      client.disconnect();
      assert(await gateway.figure("rateLimitExceeded") > 0, "it was too fast");
      const arrived = upstream.arrivals.map(({ messageId }) => messageId);
      assert.equal(arrived.length, ids.length);
      assert.deepEqual(new Set(arrived), new Set(ids));
    });
  });

  it("is what package.json exports", async () => {
    const about = await import("../../package.json");
    const { default: script, types } = about.exports["./sdk"];
    const published = await import(`${root}${script}`) as Record<string, unknown>;
    assert.deepEqual(Object.keys(published).sort(), ["StratixClient", "StratixError", "bytesOf"]);
    assert.match(await Bun.file(`${root}${types}`).text(), /export declare class StratixClient/);
  });
});

/** A process and what it has said. */
class Run {
  readonly ended: Promise<number | null>;
  #said = "";
  #errors = "";
  readonly #changes = new Changes();

  constructor([program = "", ...args]: readonly string[], options: unknown) {
    const child: ChildProcess = spawn(program, [...args, JSON.stringify(options)]);
    child.stdout?.on("data", (text) => {
      this.#said += text;
      this.#changes.happened();
    });
    child.stderr?.on("data", (text) => this.#errors += text);
    this.ended = new Promise((resolve) => child.once("close", resolve));
    void this.ended.then(() => this.#changes.happened());
  }

  async says(pattern: RegExp): Promise<RegExpExecArray> {
    try {
      return await this.#changes.until(
        `${pattern}`,
        () => pattern.exec(this.#said) ?? undefined,
      );
    } catch (error) {
      throw new Error(`it said ${this.#said.slice(-200)}\n${this.#errors}`, { cause: error });
    }
  }
}
