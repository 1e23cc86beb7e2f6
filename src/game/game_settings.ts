import type { GameConfig } from "../config/game_config.ts";

/** Features that a server may switch off; the rest of them is told to clients. */
export const switchableFeatures = ["AddRobot", "ChangeRoom"] as const;

/** What lobby and rooms need of the configuration; may be replaced while they run. */
export interface GameSettings {
  readonly motd: string;
  readonly hiddenPacks: readonly string[];
  readonly disabledFeatures: readonly string[];
  readonly banWords: readonly string[];
  /** Minutes that the address of one who runs away is kept out; 0 for none. */
  readonly tempBanMinutes: number;
  /** Another one counts from the next beat on. */
  readonly heartbeatMs: number;
  readonly chat: { readonly perSecond: number; readonly burst: number };
  readonly roomsMax: number;
  /** Rooms that one player has created and that are still there. */
  readonly roomsPerPlayerMax: number;
}

/** As with an empty configuration file. */
export const defaultGameSettings: GameSettings = {
  motd: "Welcome!",
  hiddenPacks: [],
  disabledFeatures: [],
  banWords: [],
  tempBanMinutes: 0,
  heartbeatMs: 30_000,
  chat: { perSecond: 5, burst: 20 },
  roomsMax: 10_000,
  roomsPerPlayerMax: 8,
};

/** The part of a configuration that lobby and rooms need. */
export function gameSettings(config: GameConfig): GameSettings {
  return {
    motd: config.motd,
    hiddenPacks: config.hiddenPacks,
    disabledFeatures: config.disabledFeatures,
    banWords: config.banWords,
    tempBanMinutes: config.tempBanTime,
    heartbeatMs: config.heartbeatSeconds * 1_000,
    chat: { perSecond: config.chatPerSecond, burst: config.chatBurst },
    roomsMax: config.maxRooms,
    roomsPerPlayerMax: config.maxRoomsPerPlayer,
  };
}

/** What clients are told that they may do here. */
export function enabledFeatures(settings: GameSettings): string[] {
  return switchableFeatures.filter((feature) => !settings.disabledFeatures.includes(feature));
}
