/**
 * Puts the configuration together: flag over environment over file over default. For the game's keys
 * there is a second file, the original server's, between the file and the defaults.
 */
import { reachableAddress } from "../base/address.ts";
import { nearestWord } from "../base/suggest.ts";
import { collisions, conflicts } from "./conflicts.ts";
import { type DefaultHost, defaultHost } from "./default_host.ts";
import { showFound } from "./faults.ts";
import type { Fault, Place } from "./faults.ts";
import type { GameConfig } from "./game_config.ts";
import {
  gameConfigPath,
  type GameFileResult,
  readGameFile,
  withTodaysKeys,
} from "./game_document.ts";
import { gameKeys } from "./game_keys.ts";
import {
  type DocumentResult,
  isObject,
  readDocument,
  type SettingsFiles,
  sourceOfFile,
} from "./read_document.ts";
import { reservedSections } from "./settings.ts";
import type { JsonSection, ReservedSections, RootSettings, Settings } from "./settings.ts";
import { valueOfText } from "./key_spec.ts";
import type { KeySpec } from "./key_spec.ts";
import { rootKeys } from "./root_keys.ts";
import { logKeys, watchdogKeys } from "./section_keys.ts";
import {
  childTokenVariable,
  environmentNameOf,
  environmentPrefix,
  flagOf,
  settingKeys,
} from "./settings_keys.ts";
import { checkDocument } from "./settings_schema.ts";

/** The file that is read from the working directory when none is named. */
export const defaultConfigPath = "freekill-gw.json";

/** Variables with our prefix that are no settings. */
const otherVariables = ["FREEKILL_GW_BINARY", "FREEKILL_GW_DEBUG", childTokenVariable];

export interface LoadInput {
  readonly files: SettingsFiles;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By path in the file (`tcp_port`, `log.level`); a text is read as its kind; undefined is absent. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** A file that must be there; without it `freekill-gw.json`, if present. */
  readonly configPath?: string | undefined;
}

export type LoadResult =
  | {
    readonly ok: true;
    readonly settings: Settings;
    /** The file that was read. */
    readonly path: string | undefined;
    /** `freekill.server.config.json`, if there is one. */
    readonly gamePath: string | undefined;
    /** Lines for people: things that were ignored, or are not as usual. */
    readonly notices: readonly string[];
  }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** Never rejects for a user's mistake: all of them come back as faults, at once. */
export async function loadSettings(input: LoadInput): Promise<LoadResult> {
  const { files, configPath } = input;
  const [main, game] = await Promise.all([
    readDocument(files, {
      path: configPath ?? defaultConfigPath,
      isRequired: configPath !== undefined,
    }),
    readGameFile(files),
  ]);
  if (!main.ok || !game.ok) {
    return { ok: false, faults: [main, game].flatMap((file) => file.ok ? [] : file.faults) };
  }
  const { document, places, notices, faults: oldKeyFaults } = merge({ main, game }, input);
  const mainSource = main.path === undefined ? "configuration" : sourceOfFile(main.path);
  const placeOf = (path: string): Place => placeIn(places, path, mainSource);
  const checked = checkDocument(document, placeOf);
  if (!checked.ok) return { ok: false, faults: [...oldKeyFaults, ...checked.faults] };
  const { values } = checked.document;
  const implied = values.has("host") ? undefined : await defaultHost(files);
  const settings = complete(values, { reserved: reservedIn(document), implied });
  const read = [main.path, game.path].filter((path) => path !== undefined);
  const faults = [
    ...oldKeyFaults,
    ...conflicts(settings, placeOf),
    ...collisions(settings, placeOf, read),
  ];
  if (faults.length > 0) return { ok: false, faults };
  if (implied?.notice !== undefined) notices.push(implied.notice);
  return { ok: true, settings, path: main.path, gamePath: game.path, notices };
}

