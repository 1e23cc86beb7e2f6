import { gameKeys } from "./game_keys.ts";

/**
 * The game server's part of the configuration, complete: `freekill.server.config.json` of the data
 * directory with the section `game` of the main file laid over it, key by key. Keys are spelled as in
 * the original server's file. A running server may be given another one at any time.
 */
export interface GameConfig {
  /** A name or chat line with one of them in it is refused. None is empty. */
  readonly banWords: readonly string[];
  /** Shown in lists of servers. */
  readonly description: string;
  readonly iconUrl: string;
  /** Players, seats of offline ones in running games included. */
  readonly capacity: number;
  /** Minutes that the address of one who runs away is kept out; 0: not at all. */
  readonly tempBanTime: number;
  /** Markdown, possibly of many lines. */
  readonly motd: string;
  /** Only told to clients. */
  readonly hiddenPacks: readonly string[];
  readonly disabledFeatures: readonly Feature[];
  readonly enableWhitelist: boolean;
  /** Kept for old files: the pool of Lua states decides. */
  readonly roomCountPerThread: number;
  /** Accounts that may be registered on one device. */
  readonly maxPlayersPerDevice: number;
  /** From the connect to the end of the login. */
  readonly setupTimeoutSeconds: number;
  /** May have a fraction. */
  readonly heartbeatSeconds: number;
  /** Of one packet after the login, plain or inflated; before it `setupPacketBytesMax` says. */
  readonly maxPacketBytes: number;
  /** Connections of one address that have not logged in. */
  readonly maxPendingPerIp: number;
  readonly loginsPerMinutePerIp: number;
  readonly loginFailuresPerMinutePerName: number;
  readonly chatPerSecond: number;
  readonly chatBurst: number;
  /** Of one connection, like the three that follow. */
  readonly packetsPerSecond: number;
  readonly packetsBurst: number;
  readonly bytesPerSecond: number;
  /** At least `maxPacketBytes`, so that the largest packet can pass. */
  readonly bytesBurst: number;
  /** How long a connection may stay over these rates before it is closed. */
  readonly overLimitSeconds: number;
  /** Waiting for one player; with more the connection is closed as too slow. */
  readonly outboundBytesMax: number;
  readonly maxRooms: number;
  /** That one player has created and that are still there. */
  readonly maxRoomsPerPlayer: number;
  /** Keeps the original's password columns filled, so that it can use the database again. */
  readonly keepLegacyHash: boolean;
}

/** What a server may switch off; the rest is told to clients as enabled. */
export type Feature = "AddRobot" | "ChangeRoom";

/** As without any file. */
export const defaultGameConfig: GameConfig = Object.freeze(
  // The table has an entry of the right kind for each key.
  Object.fromEntries(Object.entries(gameKeys).map(([key, spec]) => [key, spec.default])),
) as unknown as GameConfig;

/** Strangers need no more for their `Setup`, which is about 700 bytes. */
const setupPacketBytes = 65_536;

/** The largest packet of a connection that has not logged in. */
export function setupPacketBytesMax(config: Pick<GameConfig, "maxPacketBytes">): number {
  return Math.min(setupPacketBytes, config.maxPacketBytes);
}
