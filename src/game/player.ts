import type { PlayerState } from "../wire/server_messages.ts";

export type { PlayerState };

/** A player's account id from 1; robots count down from −2. */
export type PlayerId = number;
/** A socket, as the shell names it. */
export type ConnectionId = number;
/** How Lua names a player: from 1000, kept over a reconnect. */
export type LuaPlayerId = number;

/** How Lua numbers the states. */
export const playerStateNumbers: Readonly<Record<PlayerState, number>> = {
  online: 1,
  trust: 2,
  run: 3,
  leave: 4,
  robot: 5,
  offline: 6,
};

/** What a player has done in one mode: games, games won, games run away from. */
export interface ModeStatistics {
  readonly total: number;
  readonly win: number;
  readonly run: number;
}

/** What the database knows of a player when he logs in. */
export interface Account {
  readonly id: PlayerId;
  readonly name: string;
  readonly avatar: string;
  /** Seconds. */
  readonly totalGameTime: number;
  readonly statistics: ReadonlyMap<string, ModeStatistics>;
  /** Silent until then, in the clock of `now`; undefined when he may chat. */
  readonly mutedUntil?: number;
}

/** Where a player connects from; compared to find players who share a machine. */
export interface Origin {
  readonly address: string;
  readonly device: string;
}

const noGames: ModeStatistics = { total: 0, win: 0, run: 0 };

/** An account in memory, written through to the database by whoever changes it. */
export class PlayerRecord {
  readonly id: PlayerId;
  readonly name: string;
  avatar: string;
  totalGameTime: number;
  mutedUntil: number | undefined;
  readonly #statistics: Map<string, ModeStatistics>;

  constructor(account: Account) {
    this.id = account.id;
    this.name = account.name;
    this.avatar = account.avatar;
    this.totalGameTime = account.totalGameTime;
    this.mutedUntil = account.mutedUntil;
    this.#statistics = new Map(account.statistics);
  }

  statisticsOf(mode: string): ModeStatistics {
    return this.#statistics.get(mode) ?? noGames;
  }

  addGame(mode: string, won: boolean): void {
    const { total, win, run } = this.statisticsOf(mode);
    this.#statistics.set(mode, { total: total + 1, win: win + (won ? 1 : 0), run });
  }

  addRun(mode: string): void {
    const { total, win, run } = this.statisticsOf(mode);
    this.#statistics.set(mode, { total, win, run: run + 1 });
  }
}

/**
 * Somebody who may sit in a room: an account with or without a connection, or a robot. The lobby
 * owns it; rooms read it. One who runs away leaves his player in the seat and goes on as a new one
 * with the same record.
 */
export class Player {
  readonly luaId: LuaPlayerId;
  readonly record: PlayerRecord;
  origin: Origin;
  /** Undefined for robots, and for those who lost it. */
  connection: ConnectionId | undefined;

  constructor(
    luaId: LuaPlayerId,
    record: PlayerRecord,
    seen: { readonly connection?: ConnectionId; readonly origin: Origin },
  ) {
    this.luaId = luaId;
    this.record = record;
    this.connection = seen.connection;
    this.origin = seen.origin;
  }

  get id(): PlayerId {
    return this.record.id;
  }

  get name(): string {
    return this.record.name;
  }

  get isRobot(): boolean {
    return this.id < 0;
  }
}

/** A robot: sits in rooms, has no account. */
export function robotPlayer(luaId: LuaPlayerId, id: PlayerId): Player {
  const record = new PlayerRecord({
    id,
    name: `COMP-${id}`,
    avatar: "guanyu",
    totalGameTime: 0,
    statistics: new Map(),
  });
  return new Player(luaId, record, { origin: { address: "", device: "" } });
}

/** Characters that names of players and avatars must not hold. */
const forbidden = /['";#* /\\?<>|:]|--/;

/** Whether `text` may be a name or an avatar: not empty and without the forbidden characters. */
export function isCleanName(text: string): boolean {
  return text !== "" && !forbidden.test(text);
}
