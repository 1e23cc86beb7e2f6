import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { showFault } from "../../src/config/faults.ts";
import type { GatewayConfig } from "../../src/config/gateway_config.ts";
import { loadSettings } from "../../src/config/load_settings.ts";
import type { LoadResult } from "../../src/config/load_settings.ts";
import type { Settings } from "../../src/config/settings.ts";
import { fakeFiles } from "../fakes/files.ts";
import { defaultGateway } from "./default_gateway.ts";

describe("the gateway's configuration", () => {
  it("is off, with every default, without its sections", async () => {
    const gateway = await gatewayFrom({});
    assert.deepEqual(gateway, defaultGateway);
  });

  it("is on with any of gateway, routes and buffer, and not with metrics and memory alone", async () => {
    for (const file of ['{"gateway":{}}', '{"routes":[]}', '{"buffer":{}}']) {
      assert.equal((await gatewayFrom({ file })).enabled, true, file);
    }
    assert.equal((await gatewayFrom({ file: '{"metrics":{},"memory":{}}' })).enabled, false);
    const env = { FREEKILL_GW_BUFFER__PERSIST_FILE: "x.log" };
    assert.equal((await gatewayFrom({ env })).enabled, true);
  });

  it("reads the original's tree as it is, with one notice of what means nothing here", async () => {
    const { settings, notices } = await loaded({
      file: JSON.stringify({
        gateway: {
          listen: ":9000",
          maxConnections: 100_000,
          connectionTimeout: 60_000_000_000,
          heartbeatInterval: "30s",
          maxMessageSize: 1_048_576,
          readBufferSize: 4_096,
          writeBufferSize: "any",
          rateLimit: { enabled: false, requestsPerSecond: 5, burstSize: 6 },
          security: {
            allowedOrigins: ["*"],
            enableCompression: true,
            maxControlFrameSize: 125,
          },
          history: {
            enabled: false,
            maxTotalMB: 1,
            maxPerClient: 2,
            maxMsgSizeKB: 3,
            cleanupHours: 4,
          },
        },
        routes: [{ clientIdPrefix: "client-1-1000", openclawGateway: "ws://10.0.0.1:8080/ws" }],
        buffer: { size: 10, persistFile: "" },
        metrics: { enabled: false, logInterval: "1m30s" },
        memory: { maxMemoryMB: 512, gcInterval: "5m", highWatermark: 0.9 },
      }),
    });
    const { gateway } = settings;
    assert.deepEqual([settings.http_host, settings.http_port], ["0.0.0.0", 9_000]);
    assert.equal(gateway.connectionTimeoutMs, 60_000);
    assert.equal(gateway.heartbeatIntervalMs, 30_000);
    assert.deepEqual(gateway.rateLimit, { enabled: false, requestsPerSecond: 5, burstSize: 6 });
    assert.deepEqual(gateway.security, { allowedOrigins: [], enableCompression: true });
    assert.equal(gateway.history.cleanupHours, 4);
    assert.deepEqual(gateway.routes, [
      {
        clientIdPrefix: "client-1-1000",
        upstreams: ["ws://10.0.0.1:8080/ws"],
        strategy: "hash",
      },
    ]);
    assert.deepEqual([gateway.buffer.size, gateway.buffer.persistFile], [10, ""]);
    assert.deepEqual(gateway.metrics, { enabled: false, logIntervalMs: 90_000 });
    assert.deepEqual(gateway.memory, { maxMemoryMB: 512, highWatermark: 0.9 });
    assert.deepEqual(notices, [
      "Without effect here, and ignored: gateway.readBufferSize, gateway.writeBufferSize, " +
      "gateway.security.maxControlFrameSize, memory.gcInterval.",
    ]);
  });

  it("reads durations as texts or as nanoseconds", async () => {
    const values: readonly [value: unknown, ms: number][] = [
      ["90s", 90_000],
      ["500ms", 500],
      ["1h", 3_600_000],
      ["1.5h", 5_400_000],
      ["1h30m5s", 5_405_000],
      ["60000000us", 60_000],
      ["60000000µs", 60_000],
      [90_000_000_000, 90_000],
      [90_000_400_000, 90_000],
      [50_000_000, 50],
    ];
    for (const [value, ms] of values) {
      const file = JSON.stringify({
        gateway: { connectionTimeout: value, heartbeatInterval: "50ms" },
      });
      const result = await load({ file });
      // The shortest is no longer than the heartbeat.
      if (ms === 50) assert.ok(!result.ok);
      else assert.equal((await gatewayFrom({ file })).connectionTimeoutMs, ms, String(value));
    }
    for (
      const value of ["", "90", "1x", "-1s", "s", "1 h", -1, 1_000_000, 1e18, "25h", true, null]
    ) {
      const file = JSON.stringify({ gateway: { connectionTimeout: value } });
      assert.equal((await load({ file })).ok, false, String(value));
    }
  });

  it("refuses a heartbeat that is not more frequent than the time-out", async () => {
    assert.deepEqual(await faults({ file: '{"gateway":{"heartbeatInterval":"2m"}}' }), [
      'Cannot use config "gw.json": gateway.heartbeatInterval must be below connectionTimeout ' +
      "(90000ms), got 120000ms",
    ]);
  });

  it("refuses another file's place for the buffer", async () => {
    assert.deepEqual(await faults({ file: '{"buffer":{"persistFile":"./data/runtime.sqlite"}}' }), [
      'Cannot use config "gw.json": buffer.persistFile must be another file than db_path, ' +
      'got "./data/runtime.sqlite"',
    ]);
  });

  it("takes keys from the environment too", async () => {
    const env = {
      FREEKILL_GW_GATEWAY__RATE_LIMIT__BURST_SIZE: "7",
      FREEKILL_GW_GATEWAY__CONNECTION_TIMEOUT: "2m",
      FREEKILL_GW_GATEWAY__TRUSTED_PROXIES: "10.0.0.0/8, ::1",
      FREEKILL_GW_MEMORY__HIGH_WATERMARK: "0.5",
    };
    const file = '{"gateway":{"rateLimit":{"burstSize":1,"requestsPerSecond":3}}}';
    const gateway = await gatewayFrom({ file, env });
    assert.deepEqual(gateway.rateLimit, { enabled: true, requestsPerSecond: 3, burstSize: 7 });
    assert.equal(gateway.connectionTimeoutMs, 120_000);
    assert.deepEqual(gateway.trustedProxies, ["10.0.0.0/8", "::1"]);
    assert.equal(gateway.memory.highWatermark, 0.5);
  });
});

