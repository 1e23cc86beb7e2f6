import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultGameConfig } from "../../src/config/game_config.ts";
import { showFault } from "../../src/config/faults.ts";
import { loadSettings } from "../../src/config/load_settings.ts";
import type { LoadInput, LoadResult } from "../../src/config/load_settings.ts";
import type { Settings } from "../../src/config/settings.ts";
import { fakeFiles } from "../fakes/files.ts";

describe("loadSettings() without anything", () => {
  it("gives every default and works out what depends on others", async () => {
    const settings = await settingsFrom({});
    assert.equal(settings.host, "127.0.0.1");
    assert.equal(settings.tcp_port, 9_527);
    assert.equal(settings.udp_port, 9_528);
    assert.equal(settings.http_host, "127.0.0.1");
    assert.equal(settings.http_port, 8_080);
    assert.equal(settings.db_path, "data/runtime.sqlite");
    assert.deepEqual(settings.log, {
      level: "info",
      file: "",
      bytes_max: 10_485_760,
      files_max: 5,
      format: "auto",
    });
    assert.equal(settings.watchdog.health_host, "127.0.0.1");
    assert.equal(settings.watchdog.health_tcp_port, 9_527);
    assert.equal(settings.watchdog.health_udp_port, 9_528);
    assert.equal(settings.watchdog.restart_delay_s, 1.5);
    assert.deepEqual(settings.game, defaultGameConfig);
  });
});

describe("loadSettings() precedence", () => {
  const file = `{ "tcp_port": 1001, "log": { "level": "warn", "files_max": 7 } }`;

  it("takes the file over the default", async () => {
    const settings = await settingsFrom({ file });
    assert.equal(settings.tcp_port, 1_001);
    assert.equal(settings.log.level, "warn");
  });

  it("takes the environment over the file, key by key", async () => {
    const env = { FREEKILL_GW_TCP_PORT: "1002", FREEKILL_GW_LOG__LEVEL: "error" };
    const settings = await settingsFrom({ file, env });
    assert.equal(settings.tcp_port, 1_002);
    assert.equal(settings.log.level, "error");
    assert.equal(settings.log.files_max, 7);
  });

  it("takes a flag over all", async () => {
    const env = { FREEKILL_GW_TCP_PORT: "1002", FREEKILL_GW_LOG__LEVEL: "error" };
    const flags = { tcp_port: 1_003, "log.level": "debug", "watchdog.health_host": "::1" };
    const settings = await settingsFrom({ file, env, flags });
    assert.equal(settings.tcp_port, 1_003);
    assert.equal(settings.log.level, "debug");
    assert.equal(settings.log.files_max, 7);
    assert.equal(settings.watchdog.health_host, "::1");
  });

  it("takes absent flags and empty variables for not set", async () => {
    const env = { FREEKILL_GW_TCP_PORT: "", FREEKILL_GW_HOST: undefined };
    const settings = await settingsFrom({ file, env, flags: { tcp_port: undefined } });
    assert.equal(settings.tcp_port, 1_001);
    assert.equal(settings.host, "127.0.0.1");
  });

  it("forgives a wrong value in the file that a flag overrides", async () => {
    const settings = await settingsFrom({ file: `{"tcp_port":"x"}`, flags: { tcp_port: 5 } });
    assert.equal(settings.tcp_port, 5);
  });
});

describe("loadSettings() environment", () => {
  it("reads each kind from text", async () => {
    const settings = await settingsFrom({
      env: {
        FREEKILL_GW_CONTROL_ALLOW: "10.0.0.0/8, ::1,",
        FREEKILL_GW_METRICS_ALLOW: "192.168.0.1",
        FREEKILL_GW_DRAIN_SECONDS: "1.5",
        FREEKILL_GW_IDLE_TIMEOUT_S: "2m",
        FREEKILL_GW_TICK_INTERVAL_MS: "1s",
        FREEKILL_GW_LOG__BYTES_MAX: "64KiB",
        FREEKILL_GW_WATCHDOG__REQUIRE_UDP_HEALTH: "yes",
        FREEKILL_GW_DRIFT_MODE: "flow",
      },
    });
    assert.deepEqual(settings.control_allow, ["10.0.0.0/8", "::1"]);
    assert.deepEqual(settings.metricsAllow, ["192.168.0.1"]);
    assert.equal(settings.drainSeconds, 1.5);
    assert.equal(settings.idle_timeout_s, 120);
    assert.equal(settings.tick_interval_ms, 1_000);
    assert.equal(settings.log.bytes_max, 65_536);
    assert.equal(settings.watchdog.require_udp_health, true);
    assert.equal(settings.drift_mode, "flow");
  });

  it("gives a notice for unknown variables, with a suggestion, without their value", async () => {
    const result = await load({
      env: {
        FREEKILL_GW_TCP_PROT: "hunter2",
        FREEKILL_GW_BINARY: "x",
        FREEKILL_GW_DEBUG: "1",
        FREEKILL_GW_CHILD_TOKEN: "hunter2",
        FREEKILL_TCP_PORT: "7",
      },
    });
    assert.ok(result.ok);
    assert.deepEqual(result.notices, [
      "The environment variable FREEKILL_GW_TCP_PROT is not a setting and is ignored. " +
      "Did you mean FREEKILL_GW_TCP_PORT?",
    ]);
  });

  it("names the variable in a fault", async () => {
    assert.deepEqual(await faultLines({ env: { FREEKILL_GW_LOG__LEVEL: "loud" } }), [
      "Cannot use environment FREEKILL_GW_LOG__LEVEL: log.level must be one of " +
      '"debug", "info", "warn", "error", got "loud"',
    ]);
  });
});

