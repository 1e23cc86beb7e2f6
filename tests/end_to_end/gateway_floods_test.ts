import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import process from "node:process";
import { describe, it } from "node:test";
import { constants, deflateRawSync } from "node:zlib";
import { httpSilentSecondsMax } from "../../src/adapters/http_rules.ts";
import { rawConnect, upgradeText } from "../adapters/raw_websocket.ts";
import { eventually } from "../gateway_tools/changes.ts";
import type { GatewayClient } from "../gateway_tools/gateway_client.ts";
import type { GatewayProgram } from "../gateway_tools/gateway_program.ts";
import { message, takeAway, withGateway } from "./gateway_stage.ts";
import { halfHandshake, type HalfOpen } from "./half_open.ts";

const seed = Number(process.env.FREEKILL_GW_TEST_SEED ?? Date.now() % 1_000_000);

/** Of a bystander's round trip; a busy machine holds it up for less. */
const slowestMsMax = 4_000;

const halfOpen = 10_000;
/** Of a connection without a whole request, counted in steps of 4 s; and what a busy machine adds. */
const cutOffMsMax = (httpSilentSecondsMax + 4 + 6) * 1_000;
/** What may be left when they are gone: 5 KB for each would show. */
const halfOpenMiBMax = 50;
const openFiles = Number(spawnSync("sh", ["-c", "ulimit -n"]).stdout.toString());
const tooFewFiles = openFiles < halfOpen + 1_000
  ? `the limit of open files is ${openFiles}, this takes ${halfOpen + 1_000}`
  : false;

/** Goes to and fro until it is stopped: nobody else's misbehaviour may hold it up. */
class Bystander {
  readonly #client: GatewayClient;
  readonly #over: Promise<void>;
  #isOver = false;
  #trips = 0;
  #slowestMs = 0;

  private constructor(client: GatewayClient) {
    this.#client = client;
    this.#over = this.#run();
    this.#over.catch(() => {});
  }

  static async at(gateway: GatewayProgram): Promise<Bystander> {
    const bystander = new Bystander(await gateway.client("bystander"));
    return bystander;
  }