describe("gateway.listen", () => {
  const listen = (text: string, more = "") =>
    `{"gateway":{"listen":${JSON.stringify(text)}}${more}}`;

  it("is the old name of http_host and http_port", async () => {
    for (
      const [text, host, port] of [
        [":8080", "0.0.0.0", 8_080],
        ["localhost:1", "localhost", 1],
        ["10.0.0.1:65535", "10.0.0.1", 65_535],
        ["[::1]:8080", "::1", 8_080],
      ] as const
    ) {
      const { settings } = await loaded({ file: listen(text) });
      assert.deepEqual([settings.http_host, settings.http_port], [host, port], text);
      assert.equal(settings.host, "127.0.0.1");
    }
    const { settings } = await loaded({ file: listen("") });
    assert.deepEqual([settings.http_host, settings.http_port], ["127.0.0.1", 8_080]);
  });

  it("yields to flags and environment", async () => {
    const file = listen(":9000");
    const flag = await loaded({ file, flags: { http_port: 5 } });
    assert.deepEqual([flag.settings.http_host, flag.settings.http_port], ["0.0.0.0", 5]);
    const env = await loaded({ file, env: { FREEKILL_GW_HTTP_HOST: "::1" } });
    assert.deepEqual([env.settings.http_host, env.settings.http_port], ["::1", 9_000]);
    const own = await loaded({ file, env: { FREEKILL_GW_GATEWAY__LISTEN: "a:1" } });
    assert.deepEqual([own.settings.http_host, own.settings.http_port], ["a", 1]);
  });

  it("is refused beside another http_host or http_port, not beside the same", async () => {
    assert.deepEqual(await faults({ file: listen(":9000", ',"http_port":9001') }), [
      'Cannot use config "gw.json": gateway.listen must be the same as http_port (9001), or absent, ' +
      'got ":9000"',
    ]);
    assert.deepEqual(await faults({ file: listen(":9000", ',"http_host":"127.0.0.1"') }), [
      'Cannot use config "gw.json": gateway.listen must be the same as http_host ("127.0.0.1"), ' +
      'or absent, got ":9000"',
    ]);
    const unnamed = await loaded({ file: listen("10.0.0.1:9000", ',"http_host":""') });
    assert.equal(unnamed.settings.http_host, "10.0.0.1");
    const same = listen(":9000", ',"http_port":9000,"http_host":"::"');
    assert.equal((await loaded({ file: same })).settings.http_port, 9_000);
  });

  it("is in nobody's way where a flag or the environment says where to listen", async () => {
    const file = listen("10.0.0.1:9000", ',"http_port":9001');
    const flag = await loaded({ file, flags: { http_port: 5 } });
    assert.deepEqual([flag.settings.http_host, flag.settings.http_port], ["10.0.0.1", 5]);
    const env = await loaded({ file, env: { FREEKILL_GW_HTTP_PORT: "6" } });
    assert.equal(env.settings.http_port, 6);
    const own = await loaded({ file, env: { FREEKILL_GW_GATEWAY__LISTEN: "a:1" } });
    assert.deepEqual([own.settings.http_host, own.settings.http_port], ["a", 1]);
    const hosts = listen("10.0.0.1:9000", ',"http_host":"10.0.0.2"');
    assert.equal(
      (await loaded({ file: hosts, flags: { http_host: "::1" } })).settings.http_host,
      "::1",
    );
    const one = await faults({ file: hosts, flags: { http_port: 5 } });
    assert.match(one[0] ?? "", /must be the same as http_host/);
  });

  it("is refused when it is none", async () => {
    for (const text of ["8080", ":", ":99999", ":123456", "::1:80", "a b:1", "http://x:1"]) {
      const [line = ""] = await faults({ file: listen(text) });
      assert.match(line, /gateway\.listen must be ":8080", "host:port" or/, text);
    }
    assert.match((await faults({ file: listen(":65536") }))[0] ?? "", /0–65535, got ":65536"/);
  });

  it("is refused without a port, as is http_port 0, because clients come over HTTP", async () => {
    const refused = /must be a port while there is a message gateway: .*, got 0$/;
    assert.match((await faults({ file: listen("0.0.0.0:0") }))[0] ?? "", refused);
    assert.match((await faults({ file: '{"gateway":{},"http_port":0}' }))[0] ?? "", refused);
  });
});

