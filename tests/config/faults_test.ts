import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { effectiveConfig } from "../../src/config/effective_config.ts";
import { showFault } from "../../src/config/faults.ts";
import { loadSettings } from "../../src/config/load_settings.ts";
import type { LoadResult } from "../../src/config/load_settings.ts";
import { environmentNameOf, settingKeys } from "../../src/config/settings_keys.ts";
import { fakeFiles } from "../fakes/files.ts";

const secret = "hunter2";

const databasePath = 'db_path must be a path of 1–4,096 characters that does not begin with ":"';

describe("loadSettings() with every key wrong", () => {
  it("reports each of them at once, on one line, with path, found and allowed", async () => {
    const document: Record<string, unknown> = { tcp_prot: 1, $schema: 5 };
    for (const path of settingKeys().keys()) put(document, path, { wrong: true });
    document.routes = "wrong";
    put(document, "log.levle", 1);
    const result = await load(document);
    assert.ok(!result.ok);
    const expected = [
      ...settingKeys().keys(),
      "routes",
      "tcp_prot",
      "log.levle",
      "$schema",
    ];
    assert.deepEqual(result.faults.map((fault) => fault.path).sort(), expected.sort());
    for (const fault of result.faults) {
      assert.equal(fault.source, 'config "gw.json"');
      assert.ok(fault.found !== "" && fault.allowed !== "");
      assert.match(showFault(fault), /^Cannot use config "gw\.json": [^\n]+$/);
    }
  });

  const wrong: readonly [path: string, value: unknown, problem: string][] = [
    ["tcp_port", "abc", 'tcp_port must be 0–65535, got "abc"'],
    ["tcp_port", 65_536, "tcp_port must be 0–65535, got 65536"],
    ["tcp_port", -1, "tcp_port must be 0–65535, got -1"],
    ["tcp_port", 1.5, "tcp_port must be 0–65535, got 1.5"],
    ["tcp_port", null, "tcp_port must be 0–65535, got null"],
    ["tcp_port", true, "tcp_port must be 0–65535, got true"],
    ["thread_count", 0, "thread_count must be 1–65535, got 0"],
    [
      "tick_interval_ms",
      "1.5ms",
      'tick_interval_ms must be 1–60000 (ms), or a text such as "500ms", got "1.5ms"',
    ],
    [
      "drainSeconds",
      "90",
      'drainSeconds must be 0–86400 (seconds), or a text such as "90s", got "90"',
    ],
    [
      "log.bytes_max",
      "1KiB",
      'log.bytes_max must be 4096–1099511627776 (bytes), or a text such as "10MiB", got "1KiB"',
    ],
    [
      "runtime_name",
      "a b",
      'runtime_name must be 1–64 printable characters without spaces, got "a b"',
    ],
    ["runtime_name", "", 'runtime_name must be 1–64 printable characters without spaces, got ""'],
    [
      "runtime_name",
      "a\u202eb",
      'runtime_name must be 1–64 printable characters without spaces, got "a\\u202eb"',
    ],
    [
      "runtime_name",
      "x".repeat(65),
      `runtime_name must be 1–64 printable characters without spaces, got "${
        "x".repeat(60)
      }"… (65 characters)`,
    ],
    ["db_path", "", `${databasePath}, got ""`],
    ["db_path", "a\0b", `${databasePath}, got "a\\u0000b"`],
    ["db_path", ":memory:", `${databasePath}, got ":memory:"`],
    [
      "drift_mode",
      "Flow",
      'drift_mode must be one of "none", "route", "flow", "protobuf", got "Flow"',
    ],
    [
      "control_allow[1]",
      "10.0.0.0/33",
      'control_allow[1] must be an IP address or CIDR block, got "10.0.0.0/33"',
    ],
    ["metricsAllow[1]", 5, "metricsAllow[1] must be an IP address or CIDR block, got 5"],
    [
      "control_allow",
      "10.0.0.0",
      'control_allow must be a list of at most 1000 IP addresses or CIDR blocks, got "10.0.0.0"',
    ],
    [
      "watchdog.require_udp_health",
      "yes",
      'watchdog.require_udp_health must be true or false, got "yes"',
    ],
    ["log", [], "log must be an object, got an empty list"],
    ["game", 5, "game must be an object, got 5"],
    ["gateway", 5, "gateway must be an object, got 5"],
    ["gateway.rateLimit", [], "gateway.rateLimit must be an object, got an empty list"],
    ["routes", {}, "routes must be a list of rules, got an object"],
    [
      "gateway.connectionTimeout",
      "90",
      'gateway.connectionTimeout must be 50ms–1d, as a text such as "90s" or a number of nanoseconds, got "90"',
    ],
    [
      "gateway.rateLimit.burstSize",
      0,
      "gateway.rateLimit.burstSize must be 1–1000000, got 0",
    ],
    ["memory.highWatermark", 1.5, "memory.highWatermark must be 0.1–1, got 1.5"],
    ["game.capacity", "many", 'game.capacity must be 0–2147483647, got "many"'],
    [
      "game.banWords",
      "bad",
      'game.banWords must be a list of at most 10000 texts, got "bad"',
    ],
    ["game.banWords[1]", "", 'game.banWords[1] must be a text of 1–255 characters, got ""'],
    [
      "game.disabledFeatures",
      "AddRobot",
      'game.disabledFeatures must be a list of "AddRobot", "ChangeRoom", got "AddRobot"',
    ],
  ];
  for (const [path, value, problem] of wrong) {
    it(`says what is wrong with ${path} = ${JSON.stringify(value).slice(0, 40)}`, async () => {
      const document: Record<string, unknown> = {};
      if (path.endsWith("[1]")) put(document, path.slice(0, -3), ["127.0.0.1", value]);
      else put(document, path, value);
      assert.deepEqual(await problems(document), [problem]);
    });
  }

  const unknown: readonly [path: string, problem: string][] = [
    ["tcp_prot", "tcp_prot is not a setting. Did you mean tcp_port?"],
    ["TCP-PORT", "TCP-PORT is not a setting. Did you mean tcp_port?"],
    ["drain_seconds", "drain_seconds is not a setting. Did you mean drainSeconds?"],
    ["game.capacitty", "game.capacitty is not a setting. Did you mean game.capacity?"],
    ["wachdog", "wachdog is not a setting. Did you mean watchdog?"],
    ["log.file_max", "log.file_max is not a setting. Did you mean log.files_max?"],
    [
      "health_timeout_ms",
      "health_timeout_ms is not a setting. Did you mean watchdog.health_timeout_ms?",
    ],
    [
      "gateway.ratelimit.burst_size",
      "gateway.ratelimit is not a setting. Did you mean gateway.rateLimit?",
    ],
    [
      "gateway.security.allowedOrigin",
      "gateway.security.allowedOrigin is not a setting. " +
      "Did you mean gateway.security.allowedOrigins?",
    ],
    ["buffr", "buffr is not a setting. Did you mean buffer?"],
    ["rotues", "rotues is not a setting. Did you mean routes?"],
    ["frobnicate", "frobnicate is not a setting."],
    ["a\nb", '"a\\nb" is not a setting.'],
  ];
  for (const [path, problem] of unknown) {
    it(`refuses ${JSON.stringify(path)} and suggests`, async () => {
      const document: Record<string, unknown> = {};
      put(document, path, 1);
      assert.deepEqual(await problems(document), [problem]);
    });
  }
});

