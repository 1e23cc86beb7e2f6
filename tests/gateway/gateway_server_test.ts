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
import { makeToken, sharedSecret } from "./identity/token_maker.ts";
import { RawUpstream } from "./raw_upstream.ts";

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
  options: { config?: Partial<GatewayConfig>; buffer?: Partial<BufferConfig>; tcp?: TcpPort },
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
      tcp: options.tcp ?? noTcp,
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

/** Looks again and again, with real time between for sockets. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let n = 0; !await isSo(); n++) {
    assert.ok(n < 2_000, "it did not come");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

const away = { routes: routedTo("ws://127.0.0.1:1/") };

/** What a client without a token is told at the door; "in" when it may come in. */
async function atTheDoor({ gateway }: Stage, query = ""): Promise<string> {
  const href = `http://localhost/ws?clientId=b${query}`;
  const decision = await gateway.door.handlers.upgrade({
    href,
    url: new URL(href),
    headers: new Headers(),
    remoteHost: "10.0.0.1",
    remotePort: 1,
  });
  return decision.accept ? "in" : await decision.response.text();
}

describe("GatewayServer.configure()", () => {
  const limits = { maxConnections: 10 };
  const required = `{"error":"token required"}`;
  const withJwt = (jwt: Partial<GatewayConfig["jwt"]>) => ({
    ...roomyGateway,
    jwt: { ...roomyGateway.jwt, ...jwt },
  });

  it("asks for tokens from then on, of other keys, or no more; who is there stays", () =>
    withServer({}, fakeDisk().start(), async (stage) => {
      const { gateway, clock } = stage;
      const tokenBy = (secret: string) => {
        const exp = Math.floor(clock.now() / 1_000) + 60;
        return `&token=${makeToken({ sub: "b", exp }, { alg: "HS256", secret })}`;
      };
      assert.equal(await atTheDoor(stage), "in");
      assert.deepEqual(await gateway.configure(withJwt({ secret: sharedSecret }), limits), {
        ok: true,
        hasOtherRules: false,
      });
      assert.equal(await atTheDoor(stage), required);
      assert.equal(await atTheDoor(stage, tokenBy(sharedSecret)), "in");
      assert.ok(gateway.core.clientWithId("a")?.session !== undefined, "it came before");
      const other = "another secret of at least thirty-two characters";
      await gateway.configure(withJwt({ secret: other }), limits);
      assert.equal(await atTheDoor(stage, tokenBy(sharedSecret)), `{"error":"invalid token"}`);
      assert.equal(await atTheDoor(stage, tokenBy(other)), "in");
      await gateway.configure(withJwt({}), limits);
      assert.equal(await atTheDoor(stage), "in");
    }));

  it("changes nothing when the keys cannot be read, or the rules are too many", () =>
    withServer({}, fakeDisk().start(), async (stage) => {
      const { gateway } = stage;
      const noFile = withJwt({ secretFile: "nothing" });
      const refused = await gateway.configure({ ...noFile, routes: routedTo("echo:") }, limits);
      assert.match(refused.ok ? "" : refused.reason, /nothing/);
      assert.deepEqual([gateway.upstreams.rules.length, await atTheDoor(stage)], [0, "in"]);
      const routes = Array.from({ length: 70_000 }, (_, n) => ({
        clientIdPrefix: `${n}`,
        upstreams: [`ws://127.0.0.1:1/${n}`],
        strategy: "hash" as const,
      }));
      const many = await gateway.configure(
        { ...withJwt({ secret: sharedSecret }), routes },
        limits,
      );
      assert.match(many.ok ? "" : many.reason, /too many/);
      assert.equal(await atTheDoor(stage), "in", "nor are the keys in use");
    }));

  it("leaves the buffer as large as it was at the start", () => {
    const buffer = { overflow: "drop-oldest", maxBytes: 65_536 } as const;
    return withServer({ config: away, buffer }, fakeDisk().start(), async (stage) => {
      const { gateway, send, heard } = stage;
      const config = { ...roomyGateway, routes: routedTo("ws://127.0.0.1:1/") };
      const larger = { ...roomyGateway.buffer, ...buffer, maxBytes: 1 << 30, size: 7 };
      for (let n = 0; n < 5; n++) send({ messageId: `${n}`, data: "x" });
      await gateway.configure({ ...config, buffer: larger }, limits);
      send({ messageId: "large", data: "x".repeat(70_000) });
      assert.match(heard().join(), /"overloaded".*"large"/);
      assert.deepEqual([gateway.log.depth, gateway.counters.droppedOldest], [5, 0]);
      assert.equal(gateway.figures().bufferCapacity, roomyGateway.buffer.size);
      await stage.clock.advanceAsync(10);
    });
  });
});

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

  it("while nothing can be stored, what is durable is acknowledged again, and no more is", async () => {
    const disk = fakeDisk();
    await withServer({ config: away }, disk.start(), async ({ gateway, clock, send, heard }) => {
      const told = () =>
        heard().map((text) => {
          const { action, code, messageId } = JSON.parse(text);
          return [code ?? action, messageId];
        });
      send({ messageId: "before", data: "x" });
      await clock.advanceAsync(10);
      assert.deepEqual(told(), [["ack", "before"]]);
      disk.fails = ({ verb }) => verb === "append" ? "ENOSPC" : undefined;
      send({ messageId: "lost", data: "x" });
      await clock.advanceAsync(10);
      assert.deepEqual(told(), [["store_unavailable", "lost"]]);
      assert.notEqual(gateway.trouble, undefined);
      send({ messageId: "before", data: "x" });
      send({ messageId: "before", data: "y" });
      send({ messageId: "lost", data: "x" });
      send({ messageId: "new", data: "x" });
      assert.deepEqual(told(), [
        ["ack", "before"],
        ["duplicate_id", "before"],
        ["store_unavailable", "lost"],
        ["store_unavailable", "new"],
      ]);
      assert.equal(gateway.counters.duplicatesDropped, 1);
      disk.fails = undefined;
      await clock.advanceAsync(2_000);
      send({ messageId: "new", data: "x" });
      await clock.advanceAsync(10);
      assert.deepEqual(told(), [["ack", "new"]]);
    });
  });

  it("behind a disk that hangs, a repetition of what is not durable waits for nothing", () => {
    const port = fakeDisk().start();
    const hanging: LogFilesPort = { ...port, openAppend: () => new Promise(() => {}) };
    return withServer({ config: away }, hanging, async ({ clock, send, heard }) => {
      send({ messageId: "m", data: "x" });
      await clock.advanceAsync(60_000);
      assert.deepEqual(heard(), []);
      for (let n = 0; n < 3; n++) send({ messageId: "m", data: "x" });
      const codes = heard().map((text) => JSON.parse(text).code);
      assert.deepEqual(codes, Array(3).fill("store_unavailable"));
    });
  });

  it("stop() is over when the time to drain is, though an upstream hangs", async () => {
    const { tcp } = await runtimeUnderTest();
    const upstream = await RawUpstream.listen(tcp, { answersPings: false });
    try {
      const config = { routes: routedTo(upstream.url) };
      await withServer({ config, tcp }, fakeDisk().start(), async ({ gateway, clock, send }) => {
        send({ messageId: "m", data: "x" });
        await until(async () => {
          await clock.advanceAsync(10);
          return upstream.texts.length > 0;
        });
        assert.equal(gateway.log.depth, 1, "it is not confirmed");
        let isOver = false;
        const startedAt = clock.monotonic();
        const over = gateway.stop(3_000).then(() => isOver = true);
        await clock.advanceAsync(2_990);
        assert.equal(isOver, false, "it may still be confirmed");
        await until(async () => {
          await clock.advanceAsync(10);
          return isOver;
        });
        await over;
        const took = clock.monotonic() - startedAt;
        assert.ok(took <= 3_250, `${took} ms`);
        assert.equal(gateway.log.depth, 1, "what is not confirmed is kept");
        await clock.advanceAsync(10_000);
      });
    } finally {
      await upstream.close();
    }
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

  it("messages that are too old are gone soon, however many there are", { timeout: 30_000 }, () => {
    const config = { ...away, memory: { maxMemoryMB: 1_024, highWatermark: 1 } };
    const buffer = { ttlSeconds: 60, size: 300_000, maxBytes: 1 << 30, persistFile: "" };
    return withServer({ config, buffer }, fakeDisk().start(), async ({ gateway, clock, send }) => {
      for (let n = 0; n < 300_000; n++) send({ type: 0, data: "x" });
      assert.equal(gateway.log.depth, 300_000);
      await clock.advanceAsync(59_000);
      assert.equal(gateway.log.depth, 300_000);
      // Rounds of 100,000: with a second between them it would take three.
      await clock.advanceAsync(2_500);
      assert.equal(gateway.log.depth, 0);
    });
  });

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