describe("routes", () => {
  it("take one upstream under either name, or several", async () => {
    const rules = [
      { clientIdPrefix: "", upstream: "ws://a" },
      { clientIdPrefix: "b", openclawGateway: "wss://[::1]:443/x?y=1" },
      { clientIdPrefix: "c", upstreams: ["ws://a", "echo:"], strategy: "round-robin" },
      { clientIdPrefix: "d", upstreams: ["echo:x"], strategy: "least-pending" },
    ];
    const { routes } = await gatewayFrom({ file: JSON.stringify({ routes: rules }) });
    assert.deepEqual(routes, [
      { clientIdPrefix: "", upstreams: ["ws://a"], strategy: "hash" },
      { clientIdPrefix: "b", upstreams: ["wss://[::1]:443/x?y=1"], strategy: "hash" },
      { clientIdPrefix: "c", upstreams: ["ws://a", "echo:"], strategy: "round-robin" },
      { clientIdPrefix: "d", upstreams: ["echo:x"], strategy: "least-pending" },
    ]);
  });

  it("of equal prefixes keep the first, with one notice", async () => {
    const rules = ["a", "b", "a", "a"].map((clientIdPrefix, index) => ({
      clientIdPrefix,
      upstream: `ws://h${index}`,
    }));
    const { settings, notices } = await loaded({ file: JSON.stringify({ routes: rules }) });
    assert.deepEqual(
      settings.gateway.routes.map(({ upstreams }) => upstreams[0]),
      ["ws://h0", "ws://h1"],
    );
    assert.deepEqual(notices, [
      'In config "gw.json", routes[2] and 1 more has the prefix of an earlier rule and is ignored: ' +
      "of equal prefixes the first rule counts.",
    ]);
  });

  const url = 'a URL such as "ws://127.0.0.1:9000/path", "wss://…" or "echo:"';
  const wrong: readonly [rule: unknown, problem: string][] = [
    [5, "routes[1] must be a rule with one of upstream, openclawGateway and upstreams, got 5"],
    [
      { clientIdPrefix: "x" },
      "routes[1] must be a rule with one of upstream, openclawGateway and upstreams, got none of them",
    ],
    [
      { clientIdPrefix: "x", upstream: "ws://a", openclawGateway: "ws://a" },
      "routes[1] must be a rule with one of upstream, openclawGateway and upstreams, " +
      "got upstream and openclawGateway",
    ],
    [
      { upstream: "ws://a" },
      "routes[1].clientIdPrefix must be a text of at most 256 characters, got undefined",
    ],
    [
      { clientIdPrefix: 1, upstream: "ws://a" },
      "routes[1].clientIdPrefix must be a text of at most 256 characters, got 1",
    ],
    [
      { clientIdPrefix: "x", upstream: "ws://a", strategy: "random" },
      'routes[1].strategy must be one of "hash", "round-robin", "least-pending", got "random"',
    ],
    [
      { clientIdPrefix: "x", upstream: "http://a" },
      `routes[1].upstream must be ${url}, got "http://a"`,
    ],
    [
      { clientIdPrefix: "x", openclawGateway: 7 },
      `routes[1].openclawGateway must be ${url}, got 7`,
    ],
    [
      { clientIdPrefix: "x", upstreams: [] },
      "routes[1].upstreams must be a list of 1–64 URLs, got an empty list",
    ],
    [
      { clientIdPrefix: "x", upstreams: Array.from({ length: 65 }, (_, n) => `ws://h${n}`) },
      "routes[1].upstreams must be a list of 1–64 URLs, got a list",
    ],
    [
      { clientIdPrefix: "x", upstreams: ["ws://a", "ws://a"] },
      "routes[1].upstreams must be a list without repetitions, got a list",
    ],
    [
      { clientIdPrefix: "x", upstreams: ["ws://a", "a"] },
      `routes[1].upstreams[1] must be ${url}, got "a"`,
    ],
    [
      { clientIdPrefix: "x", upstream: "ws://a", startegy: "hash" },
      "routes[1].startegy is not a setting. Did you mean routes[1].strategy?",
    ],
  ];
  for (const [rule, problem] of wrong) {
    it(`are refused with ${JSON.stringify(rule).slice(0, 60)}`, async () => {
      const routes = [{ clientIdPrefix: "", upstream: "echo:" }, rule];
      const result = await load({ file: JSON.stringify({ routes }) });
      assert.ok(!result.ok);
      assert.deepEqual(result.faults.map((fault) => fault.problem), [problem]);
    });
  }

  it("take only URLs that a link can be made to", async () => {
    const isTaken = async (upstream: string) =>
      (await load({ file: JSON.stringify({ routes: [{ clientIdPrefix: "", upstream }] }) })).ok;
    for (
      const good of [
        ...[
          "ws://a",
          "ws://a:1/",
          "ws://1.2.3.4:65535/x/y?z=%20",
          "WS://A",
          "wss://[::1]:1",
          "echo:",
        ],
        ...[
          "echo:a-b",
          "ws://user:pass@h/",
          "ws://xn--bcher-kva.example/",
          "ws://bücher.example/é",
        ],
      ]
    ) assert.ok(await isTaken(good), good);
    for (
      const bad of [
        ...[
          "",
          "ws:",
          "ws://",
          "ws://:80",
          "ws://a:0",
          "ws://a:65536",
          "ws://a:99999/",
          "ws://a b",
        ],
        ...[
          "ws://a/#x",
          "http://a",
          "wsss://a",
          "//a",
          "a:80",
          "ws://[::1",
          "ws://a/\n",
          "echo: x",
        ],
        ...[`ws://${"a".repeat(3_000)}`, "javascript:1"],
      ]
    ) assert.equal(await isTaken(bad), false, bad);
  });

  it("report no more than ten faults", async () => {
    const file = JSON.stringify({ routes: Array.from({ length: 1_000 }, () => 1) });
    assert.equal((await faults({ file })).length, 10);
  });

  it("share what is equal in them, however many they are, comments among them or not", async () => {
    const rules = Array.from(
      { length: 20_000 },
      (_, index) =>
        `{"clientIdPrefix":"client-${index}-","openclawGateway":"ws://h${index % 9}:1/"}`,
    );
    const { routes } = await gatewayFrom({ file: `{"routes":[\n// x\n${rules.join(",\n")},]}` });
    assert.equal(routes.length, 20_000);
    assert.equal(routes[0]!.upstreams, routes[9]!.upstreams);
  });
});