describe("loadSettings() file", () => {
  it("reads freekill-gw.json when no file is named, and tells so", async () => {
    const files = fakeFiles();
    await files.replace("freekill-gw.json", encode(`{"tcp_port": 7}`));
    const result = await loadSettings({ files, env: {}, flags: {} });
    assert.ok(result.ok);
    assert.equal(result.path, "freekill-gw.json");
    assert.equal(result.settings.tcp_port, 7);
  });

  it("takes comments, trailing commas, a byte order mark and $schema", async () => {
    const settings = await settingsFrom({
      file: `\ufeff{ // here\n"$schema": "./s.json", /* there */ "tcp_port": 7, }`,
    });
    assert.equal(settings.tcp_port, 7);
  });

  it("takes durations and sizes with units", async () => {
    const settings = await settingsFrom({
      file: `{"drainSeconds": "90s", "idle_timeout_s": "1h", "sniff_ms": "1s",
        "log": {"bytes_max": "1GiB"}, "watchdog": {"health_interval_s": "500ms"}}`,
    });
    assert.equal(settings.drainSeconds, 90);
    assert.equal(settings.idle_timeout_s, 3_600);
    assert.equal(settings.sniff_ms, 1_000);
    assert.equal(settings.log.bytes_max, 2 ** 30);
    assert.equal(settings.watchdog.health_interval_s, 0.5);
  });

  const refusals: readonly [
    promise: string,
    text: string | Uint8Array,
    lines: readonly string[],
  ][] = [
    ["an empty file", "", ["line 1, column 1: value expected"]],
    ["a missing brace", `{\n  "a": 1`, ["line 2, column 9: close brace expected"]],
    ["a missing comma", `{"tcp_port": 1\n "udp_port": 2}`, ["line 2, column 2: comma expected"]],
    ["text after the end", `{} x`, ["line 1, column 4: invalid symbol"]],
    ["a list", `[]`, ["it must be an object, got an empty list"]],
    ["a bare number", `5`, ["it must be an object, got 5"]],
    [
      "invalid UTF-8",
      Uint8Array.of(0x7b, 0x0a, 0x20, 0xc3, 0xa4, 0xff, 0x7d),
      ["line 2, column 3: not valid UTF-8"],
    ],
    [
      "keys that come twice",
      `{"tcp_port": 1, "log": {"file": "", "file": "x"}, "tcp_port": 2}`,
      [
        'line 1, column 37: the key "file" comes twice',
        'line 1, column 51: the key "tcp_port" comes twice',
      ],
    ],
    ["__proto__", `{"__proto__": {"x": 1}}`, ["line 1, column 2: __proto__ is not a setting"]],
    [
      "__proto__ deep in a section of a later part",
      `{"gate": {"a": [{"__proto__": {}}]}}`,
      ["line 1, column 18: __proto__ is not a setting"],
    ],
    [
      "deep nesting",
      `{"game":${"[".repeat(1_000_000)}`,
      ["line 1, column 72: nested deeper than 64 levels"],
    ],
  ];
  for (const [what, text, problems] of refusals) {
    it(`refuses ${what}, with its place`, async () => {
      const lines = problems.map((problem) => `Cannot use config "gw.json": ${problem}`);
      assert.deepEqual(await faultLines({ file: text }), lines);
    });
  }

  it("refuses a named file that is missing, a directory, too large, or not to be read", async () => {
    const files = fakeFiles();
    await files.makeDirectory("here");
    const lines = async (configPath: string) => {
      const result = await loadSettings({ files, env: {}, flags: {}, configPath });
      return result.ok ? [] : result.faults.map(showFault);
    };
    assert.deepEqual(await lines("no.json"), [
      'Cannot use config "no.json": there is no such file',
    ]);
    assert.deepEqual(await lines("here"), [
      'Cannot use config "here": it must be a file, found a directory',
    ]);
    await files.replace("big.json", new Uint8Array());
    const bytes = 256 * 2 ** 20 + 1;
    const huge = {
      info: async (path: string) =>
        path === "big.json" ? { kind: "file" as const, bytes } : undefined,
      read: files.read.bind(files),
    };
    const tooLarge = await loadSettings({
      files: huge,
      env: {},
      flags: {},
      configPath: "big.json",
    });
    assert.deepEqual(tooLarge.ok ? [] : tooLarge.faults.map(showFault), [
      'Cannot use config "big.json": it must be at most 268435456 bytes, found 268435457',
    ]);
    files.failNext("EACCES");
    assert.deepEqual(await lines("big.json"), [
      'Cannot use config "big.json": it cannot be read (EACCES)',
    ]);
  });

  it("keeps a path with control characters on one line", async () => {
    const result = await load({ configPath: "a\nb\u2028\x1b[0m.json" });
    assert.ok(!result.ok);
    assert.deepEqual(result.faults.map(showFault), [
      'Cannot use config "a\\nb\\u2028\\u001b[0m.json": there is no such file',
    ]);
  });
});