/** A member of a list stands where the list does. */
function placeIn(places: ReadonlyMap<string, Place>, path: string, mainSource: string): Place {
  const key = path.replace(/\[.*$/, "");
  const place = places.get(key);
  if (place === undefined) return { source: mainSource, path };
  return { source: place.source, path: place.path + path.slice(key.length) };
}

interface Merged {
  readonly document: unknown;
  /** Of values that are not where their path says, in the main file. */
  readonly places: ReadonlyMap<string, Place>;
  readonly notices: string[];
  /** Of older keys, which the schema does not know. */
  readonly faults: readonly Fault[];
}

/** Lays environment and flags over the files, and notes where each value came from. */
function merge(
  { main, game }: {
    main: Extract<DocumentResult, { ok: true }>;
    game: Extract<GameFileResult, { ok: true }>;
  },
  { env, flags }: LoadInput,
): Merged {
  const specs = settingKeys();
  const places = new Map<string, Place>();
  const notices: string[] = [...game.notices];
  const faults: Fault[] = [...game.game.faults];
  // A file that holds no object is refused whole by the schema.
  if (!isObject(main.document)) return { document: main.document, places, notices, faults };
  const document: Record<string, unknown> = { ...main.document };
  const section = document.game ?? {};
  if (isObject(section)) {
    const source = sourceOfFile(main.path ?? defaultConfigPath);
    const own = withTodaysKeys(section, { source, path: "game." });
    faults.push(...own.faults);
    document.game = { ...game.game.values, ...own.values };
    const gameSource = sourceOfFile(gameConfigPath);
    for (const key of Object.keys(game.game.values)) {
      places.set(`game.${key}`, { source: gameSource, path: game.game.renamed.get(key) ?? key });
    }
    for (const key of Object.keys(own.values)) {
      places.set(`game.${key}`, { source, path: `game.${own.renamed.get(key) ?? key}` });
    }
  }
  const set = (path: string, value: unknown, source: string) => {
    if (lay(document, path, value)) places.set(path, { source, path });
  };

  const paths = new Map([...specs.keys()].map((path) => [environmentNameOf(path), path]));
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(environmentPrefix) || otherVariables.includes(name)) continue;
    const path = paths.get(name);
    if (path === undefined) notices.push(unknownVariable(name, [...paths.keys()]));
    // Empty means not set: the usual way to switch a variable off in service files.
    else if (text !== undefined && text !== "") {
      set(path, valueOfText(specs.get(path)!, text), `environment ${name}`);
    }
  }
  for (const [path, value] of Object.entries(flags)) {
    const spec = specs.get(path);
    if (spec === undefined) throw new TypeError(`Cannot load settings: no key ${path} for a flag`);
    if (value === undefined) continue;
    set(path, typeof value === "string" ? valueOfText(spec, value) : value, `flag ${flagOf(path)}`);
  }
  return { document, places, notices, faults };
}

function unknownVariable(name: string, known: readonly string[]): string {
  const meant = nearestWord(name, known);
  const hint = meant === undefined ? "" : ` Did you mean ${meant}?`;
  return `The environment variable ${showName(name)} is not a setting and is ignored.${hint}`;
}

function showName(name: string): string {
  return /^\w{1,128}$/.test(name) ? name : showFound(name);
}

/** False when the file holds something else where the section should be: the schema says so. */
function lay(document: Record<string, unknown>, path: string, value: unknown): boolean {
  const [first = "", second] = path.split(".");
  if (second === undefined) {
    document[first] = value;
    return true;
  }
  const section = document[first] ?? {};
  if (!isObject(section)) return false;
  document[first] = { ...section, [second]: value };
  return true;
}

function reservedIn(document: unknown): ReservedSections {
  const sections: { -readonly [name in keyof ReservedSections]: JsonSection } = {};
  if (!isObject(document)) return sections;
  for (const name of reservedSections) {
    const section = document[name];
    if (section !== undefined) sections[name] = section as JsonSection;
  }
  return sections;
}

function complete(
  values: ReadonlyMap<string, unknown>,
  { reserved, implied }: { reserved: ReservedSections; implied: DefaultHost | undefined },
): Settings {
  const fill = <Section>(
    keys: { readonly [key in keyof Section]: KeySpec },
    prefix: string,
  ): Section => {
    const entries = Object.entries<KeySpec>(keys);
    // The schema has checked each value against the specification of its key.
    return Object.fromEntries(
      entries.map(([key, spec]) => [key, values.get(prefix + key) ?? spec.default]),
    ) as Section;
  };
  const root = fill<RootSettings>(rootKeys, "");
  const game = fill<GameConfig>(gameKeys, "game.");
  const bytesBurst = values.has("game.bytesBurst")
    ? game.bytesBurst
    : Math.max(game.bytesBurst, game.maxPacketBytes);
  const host = implied?.host ?? root.host;
  const watchdog = fill<Settings["watchdog"]>(watchdogKeys, "watchdog.");
  const nextPort = root.tcp_port === 0 ? 0 : root.tcp_port + 1;
  const udpPort = root.udp_port === 0 ? nextPort : root.udp_port;
  return {
    ...root,
    host,
    udp_port: udpPort,
    // Where the host is implied, root.host is the default: what nobody asked for opens no HTTP.
    http_host: root.http_host === "" ? root.host : root.http_host,
    log: fill<Settings["log"]>(logKeys, "log."),
    watchdog: {
      ...watchdog,
      health_host: watchdog.health_host === "" ? reachableAddress(host) : watchdog.health_host,
      health_tcp_port: watchdog.health_tcp_port === 0 ? root.tcp_port : watchdog.health_tcp_port,
      health_udp_port: watchdog.health_udp_port === 0 ? udpPort : watchdog.health_udp_port,
    },
    game: { ...game, bytesBurst },
    ...reserved,
  };
}