describe("secrets", () => {
  it("are not in the fault, wherever the value comes from", async () => {
    const fromFile = await load({ control_token: secret });
    const fromFlag = await load({}, { flags: { control_token: secret } });
    const fromEnv = await load({}, { env: { FREEKILL_GW_CONTROL_TOKEN: secret } });
    const odd = await load({ control_token: [secret] });
    for (const result of [fromFile, fromFlag, fromEnv, odd]) {
      assert.ok(!result.ok);
      assert.equal(result.faults.length, 1);
      assert.doesNotMatch(JSON.stringify(result), /hunter2/);
    }
    assert.ok(!fromFile.ok);
    assert.match(fromFile.faults[0]!.problem, /got a text of 7 characters \(not shown\)$/);
  });

  it("are not in a syntax fault", async () => {
    const files = fakeFiles();
    await files.replace("gw.json", new TextEncoder().encode(`{"control_token": "${secret}`));
    const result = await loadSettings({ files, env: {}, flags: {}, configPath: "gw.json" });
    assert.ok(!result.ok);
    assert.doesNotMatch(JSON.stringify(result), /hunter2/);
  });

  it("are not in the effective configuration, in URLs neither", async () => {
    const token = "0123456789abcdef-hunter2";
    const result = await load({
      control_token: token,
      gateway: { maxConnections: 5 },
      routes: [
        { clientIdPrefix: "", upstream: `ws://user:${secret}@host/` },
        { clientIdPrefix: "a", upstreams: [`wss://${secret}@host/`, "echo:"] },
      ],
    });
    assert.ok(result.ok);
    assert.equal(result.settings.control_token, token);
    const shown = effectiveConfig(result.settings);
    assert.doesNotMatch(JSON.stringify(shown), /hunter2/);
    assert.equal(shown.control_token, "(not shown)");
    assert.equal(shown.tcp_port, 9_527);
    assert.equal(JSON.stringify(shown.gateway).includes('"maxConnections":5'), true);
  });

  it("are not in the fault of a URL", async () => {
    const result = await load({
      routes: [{ clientIdPrefix: "", upstream: `http://user:${secret}@host/` }],
    });
    assert.ok(!result.ok);
    assert.doesNotMatch(JSON.stringify(result), /hunter2/);
  });
});

