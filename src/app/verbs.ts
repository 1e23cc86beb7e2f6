import { apiTokenName } from "../config/api_keys.ts";
import { port } from "../config/key_ranges.ts";
import { rootKeys } from "../config/root_keys.ts";
import { logKeys, watchdogKeys } from "../config/section_keys.ts";
import { fileFlag, numberFlag, settingFlags, switchFlag } from "./flag_spec.ts";
import type { FlagSpec } from "./flag_spec.ts";
import type { VerbName } from "./invocation.ts";

/** A verb of the command line: all that help says about it, and all that it accepts. */
export interface VerbSpec {
  readonly name: VerbName;
  readonly purpose: string;
  /** What stands after the verb in the usage line. */
  readonly takes: string;
  readonly topicsMax: number;
  /** Whether there may be words that are no flags. */
  readonly takesWords?: true;
  readonly flags: readonly FlagSpec[];
  readonly examples: readonly { readonly command: string; readonly means: string }[];
  /** Closing lines of its help. */
  readonly notes: readonly string[];
}

const config = fileFlag("config", "Configuration file", {
  aliases: ["config-json"],
  shownDefault: "freekill-gw.json, if present",
});
const printEffectiveConfig = switchFlag(
  "print-effective-config",
  "Prints the configuration as it would be used, and exits",
  { mode: true },
);
const json = switchFlag("json", "Prints JSON", { aliases: ["json-output"] });
const exitCodes = "Exit codes: 0 stopped, 2 flag or configuration, 3 failure while running.";
const settingSources =
  "A flag wins over the environment (FREEKILL_GW_TCP_PORT, FREEKILL_GW_LOG__LEVEL), that over the file.";

const configured = "the configuration's";
const liveHost = { ...rootKeys.host, means: "Address of the server", shownDefault: configured };
const countMax = Number.MAX_SAFE_INTEGER;

