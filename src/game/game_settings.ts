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
  /** Read once, at the start. */
  readonly heartbeatMs: number;
  readonly chat: { readonly perSecond: number; readonly burst: number };
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
};

/** What clients are told that they may do here. */
export function enabledFeatures(settings: GameSettings): string[] {
  return switchableFeatures.filter((feature) => !settings.disabledFeatures.includes(feature));
}
