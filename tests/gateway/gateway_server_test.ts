import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BufferConfig, GatewayConfig } from "../../src/config/gateway_config.ts";
import { GatewayServer } from "../../src/gateway/gateway_server.ts";
import type { ClientSession } from "../../src/gateway/gateway_types.ts";
import type { LogFilesPort } from "../../src/ports/log_file.ts";
import type { TcpPort } from "../../src/ports/tcp.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeFiles } from "../fakes/files.ts";
import { fakeLog } from "../fakes/log.ts";
import { fakeDisk } from "../fakes/log_files.ts";
import { fakeRandom } from "../fakes/random.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";
import { roomyGateway } from "./door_fixture.ts";

/** Never answers. */
const noTcp: TcpPort = {
  listen: () => Promise.reject(new Error("nobody listens here")),
  connect: () => new Promise(() => {}),
};

interface Stage {
  readonly gateway: GatewayServer;
  readonly clock: ReturnType<typeof fakeClock>;
  /** What the client got since it was last asked. */
  heard(): string[];
  send(message: unknown): void;
}

/** A gateway with one client, which has `ack=1`. */
async function withServer(
  options: { config?: Partial<GatewayConfig>; buffer?: Partial<BufferConfig> },
  disk: LogFilesPort,
  use: (stage: Stage) => Promise<void>,
): Promise<void> {
  const { crypto, process } = await runtimeUnderTest();
  const clock = fakeClock();
  const config: GatewayConfig = {
    ...roomyGateway,
    ...options.config,
    buffer: {
      ...roomyGateway.buffer,
      persistFile: "data/buffer.log",
      fsync: "always",
      dedupWindowMs: 600_000,
      ...options.buffer,
    },
  };
  const opened = await GatewayServer.open({
    ports: {
      clock,
      crypto,
      process,
      random: fakeRandom(),
      tcp: noTcp,
      files: fakeFiles(),
      logFiles: disk,
    },
    config,
    logger: fakeLog().open({ level: "debug", format: "json", stderr: false }),
    maxConnections: 10,
  });
  if (!opened.ok) throw new Error(opened.reason);
  const { gateway } = opened;
  const texts: string[] = [];
  const session: Partial<ClientSession> = {
    client: gateway.core.clientNamed("a"),
    wantsAcks: true,
    isModern: true,
    isRaw: false,
    takesChunks: false,
    priorityMax: 9,
    exemptPing: () => {},
    send: (text) => {
      texts.push(text);
      return "sent";
    },
  };
  const client = session as ClientSession;
  client.client.session = client;
  gateway.core.joined(client);
  await use({
    gateway,
    clock,
    heard: () => texts.splice(0),
    send: (message) => gateway.core.text(client, JSON.stringify(message)),
  });
}

const routedTo = (upstream: string) =>
  [
    { clientIdPrefix: "", upstreams: [upstream], strategy: "hash" },
  ] as const;

const away = { routes: routedTo("ws://127.0.0.1:1/") };

describe("GatewayServer", () => {
  it("behind a disk that hangs, keeps no more than memory.maxMemoryMB of delivered messages", () => {
    const port = fakeDisk().start();
    const hanging: LogFilesPort = { ...port, openAppend: () => new Promise(() => {}) };
    const config = { routes: routedTo("echo:"), memory: { maxMemoryMB: 16, highWatermark: 1 } };
    return withServer({ config, buffer: { maxBytes: 1 << 30 } }, hanging, async (stage) => {
      const { gateway, clock, send, heard } = stage;
      const data = "x".repeat(50_000);
      for (let n = 0; n < 1_000; n++) {
        send({ messageId: `${n}`, data });
        if (n % 20 === 19) await clock.advanceAsync(100);
      }
      assert.equal(gateway.log.depth, 0, "all that was taken is delivered");
      const refused = heard().filter((text) => text.includes('"memory_pressure"')).length;
      const takenBytes = (1_000 - refused) * data.length;
      assert.ok(takenBytes > 16_000_000 && takenBytes < 18_500_000, `${takenBytes}`);
    });
  });

  it("drop-oldest drops nothing for a message that is larger than the whole buffer", () => {
    const buffer = { overflow: "drop-oldest", maxBytes: 65_536 } as const;
    return withServer({ config: away, buffer }, fakeDisk().start(), async (stage) => {
      const { gateway, send, heard } = stage;
      for (let n = 0; n < 5; n++) send({ messageId: `${n}`, data: "x" });
      send({ messageId: "large", data: "x".repeat(70_000) });
      assert.match(heard().join(), /"overloaded".*"large"/);
      assert.deepEqual([gateway.log.depth, gateway.counters.droppedOldest], [5, 0]);
      await stage.clock.advanceAsync(10);
    });
  });

  it("an acknowledgement that a client sends goes to no upstream, which might send it back", () =>
    withServer({ config: away }, fakeDisk().start(), async ({ gateway, send, heard }) => {
      send({ type: 2, action: "ack", messageId: "m" });
      assert.match(heard().join(), /"bad_message"/);
      assert.equal(gateway.log.depth, 0);
      send({ type: 2, action: "other", messageId: "m" });
      assert.equal(gateway.log.depth, 1);
      await Promise.resolve();
    }));

  it("answers a ping in the first second of its life, and one a second", () =>
    withServer({ config: away }, fakeDisk().start(), async ({ clock, send, heard }) => {
      const pongs = () => heard().filter((text) => text.includes('"pong"')).length;
      const ping = () => send({ type: 2, data: "ping" });
      ping();
      ping();
      assert.equal(pongs(), 1);
      await clock.advanceAsync(1_000);
      ping();
      assert.equal(pongs(), 1);
    }));

  it("a clock that is set a day forward makes no message older than ttlSeconds", () => {
    const buffer = { ttlSeconds: 60 };
    return withServer({ config: away, buffer }, fakeDisk().start(), async (stage) => {
      const { gateway, clock, send } = stage;
      await clock.advanceAsync(2_000);
      send({ messageId: "before", data: "" });
      await clock.advanceAsync(10_000);
      clock.jumpWallClock(86_400_000);
      await clock.advanceAsync(40_000);
      assert.equal(gateway.log.depth, 1);
      await clock.advanceAsync(15_000);
      assert.equal(gateway.log.depth, 0, "it is over a minute old by now");
    });
  });
});