/** All verbs, in the order of the general help. */
export const verbs: readonly VerbSpec[] = [
  {
    name: "serve",
    purpose: "Runs the server until it is told to stop",
    takes: "[flags]",
    topicsMax: 0,
    flags: [
      config,
      ...settingFlags(rootKeys, ""),
      ...settingFlags(logKeys, "log."),
      switchFlag("demo", "Passes WebSocket messages on to an echo, and says how to send one"),
      printEffectiveConfig,
    ],
    examples: [
      { command: "freekill-gw serve", means: "on 127.0.0.1:9527, data in ./data" },
      { command: "freekill-gw serve --host :: --tcp-port 9000", means: "on all addresses" },
      { command: "freekill-gw serve --config gw.json --log-level debug", means: "from a file" },
      { command: "freekill-gw serve --demo", means: "shows a message go round the gateway" },
    ],
    notes: [settingSources, exitCodes],
  },
  {
    name: "watchdog",
    purpose: "Runs the server as a child and keeps it alive",
    takes: "[flags]",
    topicsMax: 0,
    flags: [config, ...settingFlags(watchdogKeys, "watchdog."), printEffectiveConfig],
    examples: [
      { command: "freekill-gw watchdog", means: "the server of ./freekill-gw.json or defaults" },
      {
        command: "freekill-gw watchdog --config gw.json --require-udp-health",
        means: "UDP must answer too",
      },
      {
        command: "freekill-gw watchdog --health-interval-s 1 --max-restarts 10",
        means: "looks every second, gives up after ten restarts",
      },
    ],
    notes: [
      settingSources,
      "Exit codes: 0 stopped by a signal, 2 configuration or restart limit, 3 failure of its own.",
    ],
  },
  {
    name: "admin",
    purpose: "Orders something of the server that runs in this directory",
    takes: '[--json] "<command>"',
    topicsMax: 0,
    takesWords: true,
    flags: [json],
    examples: [
      { command: "freekill-gw admin help", means: "all commands" },
      { command: "freekill-gw admin lsplayer --json", means: "who is on the server" },
      { command: 'freekill-gw admin "tempban Alice 2h"', means: "keeps somebody out for a time" },
      { command: 'freekill-gw admin "msg Back in 5 minutes"', means: "tells everybody" },
    ],
    notes: [
      "It goes over HTTP to this machine alone: the server needs an http_port, and who may read " +
      "server/admin.token may order. server/admin.log holds every use.",
      "Exit codes: 0 done, 1 refused or failed, 2 wrong command, 3 no server that could be asked.",
    ],
  },
  {
    name: "packages",
    purpose: "Installs, upgrades, lists and removes the packages of this directory",
    takes: "<verb> [url or name] [--json]",
    topicsMax: 0,
    takesWords: true,
    flags: [json],
    examples: [
      {
        command: "freekill-gw packages install https://gitee.com/Qsgs-Fans/freekill-core",
        means: "gets a git repository; no git program is needed",
      },
      { command: "freekill-gw packages upgrade", means: "brings all packages up to date" },
      { command: "freekill-gw packages list", means: "what is there, and at which commit" },
      {
        command: "freekill-gw packages sync",
        means: "gets what packages.db has and packages/ lacks",
      },
    ],
    notes: [
      "Verbs: install <url>, remove <name>, list, enable <name>, disable <name>, upgrade [name], " +
      "sync, md5.",
      "Addresses are https, http, file:/// and absolute paths, of git repositories or, on this " +
      "machine, of plain directories. An upgrade replaces the whole directory: what was changed in " +
      "it by hand is gone. A server that runs here does it itself and tells its players to update; " +
      "running games end on what they began with. It is asked over its HTTP port.",
      "Exit codes: 0 done, 1 refused or failed, 2 wrong command, 3 a server that cannot be asked.",
    ],
  },
  {
    name: "api-token",
    purpose: "Makes a token for the API of the gateway, and its entry in the configuration",
    takes: "[--name NAME] [--scope read|write] [--stdin] [--json]",
    topicsMax: 0,
    flags: [
      {
        name: "name",
        value: {
          kind: "text",
          default: "ops",
          ...apiTokenName,
          means: "Whose token it is, for server/api.log",
        },
      },
      {
        name: "scope",
        value: {
          kind: "choice",
          default: "read",
          choices: ["read", "write"],
          means: "What it may do",
        },
      },
      switchFlag("stdin", "Makes no token: hashes the one in the first line of standard input"),
      json,
    ],
    examples: [
      {
        command: "freekill-gw api-token --name ops --scope write",
        means: "prints a new token, this once, and its entry",
      },
      {
        command: "freekill-gw api-token --name ops --stdin < token.txt",
        means: "prints the entry of a token that is there already",
      },
    ],
    notes: [
      "The entry belongs into gateway.api.tokens and holds no more than the token's SHA-256; a server " +
      "that runs takes it over on SIGHUP. A token of your own has 32–1,024 printable ASCII " +
      "characters without spaces; it cannot be given as an argument, which everybody on the machine " +
      "could read.",
      "Exit codes: 0 done, 2 wrong flag or token.",
    ],
  },
  {
    name: "check",
    purpose: "Checks the configuration and this machine, a running server, or the whole program",
    takes: "[--live | --acceptance | --release-gate] [flags]",
    topicsMax: 0,
    flags: [
      config,
      switchFlag("live", "Probes a running server", { mode: true }),
      { name: "host", value: liveHost, only: "live" },
      {
        name: "tcp-port",
        value: { ...rootKeys.tcp_port, ...livePort("TCP port"), shownDefault: configured },
        only: "live",
      },
      {
        name: "udp-port",
        value: {
          ...rootKeys.udp_port,
          ...livePort("UDP port"),
          shownDefault: "--tcp-port + 1, or the configuration's",
        },
        only: "live",
      },
      switchFlag("require-udp", "Fails when UDP does not answer", { only: "live" }),
      numberFlag("timeout-ms", {
        kind: "ms",
        default: 1_200,
        min: 1,
        max: 600_000,
        means: "Longest wait for each answer",
      }, "live"),
      limitFlag("max-error-count", "Fails when error_count is above it"),
      limitFlag("min-timer-tick-count", "Fails when timer_tick_count is below it"),
      limitFlag("min-io-poll-count", "Fails when io_poll_count is below it"),
      switchFlag("acceptance", "Starts a private server and tests all that it must do", {
        mode: true,
      }),
      switchFlag("release-gate", "Acceptance, then load on a private server", { mode: true }),
      numberFlag("soak-seconds", {
        kind: "seconds",
        default: 60,
        min: 1,
        max: 86_400,
        means: "Length of the load",
      }, "release-gate"),
      fileFlag("output", "Writes the report as JSON", { shownDefault: "none" }),
      json,
      switchFlag("print-schema", "Prints the JSON Schema of the configuration", { mode: true }),
      printEffectiveConfig,
    ],
    examples: [
      { command: "freekill-gw check --config gw.json", means: "before a start" },
      {
        command: "freekill-gw check --live --tcp-port 9527 --require-udp --json",
        means: "for monitoring",
      },
      { command: "freekill-gw check --release-gate --soak-seconds 20", means: "before a release" },
      {
        command: "freekill-gw check --print-schema > schema.json",
        means: "for an editor that completes keys",
      },
    ],
    notes: ["Exit codes: 0 all well, 1 something failed, 2 flag or configuration, 3 own failure."],
  },
  {
    name: "completions",
    purpose: "Prints what a shell needs to complete verbs, flags and their values",
    takes: "bash|zsh|fish",
    topicsMax: 0,
    takesWords: true,
    flags: [],
    examples: [
      {
        command: "source <(freekill-gw completions bash)",
        means: "in ~/.bashrc; with zsh in ~/.zshrc, after compinit",
      },
      {
        command: "freekill-gw completions fish > ~/.config/fish/completions/freekill-gw.fish",
        means: "for good",
      },
    ],
    notes: [],
  },
  {
    name: "version",
    purpose: "Prints the version",
    takes: "[--json]",
    topicsMax: 0,
    flags: [json],
    examples: [
      { command: "freekill-gw version", means: "for people" },
      { command: "freekill-gw version --json", means: "for programs" },
    ],
    notes: [],
  },
  {
    name: "help",
    purpose: "Explains the program or one verb",
    takes: "[verb]",
    topicsMax: 1,
    flags: [],
    examples: [
      { command: "freekill-gw help", means: "what there is" },
      { command: "freekill-gw help serve", means: "all flags of a verb" },
    ],
    notes: [],
  },
];

function livePort(means: string) {
  return { ...port, min: 1, means: `${means} of the server` };
}

function limitFlag(name: string, means: string): FlagSpec {
  const value = { kind: "whole", default: 0, min: 0, max: countMax, means } as const;
  return numberFlag(name, { ...value, shownDefault: "no limit" }, "live");
}