describe("effectiveConfig()", () => {
  it("loads again as the same settings", async () => {
    const first = await load({
      tcp_port: 70,
      log: { bytes_max: "1MiB" },
      gateway: { connectionTimeout: "1h30m", security: { allowedOrigins: ["https://a.example"] } },
      routes: [
        { clientIdPrefix: "", openclawGateway: "ws://host" },
        { clientIdPrefix: "a", upstreams: ["echo:1", "echo:2"], strategy: "least-pending" },
      ],
      buffer: { maxBytes: "2GiB", dedupWindow: 60_000_000_000 },
      memory: { highWatermark: 0.7 },
    });
    assert.ok(first.ok);
    const again = await load(effectiveConfig(first.settings));
    assert.ok(again.ok);
    assert.deepEqual(again.settings, first.settings);
  });
});

describe("loadSettings() with arbitrary values", () => {
  it("gives settings or faults of one printable line each, and never throws", async () => {
    const paths = [...settingKeys().keys(), "game", "other", "log", "gateway", "routes"];
    const entry = fc.tuple(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 2 }));
    await fc.assert(fc.asyncProperty(fc.array(entry, { maxLength: 6 }), async (entries) => {
      const document: Record<string, unknown> = {};
      for (const [path, value] of entries) put(document, path, value);
      const result = await load(document);
      if (result.ok) return;
      assert.ok(result.faults.length > 0);
      for (const fault of result.faults) assert.match(showFault(fault), /^Cannot use [^\p{Cc}]+$/u);
    }));
  });

  it("treats any text in the environment likewise", async () => {
    const entry = fc.tuple(fc.constantFrom(...settingKeys().keys()), fc.string());
    await fc.assert(fc.asyncProperty(fc.array(entry, { maxLength: 6 }), async (entries) => {
      const env = Object.fromEntries(
        entries.map(([path, text]) => [environmentNameOf(path), text]),
      );
      const result = await load({}, { env });
      if (result.ok) return;
      for (const fault of result.faults) assert.match(showFault(fault), /^Cannot use [^\p{Cc}]+$/u);
    }));
  });
});

function put(document: Record<string, unknown>, path: string, value: unknown): void {
  const [first = "", ...rest] = path.split(".");
  if (rest.length === 0) {
    document[first] = value;
    return;
  }
  const section = document[first];
  const isSection = typeof section === "object" && section !== null && !Array.isArray(section);
  const copy = isSection ? { ...section } : {};
  put(copy, rest.join("."), value);
  document[first] = copy;
}

async function load(
  document: unknown,
  { env = {}, flags = {} }: {
    env?: Record<string, string>;
    flags?: Record<string, unknown>;
  } = {},
): Promise<LoadResult> {
  const files = fakeFiles();
  await files.replace("gw.json", new TextEncoder().encode(JSON.stringify(document)));
  return await loadSettings({ files, env, flags, configPath: "gw.json" });
}

async function problems(document: unknown): Promise<string[]> {
  const result = await load(document);
  return result.ok ? [] : result.faults.map((fault) => fault.problem);
}
