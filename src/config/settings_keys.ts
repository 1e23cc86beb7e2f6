/**
 * Every key of the configuration: what it is, what is allowed, its default and what it means. The
 * schema, the flags of the command line, the environment variables and the help are made from it.
 */
import type { KeySpec } from "./key_spec.ts";
import { rootKeys } from "./root_keys.ts";
import { gameKeys } from "./game_keys.ts";
import { gatewaySections } from "./gateway_sections.ts";
import { logKeys, watchdogKeys } from "./section_keys.ts";

/** The sections with keys by their path, each after the one that it is in; "" is the root. */
export function settingSections(): Map<string, Readonly<Record<string, KeySpec>>> {
  return new Map<string, Readonly<Record<string, KeySpec>>>([
    ["", rootKeys],
    ["log", logKeys],
    ["watchdog", watchdogKeys],
    ["game", gameKeys],
    ...gatewaySections,
  ]);
}

/** Each key with its path in the file: `tcp_port`, `log.level`, `gateway.rateLimit.burstSize`. */
export function settingKeys(): Map<string, KeySpec> {
  const keys = new Map<string, KeySpec>();
  for (const [section, specs] of settingSections()) {
    for (const [name, spec] of Object.entries(specs)) keys.set(pathOf(section, name), spec);
  }
  return keys;
}

/** The path of a key or section in another. */
export function pathOf(section: string, name: string): string {
  return section === "" ? name : `${section}.${name}`;
}

/** The path of the section that a key or section is in; "" for the root. */
export function sectionOf(path: string): string {
  const dot = path.lastIndexOf(".");
  return dot === -1 ? "" : path.slice(0, dot);
}

/** `drainSeconds` and `tcp_port` as parts of a flag: `drain-seconds`, `tcp-port`. */
export function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replaceAll("_", "-");
}

/** The flag that sets a key: `--tcp-port`, `--log-level`, and without its section for the watchdog. */
export function flagOf(path: string): string {
  return `--${kebabCase(path.replace(/^watchdog\./, "").replaceAll(".", "-"))}`;
}

/** The environment variable that sets a key: `FREEKILL_GW_LOG__LEVEL` for `log.level`. */
export function environmentNameOf(path: string): string {
  const words = path.split(".").map((part) => kebabCase(part).replaceAll("-", "_"));
  return environmentPrefix + words.join("__").toUpperCase();
}

export const environmentPrefix = "FREEKILL_GW_";

/** Carries the one-time control token that the watchdog hands to its child. */
export const childTokenVariable = "FREEKILL_GW_CHILD_TOKEN";
