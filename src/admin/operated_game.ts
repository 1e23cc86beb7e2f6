/**
 * What the admin commands need of a running game server. None of these calls throws or rejects for
 * what an operator asks: what cannot be done is a value with one line that says why.
 */
export interface OperatedGame {
  stat(): GameStat;
  /** Everybody on the server, those in games without a connection included; robots are not. */
  players(): readonly OnlinePlayer[];
  rooms(): readonly RoomSummary[];
  room(id: number): RoomDetails | undefined;
  /** Tells everybody, or one room with its observers; how many connections were told. undefined
   * when there is no such room. */
  announce(text: string, roomId?: number): number | undefined;
  /** Closes the player's connection; false when he has none. */
  kick(playerId: number): boolean;
  /** Ends the room and whatever game is in it; false when there is no such room. */
  killRoom(id: number): boolean;
  /** Looks for players in the lobby whose connection is gone, and takes them out. */
  checkLobby(): LobbyCheck;
  /** Stores a change of bans, mutes or the whitelist and makes it count at once. Whom it concerns is
   * not kicked by it. */
  changeAccount(change: AccountChange): Promise<AccountOutcome>;
  /** Gives an account a random new password. */
  resetPassword(name: string): Promise<PasswordOutcome>;
  /** Reads the configuration again; the lines say what was taken over and what needs a restart. */
  reloadConfig(): Promise<{ readonly ok: boolean; readonly lines: readonly string[] }>;
  packages(): Promise<PackagesOutcome>;
  /** `tell` hears of the progress of long work, a line at a time. */
  changePackages(change: PackagesChange, tell: (line: string) => void): Promise<ChangeOutcome>;
  /** Frees what can be freed, in the Lua states too. */
  collectGarbage(): Promise<{ readonly bytesBefore: number; readonly bytesAfter: number }>;
  /** Stops the server in order; returns at once. */
  quit(): void;
  /** Ends the process as a crash would, without storing or telling anything; the watchdog, if there
   * is one, starts it again. */
  crash(): void;
}

export interface GameStat {
  readonly version: string;
  readonly uptimeMs: number;
  /** Offline seats in running games are among the players; pending are connections without login. */
  readonly players: number;
  readonly playersInLobby: number;
  readonly capacity: number;
  readonly pendingLogins: number;
  readonly rooms: number;
  readonly roomsPlaying: number;
  readonly residentBytes: number;
  readonly luaStates: readonly LuaStateStat[];
  /** Operations that wait for the databases. */
  readonly storeQueue: number;
  /** As clients are told it; "" when there are no packages. */
  readonly packagesMd5: string;
}

export interface LuaStateStat {
  readonly name: string;
  /** Of a child process. */
  readonly pid?: number;
  readonly rooms: number;
  readonly bytes?: number;
  /** Whether it runs on packages that have changed since. */
  readonly isOutdated: boolean;
}

export interface OnlinePlayer {
  readonly id: number;
  readonly name: string;
  /** As in `NetStateChanged`: `online`, `trust`, `run`, `offline`, … */
  readonly state: string;
  /** undefined in the lobby. */
  readonly roomId: number | undefined;
  readonly isObserver: boolean;
  /** Plain IPv4 where mapped. */
  readonly address: string;
  readonly device: string;
}

export interface RoomSummary {
  readonly id: number;
  readonly name: string;
  readonly gameMode: string;
  readonly seats: number;
  readonly capacity: number;
  readonly observers: number;
  readonly hasPassword: boolean;
  readonly isPlaying: boolean;
  readonly isOutdated: boolean;
}

export interface RoomDetails extends RoomSummary {
  readonly ownerId: number | undefined;
  readonly timeoutSeconds: number;
  /** Robots, whose ids are below 0, included. */
  readonly players: readonly RoomMember[];
  readonly watchers: readonly RoomMember[];
}

export interface RoomMember {
  readonly id: number;
  readonly name: string;
  readonly state: string;
  readonly isReady: boolean;
}

export interface LobbyCheck {
  /** Players in the lobby that are well. */
  readonly connected: number;
  readonly removed: readonly { readonly id: number; readonly name: string }[];
}

/**
 * A change of the accounts' database. Times are epoch seconds; names may be of players who are not
 * here. The kinds and their fields are those of the operations of the game's users store.
 */
export type AccountChange =
  /** For ever, unless `expireAt` is given; an older temporary ban goes either way. */
  | { readonly kind: "ban"; readonly name: string; readonly expireAt?: number }
  /** Lifts the ban of the device and the temporary one of the address too. */
  | { readonly kind: "unban"; readonly name: string }
  | { readonly kind: "ban_ip" | "unban_ip"; readonly target: AddressTarget }
  | { readonly kind: "ban_uuid" | "unban_uuid"; readonly name: string }
  | {
    readonly kind: "mute";
    readonly name: string;
    readonly type: number;
    readonly expireAt: number;
  }
  | { readonly kind: "unmute"; readonly name: string }
  | { readonly kind: "whitelist_add" | "whitelist_remove"; readonly name: string };

/** The last address of a player, or an address itself. */
export type AddressTarget = { readonly name: string } | { readonly address: string };

export type AccountOutcome =
  | {
    readonly ok: true;
    readonly value: {
      /** undefined when there is no account of that name. */
      readonly player: AccountFacts | undefined;
      /** Whether anything was different before. */
      readonly changed: boolean;
    };
  }
  /** The database could not be used. */
  | { readonly ok: false; readonly reason: string };

export interface AccountFacts {
  readonly uid: number;
  /** Of the last login. */
  readonly ip?: string;
  readonly uuid?: string;
}

export type PasswordOutcome =
  /** To be shown once, and to nobody but the operator. */
  | { readonly ok: true; readonly password: string }
  | { readonly ok: false; readonly reason: string };

export interface PackageRow {
  readonly name: string;
  readonly url: string;
  readonly hash: string;
  readonly isEnabled: boolean;
}

export type PackagesOutcome =
  | { readonly ok: true; readonly packages: readonly PackageRow[] }
  | { readonly ok: false; readonly reason: string };

export type PackagesChange =
  | { readonly kind: "install"; readonly url: string }
  | { readonly kind: "remove" | "enable" | "disable"; readonly name: string }
  /** All of them without a name. */
  | { readonly kind: "upgrade"; readonly name?: string }
  /** Makes the list of packages and the directories agree. */
  | { readonly kind: "sync" };

export type ChangeOutcome =
  | { readonly ok: true; readonly lines: readonly string[] }
  | { readonly ok: false; readonly reason: string };
