/**
 * Runs the benchmarks one after the other: `./build bench [name…] [--json]`. With `--json` it prints
 * one object a line.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

const all = [
  "start_stop",
  "tcp_ping_pong",
  "idle_connections",
  "udp",
  "wire_packets",
  "game_logins",
  "game_chat",
  "game_strangers",
  "rules_games",
  "gateway_log",
  "gateway_messages",
  "gateway_memory",
  "gateway_round_trips",
  "gateway_steady",
  "gateway_disk",
  "gateway_routes",
  "gateway_many_rules",
  "gateway_reload",
  "gateway_waiting",
  "gateway_history",
  "gateway_fan_in",
  "gateway_large",
  "gateway_sdk",
];

/** Run only when they are named: they take the whole machine. */
const byName = ["gateway_100k"];
const allowed = [...all, ...byName];

const args = process.argv.slice(2);
const firstFlag = args.findIndex((arg) => arg.startsWith("--"));
const names = firstFlag < 0 ? args : args.slice(0, firstFlag);
const flags = firstFlag < 0 ? [] : args.slice(firstFlag);
const unknown = names.find((name) => !allowed.includes(name));
if (unknown !== undefined) {
  console.error(`Cannot run benchmark '${unknown}' (allowed: ${allowed.join(", ")})`);
  process.exit(2);
}
if (!existsSync("/proc/self/stat")) {
  console.error("Cannot measure here: CPU time and memory are read from /proc, which is Linux's");
  process.exit(3);
}
let failed = 0;
for (const name of names.length > 0 ? names : all) {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, `${name}.ts`), ...flags], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (await child.exited !== 0) failed++;
}
process.exit(failed === 0 ? 0 : 1);
