import type { GameConfig } from "./game_config.ts";
import { countMax, secondsMin } from "./key_ranges.ts";
import type { SpecsOf } from "./key_spec.ts";

/** What clients are shown: line ends are fine, other control characters are not. */
const shown = {
  kind: "text",
  pattern: /^(?:[^\p{Cc}]|[\t\r\n]){0,4096}$/u,
  allowed: "a text of at most 4,096 characters",
} as const;

/** Every chat line is searched for each of them. */
const banWordsMax = 10_000;
const namesMax = 10_000;

/** Old files may hold any number that the original's type allows. */
const intMax = 2 ** 31 - 1;

/** More than this waits for nobody: nobody plays at such a pace. */
const hourSeconds = 3_600;

/** Keys of the section `game`, and of `freekill.server.config.json`. */
export const gameKeys: SpecsOf<GameConfig> = {
  banWords: {
    kind: "texts",
    default: [],
    membersMax: banWordsMax,
    member: { pattern: /^.{1,255}$/su, allowed: "a text of 1–255 characters" },
    means: "Words that no name, room name or chat line may hold",
  },
  description: {
    ...shown,
    default: "FreeKill Server",
    means: "Description in lists of servers",
  },
  iconUrl: { ...shown, default: "default", means: "Picture in lists of servers" },
  capacity: {
    kind: "whole",
    default: 100,
    min: 0,
    max: intMax,
    means: "Players at one time",
  },
  tempBanTime: {
    kind: "whole",
    default: 0,
    min: 0,
    max: intMax,
    means: "Minutes that one who runs away from a game is kept out; 0: not at all",
  },
  motd: {
    kind: "text",
    default: "Welcome!",
    pattern: /^(?:[^\p{Cc}]|[\t\r\n]){0,16384}$/u,
    allowed: "a text of at most 16,384 characters",
    means: "Greeting in the lobby (Markdown)",
  },
  hiddenPacks: {
    kind: "texts",
    default: [],
    membersMax: namesMax,
    member: { pattern: /^[^\p{Cc}]{1,255}$/u, allowed: "a name of 1–255 characters" },
    means: "Packages that clients do not show",
  },
  disabledFeatures: {
    kind: "choices",
    default: [],
    choices: ["AddRobot", "ChangeRoom"],
    means: "What players may not do here",
  },
  enableWhitelist: {
    kind: "yes_no",
    default: false,
    means: "Lets in only names on the whitelist",
  },
  roomCountPerThread: {
    kind: "whole",
    default: 2_000,
    min: 0,
    max: intMax,
    means: "Without effect, kept for old files",
  },
  maxPlayersPerDevice: {
    kind: "whole",
    default: 1_000,
    min: 0,
    max: intMax,
    means: "Accounts that may be registered on one device",
  },
  setupTimeoutSeconds: {
    kind: "seconds",
    default: 180,
    min: secondsMin,
    max: hourSeconds,
    means: "Time for the login",
  },
  heartbeatSeconds: {
    kind: "seconds",
    default: 30,
    min: secondsMin,
    max: hourSeconds,
    means: "Time between two heartbeats; the connection ends at the 7th without an answer",
  },
  maxPacketBytes: {
    kind: "bytes",
    default: 2 ** 20,
    min: 4_096,
    max: 16 * 2 ** 20,
    means: "Size of one packet after the login; before it 64KiB at most",
  },
  maxPendingPerIp: {
    kind: "whole",
    default: 32,
    min: 1,
    max: countMax,
    means: "Connections of one address that have not logged in",
  },
  loginsPerMinutePerIp: {
    kind: "whole",
    default: 20,
    min: 1,
    max: countMax,
    means: "Logins a minute of one address",
  },
  loginFailuresPerMinutePerName: {
    kind: "whole",
    default: 10,
    min: 1,
    max: countMax,
    means: "Failed logins a minute of one name",
  },
  chatPerSecond: {
    kind: "whole",
    default: 5,
    min: 1,
    max: countMax,
    means: "Chat lines a second of one player",
  },
  chatBurst: {
    kind: "whole",
    default: 20,
    min: 1,
    max: countMax,
    means: "Chat lines that a player may send at once",
  },
  packetsPerSecond: {
    kind: "whole",
    default: 60,
    min: 1,
    max: countMax,
    means: "Packets a second of one connection",
  },
  packetsBurst: {
    kind: "whole",
    default: 300,
    min: 1,
    max: countMax,
    means: "Packets that may come at once",
  },
  bytesPerSecond: {
    kind: "bytes",
    default: 256 * 2 ** 10,
    min: 1_024,
    max: 2 ** 30,
    means: "Bytes a second of one connection",
  },
  bytesBurst: {
    kind: "bytes",
    default: 2 * 2 ** 20,
    min: 4_096,
    max: 2 ** 30,
    means: "Bytes that may come at once; maxPacketBytes or more",
  },
  overLimitSeconds: {
    kind: "seconds",
    default: 10,
    min: 0,
    max: hourSeconds,
    means: "How long a connection may stay over these rates before it is closed",
  },
  outboundBytesMax: {
    kind: "bytes",
    default: 4 * 2 ** 20,
    min: 262_144,
    max: 2 ** 30,
    means: "Bytes waiting for one player before the connection is closed as slow",
  },
  maxRooms: {
    kind: "whole",
    default: 10_000,
    min: 1,
    max: countMax,
    means: "Rooms at one time",
  },
  maxRoomsPerPlayer: {
    kind: "whole",
    default: 8,
    min: 1,
    max: countMax,
    means: "Rooms at one time that one player has created",
  },
  keepLegacyHash: {
    kind: "yes_no",
    default: false,
    means: "Keeps the hashes of the original server too, so that one can go back to it (weaker)",
  },
};
