/**
 * Every key of the configuration: what it is, what is allowed, its default and what it means. The
 * schema, the flags of the command line, the environment variables and the help are made from it.
 */
import type { KeySpec } from "./key_spec.ts";
import { rootKeys } from "./root_keys.ts";
import { gameKeys } from "./game_keys.ts";
import { logKeys, watchdogKeys } from "./section_keys.ts";

/** Each key with its path in the file: `tcp_port`, `log.level`, `watchdog.health_host`. */
export function settingKeys(): Map<string, KeySpec> {
  const keys = new Map<string, KeySpec>(Object.entries<KeySpec>(rootKeys));
  for (const [name, spec] of Object.entries<KeySpec>(logKeys)) keys.set(`log.${name}`, spec);
  for (const [name, spec] of Object.entries<KeySpec>(watchdogKeys)) {
    keys.set(`watchdog.${name}`, spec);
  }
  for (const [name, spec] of Object.entries<KeySpec>(gameKeys)) keys.set(`game.${name}`, spec);
  return keys;
}

/** `drainSeconds` and `tcp_port` as parts of a flag: `drain-seconds`, `tcp-port`. */
export function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replaceAll("_", "-");
}

/** The flag that sets a key: `--tcp-port`, `--log-level`, and without its section for the watchdog. */
export function flagOf(path: string): string {
  return `--${kebabCase(path.replace(/^watchdog\./, "").replace(".", "-"))}`;
}

/** The environment variable that sets a key: `FREEKILL_GW_LOG__LEVEL` for `log.level`. */
export function environmentNameOf(path: string): string {
  const words = path.split(".").map((part) => kebabCase(part).replaceAll("-", "_"));
  return environmentPrefix + words.join("__").toUpperCase();
}

export const environmentPrefix = "FREEKILL_GW_";

/** Carries the one-time control token that the watchdog hands to its child. */
export const childTokenVariable = "FREEKILL_GW_CHILD_TOKEN";
