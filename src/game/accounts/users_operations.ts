import type { LegacyPassword, NewPassword, StoredPassword } from "./passwords.ts";

/**
 * What can be asked of `server/users.db`. Times are epoch seconds, `ip` an address in any spelling;
 * where a player is named, the account of the lowest id with that name is meant.
 */
export type UsersOperation =
  // Login.
  | { readonly kind: "look_up"; readonly name: string; readonly uuid: string }
  | {
    readonly kind: "register";
    readonly name: string;
    readonly password: LegacyPassword;
    readonly ip: string;
    readonly uuid: string;
    readonly at: number;
    readonly deviceAccountsMax: number;
  }
  | {
    readonly kind: "record_login";
    readonly uid: number;
    readonly ip: string;
    readonly uuid: string;
    readonly at: number;
  }
  | { readonly kind: "lift_expired_ban"; readonly uid: number; readonly at: number }
  // Account.
  | { readonly kind: "look_up_password"; readonly uid: number }
  | {
    readonly kind: "set_password";
    readonly uid: number;
    readonly password: NewPassword;
    readonly keepLegacyHash: boolean;
    /** Only if this is still what is stored. */
    readonly ifStored?: StoredPassword;
  }
  | { readonly kind: "set_avatar"; readonly uid: number; readonly avatar: string }
  // Bans.
  | { readonly kind: "find_player"; readonly name: string }
  /** For ever, unless `expireAt` is given. */
  | { readonly kind: "ban"; readonly name: string; readonly expireAt?: number }
  /** Lifts the ban of the device and the temporary one of the address too. */
  | { readonly kind: "unban"; readonly name: string }
  | { readonly kind: "ban_ip" | "unban_ip"; readonly target: IpTarget }
  | { readonly kind: "ban_uuid" | "unban_uuid"; readonly name: string }
  | {
    readonly kind: "mute";
    readonly name: string;
    readonly type: number;
    readonly expireAt: number;
  }
  | { readonly kind: "unmute"; readonly name: string }
  | { readonly kind: "whitelist_add" | "whitelist_remove"; readonly name: string }
  // Play.
  | { readonly kind: "add_game_time"; readonly uid: number; readonly seconds: number }
  | {
    readonly kind: "record_result";
    readonly uid: number;
    readonly mode: string;
    readonly role: string;
    readonly result: GameResult;
  }
  | {
    readonly kind: "record_general_result";
    readonly general: string;
    readonly mode: string;
    readonly role: string;
    readonly result: GameResult;
  }
  | { readonly kind: "record_run"; readonly uid: number; readonly mode: string }
  | { readonly kind: "game_data"; readonly uid: number; readonly mode: string };

/** 1 win, 2 lose, 3 draw. */
export type GameResult = 1 | 2 | 3;

/** A player's last address, or an address itself. */
export type IpTarget = { readonly name: string } | { readonly address: string };

/** An account as a login needs it. */
export interface AccountFacts {
  readonly uid: number;
  readonly name: string;
  readonly avatar: string;
  /** As stored; "" when there is none. */
  readonly lastLoginIp: string;
  readonly banned: boolean;
  /** Of a temporary ban. */
  readonly banExpiresAt?: number;
  readonly password: StoredPassword;
  /** In seconds. */
  readonly totalGameTime: number;
  /** One for each mode that was played or run away from. */
  readonly statistics: readonly ModeFacts[];
}

/** What a player has done in one mode: games, games won, games run away from. */
export interface ModeFacts {
  readonly mode: string;
  readonly total: number;
  readonly win: number;
  readonly run: number;
}

/** A player that an admin named: what a ban falls on. */
export interface PlayerFacts {
  readonly uid: number;
  readonly ip?: string;
  readonly uuid?: string;
}

/** The outcome of an admin's command: undefined `player` when there is none of that name. */
export interface BanOutcome {
  readonly player: PlayerFacts | undefined;
  /** Whether anything was different before. */
  readonly changed: boolean;
  /** To be applied to the serving thread's `BanView`. */
  readonly changes: readonly BanChange[];
}

/** A change of what the serving thread holds in memory. */
export type BanChange =
  | { readonly kind: "ip_banned" | "ip_unbanned"; readonly ip: string }
  | { readonly kind: "temporary_ip_ban_lifted"; readonly ip: string }
  | { readonly kind: "uuid_banned" | "uuid_unbanned"; readonly uuid: string }
  /** Without an end for ever. Not in a snapshot: who logs in later finds it in his account. */
  | { readonly kind: "account_banned"; readonly uid: number; readonly expireAt?: number }
  | { readonly kind: "account_unbanned"; readonly uid: number }
  | { readonly kind: "whitelisted" | "unwhitelisted"; readonly name: string }
  | {
    readonly kind: "muted";
    readonly uid: number;
    readonly type: number;
    readonly expireAt: number;
  }
  | { readonly kind: "unmuted"; readonly uid: number };

/** All that the view starts with, as changes to an empty one. */
export type BanSnapshot = readonly BanChange[];

/** The answer to each kind of operation. */
export interface UsersAnswers {
  look_up: {
    readonly account: AccountFacts | undefined;
    /** Accounts whose last login was from the same device. */
    readonly deviceAccounts: number;
  };
  register:
    | { readonly outcome: "created"; readonly uid: number; readonly avatar: string }
    | { readonly outcome: "name_taken" | "device_full" };
  record_login: null;
  lift_expired_ban: null;
  look_up_password: StoredPassword;
  /** Whether it was set. */
  set_password: boolean;
  set_avatar: null;
  find_player: PlayerFacts | null;
  ban: BanOutcome;
  unban: BanOutcome;
  ban_ip: BanOutcome;
  unban_ip: BanOutcome;
  ban_uuid: BanOutcome;
  unban_uuid: BanOutcome;
  mute: BanOutcome;
  unmute: BanOutcome;
  whitelist_add: BanOutcome;
  whitelist_remove: BanOutcome;
  add_game_time: null;
  record_result: null;
  record_general_result: null;
  record_run: null;
  /** For `UpdateGameData`. */
  game_data: { readonly total: number; readonly win: number; readonly run: number };
}

export type UsersAnswer = UsersAnswers[keyof UsersAnswers];