describe("route.json", () => {
  const rules = '[{"clientIdPrefix":"a","openclawGateway":"ws://a/"}]';
  const expected = [{ clientIdPrefix: "a", upstreams: ["ws://a/"], strategy: "hash" }];

  it("is read as it is when the configuration says nothing of routes, with a notice", async () => {
    for (const route of [rules, `{"routes":${rules}}`]) {
      const { settings, notices } = await loaded({ route });
      assert.equal(settings.gateway.enabled, true);
      assert.deepEqual(settings.gateway.routes, expected);
      assert.deepEqual(notices, [
        "The routes of the message gateway are those of route.json (1 of them), as the " +
        "configuration names none.",
      ]);
    }
  });

  it("is left alone when there are routes, even none", async () => {
    const { settings, notices } = await loaded({ file: '{"routes":[]}', route: "broken" });
    assert.deepEqual([settings.gateway.routes, notices], [[], []]);
  });

  it("may hold keys that mean nothing", async () => {
    const route = '{"version":1,"routes":[{"clientIdPrefix":"a","upstream":"echo:","note":1}]}';
    const { settings, notices } = await loaded({ route });
    assert.equal(settings.gateway.routes.length, 1);
    assert.deepEqual(notices.slice(1), [
      "In route.json these keys are ignored: version.",
      'In config "route.json" these keys of rules are ignored: note.',
    ]);
  });

  it("stops the start when it is broken", async () => {
    const lines = async (route: string) => (await faults({ route })).join();
    assert.match(await lines("{"), /^Cannot use config "route\.json": line 1, column 2/);
    assert.match(await lines("5"), /it must be a list of rules, or \{"routes": \[…\]\}, got 5/);
    assert.match(await lines('{"routes":{}}'), /routes must be a list of rules, got an object/);
    assert.match(await lines("[1]"), /"route\.json": \[0\] must be a rule with one of/);
  });
});

interface Given {
  readonly file?: string;
  readonly route?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: Readonly<Record<string, unknown>>;
}

async function load({ file, route, env = {}, flags = {} }: Given): Promise<LoadResult> {
  const files = fakeFiles();
  if (file !== undefined) await files.replace("gw.json", new TextEncoder().encode(file));
  if (route !== undefined) await files.replace("route.json", new TextEncoder().encode(route));
  const configPath = file === undefined ? undefined : "gw.json";
  return await loadSettings({ files, env, flags, configPath });
}

async function loaded(given: Given): Promise<{ settings: Settings; notices: readonly string[] }> {
  const result = await load(given);
  assert.ok(result.ok, result.ok ? "" : result.faults.map(showFault).join("\n"));
  return result;
}

async function gatewayFrom(given: Given): Promise<GatewayConfig> {
  return (await loaded(given)).settings.gateway;
}

async function faults(given: Given): Promise<string[]> {
  const result = await load(given);
  return result.ok ? [] : result.faults.map(showFault);
}