describe("loadSettings() values that depend on each other", () => {
  it("lets the system choose both ports when tcp_port is 0", async () => {
    const settings = await settingsFrom({ file: `{"tcp_port": 0}` });
    assert.deepEqual([settings.tcp_port, settings.udp_port], [0, 0]);
    assert.equal((await settingsFrom({ file: `{"tcp_port": 0, "udp_port": 5}` })).udp_port, 5);
  });

  it("refuses udp_port = tcp_port", async () => {
    assert.deepEqual(await faultLines({ file: `{"tcp_port": 5}`, flags: { udp_port: 5 } }), [
      "Cannot use flag --udp-port: udp_port must be another than tcp_port (5), got 5",
    ]);
  });

  it("refuses two things in one file, however its path is spelled", async () => {
    assert.deepEqual(await faultLines({ file: `{"log": {"file": "./data//runtime.sqlite"}}` }), [
      'Cannot use config "gw.json": log.file must be another file than db_path, ' +
      'got "./data//runtime.sqlite"',
    ]);
    assert.deepEqual(await faultLines({ file: `{"watchdog": {"status_path": "gw.json"}}` }), [
      'Cannot use config "gw.json": watchdog.status_path must be another file than ' +
      'the configuration itself, got "gw.json"',
    ]);
  });

  it("refuses tcp_port 65535 without a udp_port", async () => {
    assert.deepEqual(await faultLines({ file: `{"tcp_port": 65535}` }), [
      'Cannot use config "gw.json": tcp_port must be below 65535 while udp_port is 0 ' +
      "(= tcp_port + 1), got 65535",
    ]);
    assert.equal((await settingsFrom({ file: `{"tcp_port":65535,"udp_port":1}` })).udp_port, 1);
  });

  it("refuses HTTP on the TCP port of the same address", async () => {
    assert.deepEqual(await faultLines({ flags: { tcp_port: 8_080 } }), [
      "Cannot use configuration: http_port must be another than tcp_port (8080), " +
      "or 0 for no HTTP, got 8080",
    ]);
    await settingsFrom({ flags: { tcp_port: 8_080, http_port: 0 } });
    await settingsFrom({ flags: { tcp_port: 8_080, http_host: "127.0.0.2" } });
    const all = { tcp_port: 8_080, host: "0.0.0.0", http_host: "127.0.0.2" };
    assert.equal((await faultLines({ flags: all })).length, 1);
  });

  it("probes where one can connect to, and takes http_host from host", async () => {
    const any4 = await settingsFrom({ flags: { host: "0.0.0.0" } });
    assert.deepEqual([any4.http_host, any4.watchdog.health_host], ["0.0.0.0", "127.0.0.1"]);
    const any6 = await settingsFrom({ flags: { host: "::" } });
    assert.deepEqual([any6.http_host, any6.watchdog.health_host], ["::", "::1"]);
    const own = await settingsFrom({
      file: `{"tcp_port": 5, "watchdog": {"health_tcp_port": 6, "health_host": "10.0.0.1"}}`,
    });
    assert.equal(own.watchdog.health_tcp_port, 6);
    assert.equal(own.watchdog.health_udp_port, 6);
    assert.equal(own.watchdog.health_host, "10.0.0.1");
  });
});

interface Given {
  readonly file?: string | Uint8Array;
  readonly env?: LoadInput["env"];
  readonly flags?: LoadInput["flags"];
  readonly configPath?: string;
}

async function load({ file, env = {}, flags = {}, configPath }: Given): Promise<LoadResult> {
  const files = fakeFiles();
  if (file !== undefined) {
    await files.replace("gw.json", typeof file === "string" ? encode(file) : file);
  }
  const named = configPath ?? (file === undefined ? undefined : "gw.json");
  return await loadSettings({ files, env, flags, configPath: named });
}

async function settingsFrom(given: Given): Promise<Settings> {
  const result = await load(given);
  assert.ok(result.ok, result.ok ? "" : result.faults.map(showFault).join("\n"));
  return result.settings;
}

async function faultLines(given: Given): Promise<string[]> {
  const result = await load(given);
  return result.ok ? [] : result.faults.map(showFault);
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
