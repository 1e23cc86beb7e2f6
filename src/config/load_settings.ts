/** Puts the configuration together: flag over environment over file over default. */
import { reachableAddress } from "../base/address.ts";
import { nearestWord } from "../base/suggest.ts";
import { brokenFile, showFound, wrongValue } from "./faults.ts";
import type { Fault } from "./faults.ts";
import { parseJsonc } from "./jsonc.ts";
import { reservedSections } from "./settings.ts";
import type { JsonSection, ReservedSections, Settings } from "./settings.ts";
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

/** More is no configuration; reading it would only hold up the start. */
const configBytesMax = 16 * 2 ** 20;

/** Variables with our prefix that are no settings. */
const otherVariables = ["FREEKILL_GW_BINARY", "FREEKILL_GW_DEBUG", childTokenVariable];

/** What is needed of the files port. */
export interface SettingsFiles {
  info(path: string): Promise<{ kind: "file" | "directory" | "other"; bytes: number } | undefined>;
  read(path: string, options: { bytesMax: number }): Promise<Uint8Array>;
}

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
    /** Lines for people: things that were ignored. */
    readonly notices: readonly string[];
  }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** Never rejects for a user's mistake: all of them come back as faults, at once. */
export async function loadSettings(input: LoadInput): Promise<LoadResult> {
  const file = await readFile(input);
  if (!file.ok) return { ok: false, faults: file.faults };
  const { document, sources, notices } = merge(file, input);
  const fileSource = file.path === undefined ? "configuration" : sourceOfFile(file.path);
  const sourceOf = (path: string) => sources.get(path.replace(/\[.*$/, "")) ?? fileSource;
  const checked = checkDocument(document, sourceOf);
  if (!checked.ok) return { ok: false, faults: checked.faults };
  const settings = complete(checked.document.values, reservedIn(document));
  const faults = [...conflicts(settings, sourceOf), ...collisions(settings, sourceOf, file.path)];
  if (faults.length > 0) return { ok: false, faults };
  return { ok: true, settings, path: file.path, notices };
}

type FileResult =
  | { readonly ok: true; readonly path: string | undefined; readonly document: unknown }
  | { readonly ok: false; readonly faults: Fault[] };

async function readFile({ files, configPath }: LoadInput): Promise<FileResult> {
  const path = configPath ?? defaultConfigPath;
  const source = sourceOfFile(path);
  const refuse = (problem: string): FileResult => ({
    ok: false,
    faults: [brokenFile(source, problem)],
  });
  let bytes: Uint8Array;
  try {
    const info = await files.info(path);
    if (info === undefined) {
      if (configPath !== undefined) return refuse("there is no such file");
      return { ok: true, path: undefined, document: {} };
    }
    if (info.kind !== "file") return refuse(`it must be a file, found a ${info.kind}`);
    if (info.bytes > configBytesMax) {
      return refuse(`it must be at most ${configBytesMax} bytes, found ${info.bytes}`);
    }
    bytes = await files.read(path, { bytesMax: configBytesMax });
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    return refuse(`it cannot be read (${code})`);
  }
  const parsed = parseJsonc(bytes);
  if (parsed.ok) return { ok: true, path, document: parsed.value };
  return { ok: false, faults: parsed.problems.map((problem) => brokenFile(source, problem)) };
}

function sourceOfFile(path: string): string {
  return `config ${showFound(path)}`;
}

/** The system's code; undefined for what is no failure of the file system. */
function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

/** Lays environment and flags over the file's document, and notes where each value came from. */
function merge(
  file: { readonly document: unknown },
  { env, flags }: LoadInput,
): { document: unknown; sources: Map<string, string>; notices: string[] } {
  const specs = settingKeys();
  const sources = new Map<string, string>();
  const notices: string[] = [];
  // A file that holds no object is refused whole by the schema.
  if (!isObject(file.document)) return { document: file.document, sources, notices };
  const document: Record<string, unknown> = { ...file.document };
  const set = (path: string, value: unknown, source: string) => {
    if (lay(document, path, value)) sources.set(path, source);
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
  return { document, sources, notices };
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

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
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

function complete(values: ReadonlyMap<string, unknown>, reserved: ReservedSections): Settings {
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
  const root = fill<Omit<Settings, "log" | "watchdog" | keyof ReservedSections>>(rootKeys, "");
  const watchdog = fill<Settings["watchdog"]>(watchdogKeys, "watchdog.");
  const nextPort = root.tcp_port === 0 ? 0 : root.tcp_port + 1;
  const udpPort = root.udp_port === 0 ? nextPort : root.udp_port;
  return {
    ...root,
    udp_port: udpPort,
    http_host: root.http_host === "" ? root.host : root.http_host,
    log: fill<Settings["log"]>(logKeys, "log."),
    watchdog: {
      ...watchdog,
      health_host: watchdog.health_host === "" ? reachableAddress(root.host) : watchdog.health_host,
      health_tcp_port: watchdog.health_tcp_port === 0 ? root.tcp_port : watchdog.health_tcp_port,
      health_udp_port: watchdog.health_udp_port === 0 ? udpPort : watchdog.health_udp_port,
    },
    ...reserved,
  };
}

/** What no key can tell alone. */
function conflicts(settings: Settings, sourceOf: (path: string) => string): Fault[] {
  const faults: Fault[] = [];
  const { tcp_port, udp_port, http_port } = settings;
  if (udp_port > 65_535) {
    faults.push(wrongValue({
      source: sourceOf("tcp_port"),
      path: "tcp_port",
      found: String(tcp_port),
      allowed: "below 65535 while udp_port is 0 (= tcp_port + 1)",
    }));
  }
  if (tcp_port !== 0 && udp_port === tcp_port) {
    faults.push(wrongValue({
      source: sourceOf("udp_port"),
      path: "udp_port",
      found: String(udp_port),
      allowed: `another than tcp_port (${tcp_port})`,
    }));
  }
  if (http_port !== 0 && http_port === tcp_port && overlap(settings.host, settings.http_host)) {
    faults.push(wrongValue({
      source: sourceOf("http_port"),
      path: "http_port",
      found: String(http_port),
      allowed: `another than tcp_port (${tcp_port}), or 0 for no HTTP`,
    }));
  }
  return faults;
}

/** Two things in one file would destroy each other. */
function collisions(
  settings: Settings,
  sourceOf: (path: string) => string,
  configPath: string | undefined,
): Fault[] {
  const { log, watchdog } = settings;
  const files: [string, string][] = [
    ["db_path", settings.db_path],
    ["log.file", log.file],
    ["watchdog.status_path", watchdog.status_path],
    ["watchdog.event_log_path", watchdog.event_log_path],
    ["watchdog.stdout_log_path", watchdog.stdout_log_path],
    ["watchdog.stderr_log_path", watchdog.stderr_log_path],
  ];
  const users = new Map<string, string>();
  if (configPath !== undefined) users.set(plainPath(configPath), "the configuration itself");
  const faults: Fault[] = [];
  for (const [path, file] of files) {
    if (file === "") continue;
    const other = users.get(plainPath(file));
    users.set(plainPath(file), path);
    if (other === undefined) continue;
    const found = showFound(file);
    faults.push(wrongValue({
      source: sourceOf(path),
      path,
      found,
      allowed: `another file than ${other}`,
    }));
  }
  return faults;
}

/** One spelling for `a/b`, `./a/b` and `a//b`. */
function plainPath(path: string): string {
  return path.replace(/\/+/g, "/").replace(/(^|\/)(\.\/)+/g, "$1");
}

function overlap(a: string, b: string): boolean {
  // A wildcard takes the port on every address.
  return a === b || reachableAddress(a) !== a || reachableAddress(b) !== b;
}
