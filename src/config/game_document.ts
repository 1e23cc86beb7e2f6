/** The game's keys as they come in files: the original server's, its older ones, and ours. */
import { nearestWord } from "../base/suggest.ts";
import { showFound, showKey, wrongValue } from "./faults.ts";
import type { Fault } from "./faults.ts";
import { gameKeys } from "./game_keys.ts";
import {
  isObject,
  readDocument,
  type SettingsFiles,
  smallFileBytesMax,
  sourceOfFile,
} from "./read_document.ts";

/** The original server's file, read from the working directory of `serve`. */
export const gameConfigPath = "freekill.server.config.json";

/** An object whose older keys have got the names of today; the values are not checked yet. */
export interface GameDocument {
  readonly values: Readonly<Record<string, unknown>>;
  /** Names in the file of keys that have got another: `banwords` for `banWords`. */
  readonly renamed: ReadonlyMap<string, string>;
  readonly faults: readonly Fault[];
}

export type GameFileResult =
  | {
    readonly ok: true;
    /** The file that was read, if there is one. */
    readonly path: string | undefined;
    readonly game: GameDocument;
    readonly notices: readonly string[];
  }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/**
 * Reads `freekill.server.config.json`, if there is one. What this server does not know in it is left
 * out with a notice: the original ignores such keys, and old files should go on working.
 */
export async function readGameFile(files: SettingsFiles): Promise<GameFileResult> {
  const file = await readDocument(files, {
    path: gameConfigPath,
    isRequired: false,
    bytesMax: smallFileBytesMax,
  });
  if (!file.ok) return file;
  const { document } = file;
  const source = sourceOfFile(gameConfigPath);
  if (!isObject(document)) {
    const found = showFound(document);
    return { ok: false, faults: [wrongValue({ source, path: "", found, allowed: "an object" })] };
  }
  const game = withTodaysKeys(document, { source, path: "" });
  const { values, notices } = withoutUnknown(game.values);
  return { ok: true, path: file.path, game: { ...game, values }, notices };
}

/** `path` is that of the object in its file, with a dot: `game.`, or "". */
export function withTodaysKeys(
  object: Readonly<Record<string, unknown>>,
  { source, path }: { source: string; path: string },
): GameDocument {
  const values: Record<string, unknown> = { ...object };
  const renamed = new Map<string, string>();
  const faults: Fault[] = [];
  if (Object.hasOwn(values, "banwords")) {
    if (!Object.hasOwn(values, "banWords")) {
      values.banWords = values.banwords;
      renamed.set("banWords", "banwords");
    }
    delete values.banwords;
  }
  for (const [key, feature] of oldSwitches) {
    const value = values[key];
    if (!Object.hasOwn(values, key)) continue;
    delete values[key];
    if (typeof value !== "boolean") {
      const found = showFound(value);
      faults.push(wrongValue({ source, path: path + key, found, allowed: "true or false" }));
    } else if (!value) values.disabledFeatures = withFeature(values.disabledFeatures, feature);
  }
  return { values, renamed, faults };
}

/** Of files before `disabledFeatures`; false in them means that the feature is disabled. */
const oldSwitches = [["enableBots", "AddRobot"], ["enableChangeRoom", "ChangeRoom"]] as const;

function withFeature(features: unknown, feature: string): unknown {
  if (features === undefined) return [feature];
  // What is no list is a fault, for the schema to name.
  return Array.isArray(features) && !features.includes(feature) ? [...features, feature] : features;
}

function withoutUnknown(
  from: Readonly<Record<string, unknown>>,
): { values: Record<string, unknown>; notices: string[] } {
  const values: Record<string, unknown> = {};
  const notices: string[] = [];
  const strange: string[] = [];
  for (const [key, value] of Object.entries(from)) {
    if (Object.hasOwn(gameKeys, key)) values[key] = value;
    else if (key !== "$schema") strange.push(key);
  }
  if (strange.length > 0) notices.push(ignored("keys", strange, Object.keys(gameKeys)));
  const features = values.disabledFeatures;
  if (Array.isArray(features)) {
    const known: readonly unknown[] = gameKeys.disabledFeatures.choices;
    const others = features.filter((name) => typeof name === "string" && !known.includes(name));
    values.disabledFeatures = features.filter((name) => !others.includes(name));
    if (others.length > 0) {
      notices.push(ignored("disabledFeatures", others, gameKeys.disabledFeatures.choices));
    }
  }
  return { values, notices };
}

/** A notice is for people: they need to see what kind of names it is about, not thousands. */
const shownNamesMax = 10;

function ignored(what: string, names: readonly string[], known: readonly string[]): string {
  const shown = names.slice(0, shownNamesMax).map((name) => {
    const meant = nearestWord(name, known);
    return meant === undefined ? showKey(name) : `${showKey(name)} (${meant}?)`;
  });
  const more = names.length > shownNamesMax ? ` and ${names.length - shownNamesMax} more` : "";
  return `In ${gameConfigPath} these ${what} are unknown and ignored: ${shown.join(", ")}${more}.`;
}
