import { unreachable } from "../../base/assert.ts";
import type { SqliteDatabase } from "../../ports/sqlite.ts";
import { AccountRows } from "./account_rows.ts";
import { BanRows } from "./ban_rows.ts";
import { StatisticsRows } from "./statistics_rows.ts";
import { makeDurable, performBatch, type StoreResult } from "./store_batch.ts";
import type { BanSnapshot, UsersAnswer, UsersOperation } from "./users_operations.ts";
import { markOwnDatabase, prepareUsersSchema } from "./users_schema.ts";

/**
 * `server/users.db`, for the store worker. A file of the original server works as it is, and the
 * original can open it afterwards.
 */
export class UsersStore {
  readonly #database: SqliteDatabase;
  readonly #path: string;
  readonly #accounts: AccountRows;
  readonly #bans: BanRows;
  readonly #statistics: StatisticsRows;

  /** Takes over an open database and makes what is missing in it. Throws SqliteError. */
  constructor(database: SqliteDatabase, path: string) {
    this.#database = database;
    this.#path = path;
    markOwnDatabase(database);
    makeDurable(database);
    prepareUsersSchema(database);
    this.#accounts = new AccountRows(database);
    this.#bans = new BanRows(database);
    this.#statistics = new StatisticsRows(database);
  }

  /** What the serving thread's `BanView` starts with; `now` in epoch seconds. */
  bans(now: number): BanSnapshot {
    return this.#bans.snapshot(now);
  }

  /** One result for each operation, in order; durable when this returns. The value of the n-th has
   * the type that `UsersAnswers` gives for its kind. */
  perform(operations: readonly UsersOperation[]): StoreResult<UsersAnswer>[] {
    return performBatch({
      database: this.#database,
      path: this.#path,
      isReading,
      perform: (operation: UsersOperation) => this.#perform(operation),
    }, operations);
  }

  close(): void {
    this.#database.close();
  }

  #perform(operation: UsersOperation): UsersAnswer {
    switch (operation.kind) {
      case "look_up":
        return this.#accounts.lookUp(operation);
      case "register":
        return this.#accounts.register(operation);
      case "record_login":
        return this.#accounts.recordLogin(operation);
      case "look_up_password":
        return this.#accounts.storedPassword(operation.uid);
      case "set_password":
        return this.#accounts.setPassword(operation);
      case "set_avatar":
        return this.#accounts.setAvatar(operation);
      case "add_game_time":
        return this.#accounts.addGameTime(operation);
      case "lift_expired_ban":
        return this.#bans.liftExpired(operation);
      case "find_player":
        return this.#bans.findPlayer(operation.name) ?? null;
      case "ban":
        return this.#bans.ban(operation);
      case "unban":
        return this.#bans.unban(operation);
      case "ban_ip":
        return this.#bans.banIp(operation.target);
      case "unban_ip":
        return this.#bans.unbanIp(operation.target);
      case "ban_uuid":
        return this.#bans.banUuid(operation.name);
      case "unban_uuid":
        return this.#bans.unbanUuid(operation.name);
      case "mute":
        return this.#bans.mute(operation);
      case "unmute":
        return this.#bans.unmute(operation.name);
      case "whitelist_add":
        return this.#bans.whitelistAdd(operation.name);
      case "whitelist_remove":
        return this.#bans.whitelistRemove(operation.name);
      case "record_result":
        return this.#statistics.recordResult(operation);
      case "record_general_result":
        return this.#statistics.recordGeneralResult(operation);
      case "record_run":
        return this.#statistics.recordRun(operation);
      case "game_data":
        return this.#statistics.gameData(operation);
      default:
        return unreachable(operation);
    }
  }
}

function isReading({ kind }: UsersOperation): boolean {
  return kind === "look_up" || kind === "look_up_password" || kind === "find_player" ||
    kind === "game_data";
}