  async leave(): Promise<void> {
    this.#isOver = true;
    await this.#over;
    assert.ok(this.#trips > 0);
    assert.ok(this.#slowestMs < slowestMsMax, `the slowest trip took ${this.#slowestMs} ms`);
  }

  async #run(): Promise<void> {
    while (!this.#isOver || this.#trips === 0) {
      const startedAt = performance.now();
      this.#client.sendJson(message(`${this.#trips}`));
      assert.equal((await this.#client.nextJson()).messageId, `${this.#trips++}`);
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - startedAt);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Runs `use` beside a bystander; the memory may grow by so much. */
async function unharmed(
  gateway: GatewayProgram,
  moreMiBMax: number,
  use: () => Promise<void>,
): Promise<void> {
  const bystander = await Bystander.at(gateway);
  const before = gateway.residentMiB();
  await use();
  await bystander.leave();
  const more = gateway.residentMiB() - before;
  assert.ok(more < moreMiBMax, `the memory grew by ${Math.round(more)} MiB`);
  assert.equal((await gateway.get("/health/live")).status, 200);
}

describe("gateway: bad input", () => {
  const broken: readonly [string, (client: GatewayClient) => void, readonly number[]][] = [
    ["text that is not UTF-8", (c) => c.sendFrame(1, Uint8Array.of(0xc3, 0x28)), [1_007]],
    ["a frame without a mask", (c) => c.sendFrame(1, "x", { masked: false }), [1_002]],
    ["a reserved bit", (c) => c.sendFrame(1, "x", { reserved: 1 }), [1_002]],
    ["a reserved opcode", (c) => c.sendFrame(3, "x"), [1_002]],
    ["a ping in two parts", (c) => c.sendFrame(9, "x", { fin: false }), [1_002]],
    ["a ping of 126 bytes", (c) => c.sendFrame(9, "x".repeat(126)), [1_002]],
    ["a continuation of nothing", (c) => c.sendFrame(0, "x"), [1_002]],
    [
      "a length of 2^63",
      (c) => c.sendBytes(new Uint8Array(100).fill(255).fill(0x81, 0, 1)),
      [1_002, 1_009],
    ],
  ];
  for (const [name, send, codes] of broken) {
    it(`${name} costs its sender the connection, and nobody else anything`, () =>
      withGateway({}, ({ gateway }) =>
        unharmed(gateway, 100, async () => {
          const client = await gateway.client("a");
          send(client);
          const { code } = await client.expectClose();
          // Some runtimes cut the stream instead of saying why.
          assert.ok([...codes, 1_006].includes(code), `${code}`);
        })));
  }

  it(
    "a message of 52,428,800 bytes passes, one byte more closes with 1009",
    { timeout: 120_000 },
    () =>
      withGateway({ upstream: { answer: "ack" } }, async ({ gateway, upstream }) => {
        const limit = 52_428_800;
        const client = await gateway.client("a", "ack=1");
        const empty = JSON.stringify(message("m")).length;
        client.sendJson(message("m", "x".repeat(limit - empty)));
        assert.equal((await client.nextJson(60_000)).action, "ack");
        await upstream.until("all of it", () => upstream.arrivals.length === 1, 60_000);
        const { text } = await upstream.arrival(0);
        assert.equal(JSON.parse(text).data.length, limit - empty);
        client.sendJson(message("n", "x".repeat(limit - empty + 1)));
        const { code } = await client.expectClose(60_000);
        assert.equal(code, 1_009);
        assert.equal((await gateway.get("/health/live")).status, 200);
      }),
  );

  it("with enableCompression the limit counts inflated bytes; without it nothing is compressed", () =>
    withGateway({
      gateway: { maxMessageSize: 100_000, security: { enableCompression: true } },
      upstream: { answer: "silent" },
    }, async ({ gateway, upstream }) => {
      const headers = { "Sec-WebSocket-Extensions": "permessage-deflate" };
      const client = await gateway.client("a", "", { headers });
      assert.match(client.upgradeHeaders.get("sec-websocket-extensions") ?? "", /deflate/);
      const send = (bytes: number) => {
        const text = JSON.stringify({ type: 0, data: "x".repeat(bytes) });
        // RFC 7692 §7.2.1: without the four bytes of an empty block.
        const all = deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH });
        client.sendFrame(1, all.subarray(0, -4), { reserved: 4 });
      };
      send(50_000);
      assert.equal(JSON.parse((await upstream.arrival(0)).text).data.length, 50_000);
      send(50_000_000);
      const { code } = await client.expectClose();
      assert.ok(code === 1_009 || code === 1_006, `${code}`);
      assert.equal(upstream.arrivals.length, 1);
      await gateway.stop();
      await gateway.start({
        gateway: {},
        routes: [{ clientIdPrefix: "", upstream: upstream.url }],
      });
      const plain = await gateway.client("a", "", { headers });
      assert.equal(plain.upgradeHeaders.get("sec-websocket-extensions"), null);
    }));

  it("large messages of many clients at once stay within the memory limit", () =>
    withGateway(
      { root: { memory: { maxMemoryMB: 64, highWatermark: 0.5 } }, upstream: { answer: "ack" } },
      async ({ gateway, upstream }) => {
        await takeAway({ gateway, upstream });
        const data = "x".repeat(1_000_000);
        const client = await gateway.client("a", "ack=1");
        const codes: unknown[] = [];
        for (let i = 0; i < 100; i++) {
          client.sendJson(message(`${i}`, data));
          const got = await client.nextJson();
          codes.push(got.action === "ack" ? "ack" : got.code);
        }
        assert.ok(codes.includes("memory_pressure"), codes.join(" "));
        const acked = codes.filter((code) => code === "ack").length;
        assert.ok(acked >= 20 && acked <= 64, `${acked} MB were taken`);
        // A small one is still taken between the watermark and the limit.
        client.sendJson(message("small"));
        assert.equal((await client.nextJson()).action, "ack");
        await upstream.comeBack();
        await gateway.figureBecomes("bufferDepth", (depth) => depth === 0);
        client.sendJson(message("large", data));
        assert.equal((await client.nextJson()).action, "ack", "it takes large ones again");
      },
    ));

  it("100 connections of random bytes, before and after the upgrade, leave it unharmed", () =>
    withGateway({}, ({ gateway }) =>
      unharmed(gateway, 200, async () => {
        console.log(`seed ${seed} (FREEKILL_GW_TEST_SEED)`);
        let state = seed >>> 0;
        const byte = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 24;
        for (let i = 0; i < 100; i++) {
          const connection = await rawConnect(gateway.port);
          if (i % 2 === 1) {
            connection.write(upgradeText(`/ws?clientId=g${i}`));
            assert.equal((await connection.readHead()).status, 101);
          }
          connection.write(Uint8Array.from({ length: 2_000 + byte() * 10 }, byte));
          await connection.flush();
          connection.end();
          connection.destroy();
          await connection.closed;
        }
        await gateway.figureBecomes("connectionsActive", (active) => active === 1);
      })));
});

describe("gateway: floods", () => {
  it("a client at 50 times its rate is refused or closed, and others are served", () =>
    withGateway(
      { gateway: { messagesPerSecond: 100, messageBurst: 100 } },
      ({ gateway, upstream }) =>
        unharmed(gateway, 200, async () => {
          const flood = await gateway.client("flood", "ack=1");
          const text = JSON.stringify({ type: 0, data: "x".repeat(100) });
          for (let second = 0; second < 3 && !flood.isClosed; second++) {
            for (let i = 0; i < 5_000 && !flood.isClosed; i++) flood.sendText(text);
            await new Promise((resolve) => setTimeout(resolve, 1_000));
          }
          if (flood.isClosed) {
            const { code } = await flood.expectClose();
            assert.ok(code === 1_008 || code === 1_006, `${code}`);
          }
          const came = upstream.arrivals.filter(({ clientId }) => clientId === "flood").length;
          assert.ok(came <= 1_000, `${came} of 15,000 came through`);
        }),
    ));

  it("a flood of control frames ends its connection", () =>
    withGateway(
      { gateway: { messagesPerSecond: 100, messageBurst: 100 } },
      ({ gateway }) =>
        unharmed(gateway, 200, async () => {
          const flood = await gateway.client("flood");
          for (let i = 0; i < 200 && !flood.isClosed; i++) {
            for (let j = 0; j < 1_000; j++) flood.sendFrame(9, "p");
            await flood.flushed();
            await new Promise((resolve) => setTimeout(resolve, 10));
          }
          await flood.expectClose();
        }),
    ));

  it("a message in 100,000 fragments of a byte, or without end and empty, harms nobody", () =>
    withGateway(
      { gateway: { maxMessageSize: 1_000_000 } },
      ({ gateway }) =>
        unharmed(gateway, 200, async () => {
          for (const part of ["x", ""]) {
            const client = await gateway.client(`fragments of ${part.length}`);
            client.sendFrame(1, `{"type":0,"data":"`, { fin: false });
            for (let i = 0; i < 100 && !client.isClosed; i++) {
              for (let j = 0; j < 1_000; j++) client.sendFrame(0, part, { fin: false });
              await client.flushed();
            }
            if (!client.isClosed) client.sendFrame(0, `"}`);
            // It came as one message, or was a flood.
            const outcome = await client.next().catch(() => "closed");
            assert.ok(outcome === "closed" || JSON.parse(outcome).type === 0, outcome);
            client.destroy();
          }
        }),
    ));

  it(
    `${halfOpen} half-open handshakes hold up nobody, and are cut off before long`,
    { skip: tooFewFiles, timeout: 120_000 },
    () =>
      withGateway({}, ({ gateway }) =>
        unharmed(gateway, halfOpenMiBMax, async () => {
          const files = openFilesOf(gateway);
          const sockets: HalfOpen[] = [];
          try {
            for (let i = 0; i < halfOpen / 100; i++) {
              await Promise.all(Array.from({ length: 100 }, async () => {
                sockets.push(await halfHandshake(gateway.port));
              }));
            }
            const openedAt = performance.now();
            const late = await gateway.client("late");
            late.sendJson(message("m"));
            assert.equal((await late.nextJson()).messageId, "m");
            await Promise.all(sockets.map(({ closed }) => closed));
            const took = performance.now() - openedAt;
            assert.ok(took < cutOffMsMax, `the last one was cut off after ${Math.round(took)} ms`);
            // Some of the program's own have been opened meanwhile.
            await eventually(
              "their files are closed",
              () => openFilesOf(gateway) < files + 100,
            );
          } finally {
            for (const { socket } of sockets) socket.destroy();
          }
        })),
  );

  it("clients that go in the rudest of ways are all counted out", () =>
    withGateway({}, ({ gateway }) =>
      unharmed(gateway, 200, async () => {
        for (let round = 0; round < 20; round++) {
          await Promise.all(Array.from({ length: 50 }, async (_, n) => {
            const client = await gateway.client(`rude ${round} ${n}`);
            client.sendJson({ type: 0, data: "x" });
            if (n % 3 !== 0) client.sendFrame(8, Uint8Array.of(3, 232));
            if (n % 3 === 1) client.sendFrame(8, Uint8Array.of(3, 232));
            // The answer or the close, whichever is first.
            if (n % 2 === 0) await client.next().catch(() => {});
            client.reset();
          }));
        }
        await gateway.figureBecomes("connectionsActive", (active) => active === 1);
      })));

  it("clients that do not read are closed, and cost neither others nor memory", () =>
    withGateway(
      { gateway: { slowConsumerSeconds: 1, outboundBytesMax: 1_000_000 } },
      ({ gateway, upstream }) =>
        unharmed(gateway, 300, async () => {
          const slow = await Promise.all(Array.from({ length: 10 }, async (_, n) => {
            const client = await gateway.client(`slow ${n}`);
            client.sendJson({ type: 0, data: "hello" });
            await client.next();
            client.stopReading();
            return client;
          }));
          const data = "x".repeat(100_000);
          for (let i = 0; i < 200; i++) {
            for (let n = 0; n < slow.length; n++) {
              await upstream.send({ type: 0, clientId: `slow ${n}`, data });
            }
            await new Promise((resolve) => setTimeout(resolve, 1));
          }
          await gateway.figureBecomes("connectionsActive", (active) => active === 1);
          for (const client of slow) {
            client.startReading();
            const { code } = await client.expectClose();
            assert.ok(code === 1_013 || code === 1_006, `${code}`);
          }
        }),
    ));
});

function openFilesOf({ pid }: GatewayProgram): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
