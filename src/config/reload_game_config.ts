import type { Fault } from "./faults.ts";
import type { GameConfig } from "./game_config.ts";
import { type LoadInput, type LoadResult, loadSettings } from "./load_settings.ts";

export type GameConfigReload =
  | {
    readonly ok: true;
    readonly game: GameConfig;
    /** Lines for people: things that were ignored. */
    readonly notices: readonly string[];
  }
  /** Nothing may be taken over then: the running server keeps what it has. */
  | { readonly ok: false; readonly faults: readonly Fault[] };

/**
 * Reads both files again, with the same environment and flags, for `reloadconf` and SIGHUP. A fault
 * anywhere in them refuses all, as at a start. Never rejects for a user's mistake.
 */
export async function reloadGameConfig(
  input: LoadInput,
  load: (input: LoadInput) => Promise<LoadResult> = loadSettings,
): Promise<GameConfigReload> {
  const loaded = await load(input);
  if (!loaded.ok) return loaded;
  return { ok: true, game: loaded.settings.game, notices: loaded.notices };
}
