import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { marksOf } from "../../src/app/config_watch.ts";
import { configPaths } from "../../src/app/read_settings.ts";
import { Reloader, type ReloadReport } from "../../src/app/reloader.ts";
import type { RunningServer } from "../../src/app/server.ts";
import type { TlsReload } from "../../src/app/tls_files.ts";
import type { GatewayConfig } from "../../src/config/gateway_config.ts";
import { loadSettings } from "../../src/config/load_settings.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeFiles } from "../fakes/files.ts";
import { fakeLog } from "../fakes/log.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";

describe("Reloader", () => {
  it("says what became of the certificate, and why when it is no use", async () => {
    const scene = await sceneWith({});
    assert.equal((await scene.reload()).certificate, "none");
    scene.tls = { kind: "taken_over" };
    assert.equal((await scene.reload()).certificate, "taken_over");
    scene.tls = { kind: "refused", reason: "it is half" };
    const refused = await scene.reload();
    assert.equal(refused.certificate, "refused");
    assert.deepEqual(refused.notices, ["The certificate of the HTTP port stays: it is half"]);
    const line = scene.log.lines.findLast(({ message }) => message === "configuration reloaded");
    assert.equal(line?.fields.certificate, "refused");
  });

  it("takes no gateway for changed that does not run, nor one that the file no longer has", async () => {
    const off = await sceneWith({});
    await off.write({ gateway: { messagesPerSecond: 7 }, log: { level: "warn" } });
    const come = await off.reload();
    assert.deepEqual([come.changed, come.needRestart], [["log.level"], ["gateway"]]);

    const on = await sceneWith({ gateway: { messagesPerSecond: 7 }, routes: [] });
    await on.write({});
    const gone = await on.reload();
    assert.deepEqual([gone.changed, gone.needRestart], [[], ["gateway"]]);
    await on.write({ gateway: { messagesPerSecond: 8, maxMessageSize: 4_096 } });
    const back = await on.reload();
    assert.deepEqual(
      [back.changed, back.needRestart],
      [["gateway.messagesPerSecond"], ["gateway.maxMessageSize"]],
    );
    assert.deepEqual(on.configured.map(({ messagesPerSecond }) => messagesPerSecond), [1_000, 8]);
  });

  it("makes who asks before the server is up wait for it", async () => {
    const scene = await sceneWith({ gateway: {} }, { isUp: false });
    await scene.write({ gateway: { messagesPerSecond: 7 } });
    const asked = scene.reload();
    assert.equal(scene.configured.length, 0);
    await scene.start();
    assert.deepEqual((await asked).changed, ["gateway.messagesPerSecond"]);
    assert.equal(scene.configured[0]?.messagesPerSecond, 7);
  });
});

describe("Reloader.watch()", () => {
  it("notices what changed between the first reading and when the server is up", async () => {
    const scene = await sceneWith({ gateway: {} }, { isUp: false });
    await scene.write({ gateway: { messagesPerSecond: 7 } });
    await scene.look();
    assert.deepEqual(scene.configured, []);
    await scene.start();
    await scene.look();
    assert.deepEqual(scene.configured.map(({ messagesPerSecond }) => messagesPerSecond), [7]);
    await scene.look();
    assert.equal(scene.configured.length, 1, "once");
  });

  it("has the keys of clients' tokens read again when their file changes", async () => {
    const jwt = { jwksFile: "keys.json" };
    const scene = await sceneWith({ gateway: { jwt } });
    const changes = async (text: string, path = "keys.json") => {
      await scene.write(text, path);
      await scene.look();
      return scene.configured.length;
    };
    await scene.look();
    assert.equal(scene.configured.length, 0);
    assert.equal(await changes("one"), 1);
    await scene.look();
    assert.equal(scene.configured.length, 1, "once");
    await scene.write({ gateway: { jwt: { publicKeyFile: "key.pem" } } });
    await scene.look();
    assert.equal(scene.configured.length, 2);
    assert.equal(await changes("others"), 2, "it is of no use any more");
    assert.equal(await changes("one", "key.pem"), 3);
    await scene.write({ gateway: {} });
    await scene.look();
    assert.equal(scene.configured.length, 4);
    assert.equal(await changes("others", "key.pem"), 4);
  });
});

interface Scene {
  readonly log: ReturnType<typeof fakeLog>;
  /** What the server was given. */
  readonly configured: readonly GatewayConfig[];
  /** What it says of its certificate. */
  tls: TlsReload | undefined;
  write(document: unknown, path?: string): Promise<void>;
  start(): Promise<void>;
  /** Lets time go by until each file has been looked at often enough. */
  look(): Promise<void>;
  reload(): Promise<Extract<ReloadReport, { ok: true }>>;
}

async function sceneWith(document: unknown, { isUp = true } = {}): Promise<Scene> {
  const files = fakeFiles();
  const path = "freekill-gw.json";
  const write = (document: unknown, to = path) =>
    files.replace(to, new TextEncoder().encode(JSON.stringify(document)));
  await write(document);
  const input = { files, env: {}, flags: {} };
  const marks = await marksOf(configPaths({ configPath: undefined }), files);
  const loaded = await loadSettings(input);
  assert.ok(loaded.ok);
  const clock = fakeClock();
  const runtime = { ...await runtimeUnderTest(), files, clock };
  const log = fakeLog();
  const reloader = new Reloader({
    runtime,
    input,
    marks,
    settings: loaded.settings,
    path,
    logger: log.logger,
    complete: (settings) => settings,
  });
  const configured: GatewayConfig[] = [];
  const server: Pick<RunningServer, "configureGateway" | "reloadTls" | "game"> = {
    game: undefined,
    configureGateway(config) {
      configured.push(config);
      return Promise.resolve({ ok: true, hasOtherRules: false });
    },
    reloadTls: () => Promise.resolve(scene.tls),
  };
  const scene: Scene = {
    log,
    configured,
    tls: undefined,
    write,
    async start() {
      reloader.serves(server as RunningServer);
      await settled();
    },
    async look() {
      await clock.advanceAsync(2_000);
      await settled();
    },
    async reload() {
      const report = await reloader.reload();
      assert.ok(report.ok, JSON.stringify(report));
      return report;
    },
  };
  await reloader.watch();
  if (isUp) await scene.start();
  return scene;
}

/** What has been asked for is done: it takes promises alone here, never a thread or a timer. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 200; turn++) await Promise.resolve();
}
