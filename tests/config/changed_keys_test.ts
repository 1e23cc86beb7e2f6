import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { changedKeys, isTakenOver, takenOverAtReload } from "../../src/config/changed_keys.ts";
import { showFault } from "../../src/config/faults.ts";
import { defaultValue, type KeySpec } from "../../src/config/key_spec.ts";
import { loadSettings } from "../../src/config/load_settings.ts";
import type { Settings } from "../../src/config/settings.ts";
import { settingKeys } from "../../src/config/settings_keys.ts";
import { fakeFiles } from "../fakes/files.ts";

/** Keys whose new values wait for a restart, as all do that `takenOverAtReload` does not name; `gateway` is whether there is one at all. */
const needRestart: readonly string[] = [
  "host",
  "tcp_port",
  "udp_port",
  "runtime_name",
  "db_path",
  "thread_count",
  "tick_interval_ms",
  "task_budget",
  "lua_script_path",
  "lua_command",
  "drift_mode",
  "http_host",
  "http_port",
  "tls_cert",
  "tls_key",
  "tcp_port_mode",
  "sniff_ms",
  "sniff_loopback_ms",
  "control_allow",
  "control_token",
  "metricsAllow",
  "lua_turn_ms",
  "lua_memory_mb",
  "lua_recycle_mb",
  "max_connections",
  "max_connections_per_host",
  "idle_timeout_s",
  "drainSeconds",
  "log.file",
  "log.bytes_max",
  "log.files_max",
  "log.format",
  "watchdog.health_host",
  "watchdog.health_tcp_port",
  "watchdog.health_udp_port",
  "watchdog.require_udp_health",
  "watchdog.health_timeout_ms",
  "watchdog.health_interval_s",
  "watchdog.start_grace_s",
  "watchdog.max_consecutive_health_failures",
  "watchdog.restart_delay_s",
  "watchdog.max_restarts",
  "watchdog.status_path",
  "watchdog.event_log_path",
  "watchdog.stdout_log_path",
  "watchdog.stderr_log_path",
  "watchdog.log_bytes_max",
  "watchdog.log_files_max",
  "game.outboundBytesMax",
  "gateway",
  "gateway.listen",
  "gateway.maxMessageSize",
  "gateway.upstreamMaxMessageSize",
  "gateway.security.enableCompression",
  "buffer.size",
  "buffer.persistFile",
  "buffer.maxBytes",
  "buffer.fsync",
  "buffer.fsyncMinIntervalMs",
  "buffer.upstreamAck",
  "buffer.dedupWindow",
  "metrics.enabled",
];

/** What is no key of its own: all rules, and the gateway as a whole. */
const wholes = ["routes", "gateway"];

/** Where any other value of its kind will not do, and what has to stand beside it. */
const others: Readonly<Record<string, { value: unknown; beside?: Record<string, unknown> }>> = {
  tls_cert: { value: "other.pem", beside: { tls_key: "key.pem" } },
  tls_key: { value: "other.pem", beside: { tls_cert: "cert.pem" } },
  control_token: { value: "a secret of sixteen" },
  "gateway.jwt.secret": { value: "a secret of at least thirty-two characters" },
  "gateway.jwt.algorithms": { value: ["EdDSA"], beside: { "gateway.jwt.publicKeyFile": "key" } },
  "gateway.api.tokens": { value: [`ops:read:${"0".repeat(64)}`] },
  "gateway.security.allowedOrigins": { value: ["https://example.com"] },
  "game.banWords": { value: ["word"] },
  "game.hiddenPacks": { value: ["pack"] },
  "game.maxPacketBytes": { value: 65_537 },
  "game.bytesBurst": { value: 2 ** 24 + 1 },
};

describe("a reload of the configuration", () => {
  it("has for every key either that it is taken over, or that it needs a restart", () => {
    const told = [...takenOverAtReload, ...needRestart].sort();
    assert.deepEqual(told, [...settingKeys().keys(), ...wholes].sort());
  });

  for (const [path, spec] of settingKeys()) {
    // It becomes the values of other keys.
    if (path === "gateway.listen") continue;
    it(`reports another ${path} as ${isTakenOver(path) ? "taken over" : "for a restart"}`, async () => {
      const { value, beside = {} } = others[path] ?? { value: otherValue(spec) };
      const before = await settingsOf({ ...firstOf(path, beside), ...beside });
      const after = await settingsOf({ ...beside, [path]: value });
      const changed = changedKeys(before, after);
      assert.ok(changed.includes(path), `${changed}`);
      assert.deepEqual(changedKeys(after, after), []);
    });
  }

  it("reports a gateway that comes or goes as one thing, for a restart", async () => {
    const off = await settingsOf({}, "{}");
    const on = await settingsOf({ "gateway.messagesPerSecond": 7, "buffer.retries": 3 });
    assert.deepEqual(changedKeys(off, on), ["gateway"]);
    assert.deepEqual(changedKeys(on, off), ["gateway"]);
    assert.equal(isTakenOver("gateway"), false);
    const stillOff = await settingsOf({ "memory.maxMemoryMB": 77 }, "{}");
    assert.deepEqual(changedKeys(off, stillOff), []);
  });
});

/** A pair needs both of its keys before, too. */
function firstOf(path: string, beside: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return path.startsWith("tls_") && Object.keys(beside).length > 0 ? { [path]: "first.pem" } : {};
}

async function settingsOf(
  flags: Readonly<Record<string, unknown>>,
  file = `{"gateway":{}}`,
): Promise<Settings> {
  const files = fakeFiles();
  await files.replace("freekill-gw.json", new TextEncoder().encode(file));
  const loaded = await loadSettings({ files, env: {}, flags });
  assert.ok(loaded.ok, loaded.ok ? "" : loaded.faults.map(showFault).join("\n"));
  return loaded.settings;
}

function otherValue(spec: KeySpec): unknown {
  const byDefault = defaultValue(spec);
  switch (spec.kind) {
    case "yes_no":
      return !byDefault;
    case "choice":
      return spec.choices.find((choice) => choice !== byDefault);
    case "choices":
      return spec.choices.slice(0, 1);
    case "addresses":
      return ["10.0.0.0/8"];
    case "text":
    case "texts":
      return "other";
    case "duration":
      return `${Number(byDefault) + 1}ms`;
    case "share":
      return Number(byDefault) / 2;
    default:
      return Number(byDefault) < spec.max ? Number(byDefault) + 1 : Number(byDefault) - 1;
  }
}
