/**
 * Puts the configuration together: flag over environment over file over default. For the game's keys
 * there is a second file, the original server's, between the file and the defaults.
 */
import { nearestWord } from "../base/suggest.ts";
import { collisions, conflicts } from "./conflicts.ts";
import { completeSettings } from "./complete_settings.ts";
import { defaultHost, everyAddress } from "./default_host.ts";
import { showFound } from "./faults.ts";
import type { Fault, Place } from "./faults.ts";
import {
  gameConfigPath,
  type GameFileResult,
  readGameFile,
  withTodaysKeys,
} from "./game_document.ts";
import type { RouteRule } from "./gateway_config.ts";
import { checkRoutes, type RoutesResult } from "./gateway_routes.ts";
import {
  asksForGateway,
  gatewayConfigOf,
  ignoredKeysNotice,
  listenConflict,
  parseListen,
} from "./gateway_settings.ts";
import {
  configBytesMax,
  type DocumentResult,
  isObject,
  readDocument,
  type SettingsFiles,
  sourceOfFile,
} from "./read_document.ts";
import type { Settings } from "./settings.ts";
import { valueOfText } from "./key_spec.ts";
import { readRouteFile } from "./route_file.ts";
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
      bytesMax: configBytesMax,
    }),
    readGameFile(files),
  ]);
  if (!main.ok || !game.ok) {
    return { ok: false, faults: [main, game].flatMap((file) => file.ok ? [] : file.faults) };
  }
  const every = await everyAddress(files);
  const merged = merge({ main, game, every }, input);
  const { document, places, notices, faults: olderFaults } = merged;
  const mainSource = main.path === undefined ? "configuration" : sourceOfFile(main.path);
  const placeOf = (path: string): Place => placeIn(places, path, mainSource);
  const routes = await routesOf(document, { files, source: mainSource });
  const checked = checkDocument(withoutRules(document), placeOf);
  if (!checked.ok || !routes.ok) {
    const routeFaults = routes.ok ? [] : routes.faults;
    const others = checked.ok ? [] : checked.faults;
    return { ok: false, faults: [...olderFaults, ...others, ...routeFaults] };
  }
  const { values } = checked.document;
  const implied = values.has("host") ? undefined : await defaultHost(files);
  const enabled = routes.isFromFile || (isObject(document) && asksForGateway(document));
  const gateway = gatewayConfigOf({ values, rules: routes.rules, enabled });
  const settings = completeSettings(values, { gateway, impliedHost: implied?.host });
  const read = [main.path, game.path].filter((path) => path !== undefined);
  const faults = [
    ...olderFaults,
    ...conflicts(settings, placeOf),
    ...collisions(settings, placeOf, read),
  ];
  if (faults.length > 0) return { ok: false, faults };
  if (implied?.notice !== undefined) notices.push(implied.notice);
  const ignored = ignoredKeysNotice(document);
  if (ignored !== undefined) notices.push(ignored);
  notices.push(...routes.notices);
  return { ok: true, settings, path: main.path, gamePath: game.path, notices };
}

type FoundRoutes =
  | {
    readonly ok: true;
    readonly rules: readonly RouteRule[];
    readonly notices: readonly string[];
    /** They come from the original's own file. */
    readonly isFromFile: boolean;
  }
  | { readonly ok: false; readonly faults: readonly Fault[] };

async function routesOf(
  document: unknown,
  { files, source }: { files: SettingsFiles; source: string },
): Promise<FoundRoutes> {
  const none = { ok: true, rules: [], notices: [], isFromFile: false } as const;
  // What is something else is a fault, for the schema to name.
  if (!isObject(document)) return none;
  const { routes } = document;
  let found: RoutesResult | undefined;
  if (Array.isArray(routes)) {
    found = checkRoutes(routes, { source, path: "routes", mayHoldUnknownKeys: false });
  } else if (routes === undefined) found = await readRouteFile(files);
  if (found === undefined) return none;
  return found.ok ? { ...found, isFromFile: routes === undefined } : found;
}

/** The schema need not look at a million rules, which are checked already. */
function withoutRules(document: unknown): unknown {
  return isObject(document) && Array.isArray(document.routes)
    ? { ...document, routes: [] }
    : document;
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
  { main, game, every }: {
    main: Extract<DocumentResult, { ok: true }>;
    game: Extract<GameFileResult, { ok: true }>;
    /** What listens on all addresses. */
    every: string;
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
    if (lay(document, path.split("."), value)) places.set(path, { source, path });
  };
  /** The original's key for what are two here. */
  const setListen = (text: unknown, source: string) => {
    const listen = parseListen(text);
    if (listen === undefined) return;
    const place = { source, path: "gateway.listen" };
    document.http_host = listen.host === "" ? every : listen.host;
    document.http_port = listen.port;
    places.set("http_host", place).set("http_port", place);
  };
  if (isObject(document.gateway)) {
    const source = sourceOfFile(main.path ?? defaultConfigPath);
    const { listen: text } = document.gateway;
    // What is overridden anyway is in nobody's way.
    const besideOf = (key: "http_host" | "http_port") =>
      isOverridden(key, { env, flags }) ? undefined : document[key];
    const beside = { source, host: besideOf("http_host"), port: besideOf("http_port") };
    const conflict = listenConflict(text, beside);
    if (conflict !== undefined) faults.push(conflict);
    setListen(text, source);
  }

  const paths = new Map([...specs.keys()].map((path) => [environmentNameOf(path), path]));
  const listenVariable = environmentNameOf("gateway.listen");
  setListen(env[listenVariable], `environment ${listenVariable}`);
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

/** Whether a flag or the environment has the last word on where HTTP listens. */
function isOverridden(
  key: "http_host" | "http_port",
  { env, flags }: Pick<LoadInput, "env" | "flags">,
): boolean {
  const isNamed = (path: string) => (env[environmentNameOf(path)] ?? "") !== "";
  return flags[key] !== undefined || isNamed(key) || isNamed("gateway.listen");
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
function lay(
  document: Record<string, unknown>,
  [first = "", ...rest]: readonly string[],
  value: unknown,
): boolean {
  if (rest.length === 0) {
    document[first] = value;
    return true;
  }
  const section = document[first] ?? {};
  if (!isObject(section)) return false;
  const copy = { ...section };
  if (!lay(copy, rest, value)) return false;
  document[first] = copy;
  return true;
}
