import type { SqliteDatabase, SqliteRow } from "../../ports/sqlite.ts";
import { storedAddress } from "./addresses.ts";
import { isSamePassword, type ScryptPassword, type StoredPassword } from "./passwords.ts";
import { StatisticsRows } from "./statistics_rows.ts";
import { numberOf, storableText, textOf } from "./store_batch.ts";
import type { AccountFacts, UsersAnswers, UsersOperation } from "./users_operations.ts";

type Order<Kind extends UsersOperation["kind"]> = UsersOperation & { readonly kind: Kind };

/** What a new account looks like, and one whose avatar is missing. */
export const newAvatar = "liubei";

const accountColumns = `SELECT u.id AS uid, u.name, u.avatar, u.lastLoginIp, u.banned, u.password,
    u.salt, t.expireAt, g.totalGameTime, p.hash AS ourHash, p.salt AS ourSalt, p.cost_n, p.cost_r,
    p.cost_p, p.left_password
  FROM userinfo AS u
  LEFT JOIN tempban AS t ON t.uid = u.id
  LEFT JOIN usergameinfo AS g ON g.id = u.id
  LEFT JOIN freekill_gw_password AS p ON p.uid = u.id`;

/** Accounts in `users.db`: login, registration, password, avatar, time of play. */
export class AccountRows {
  readonly #database: SqliteDatabase;
  readonly #statistics: StatisticsRows;

  constructor(database: SqliteDatabase) {
    this.#database = database;
    this.#statistics = new StatisticsRows(database);
  }

  lookUp({ name, uuid }: Order<"look_up">): UsersAnswers["look_up"] {
    const row = this.#database
      .prepare(`${accountColumns} WHERE u.name = ? ORDER BY u.id LIMIT 1`)
      .get(storableText(name));
    return {
      account: row === undefined ? undefined : this.#accountOf(row),
      deviceAccounts: this.#deviceAccounts(uuid),
    };
  }

  /** Checks again what was decided on older facts: two logins may have raced. */
  register(order: Order<"register">): UsersAnswers["register"] {
    const database = this.#database;
    const name = storableText(order.name);
    const taken = database.prepare("SELECT 1 FROM userinfo WHERE name = ? LIMIT 1").get(name);
    if (taken !== undefined) return { outcome: "name_taken" };
    if (this.#deviceAccounts(order.uuid) >= order.deviceAccountsMax) {
      return { outcome: "device_full" };
    }
    const { hash, salt } = order.password;
    const row = database.prepare(
      `INSERT INTO userinfo (name, password, salt, avatar, lastLoginIp, banned)
        VALUES (?, ?, ?, ?, ?, 0) RETURNING id`,
    ).get(name, hash, salt, newAvatar, storableText(storedAddress(order.ip)));
    const uid = numberOf(row?.["id"]);
    this.#rememberDevice(uid, order.uuid);
    database.prepare(
      `INSERT OR REPLACE INTO usergameinfo (id, registerTime, lastLoginTime, totalGameTime)
        VALUES (?, ?, ?, 0)`,
    ).run(uid, order.at, order.at);
    return { outcome: "created", uid, avatar: newAvatar };
  }

  recordLogin({ uid, ip, uuid, at }: Order<"record_login">): null {
    const database = this.#database;
    database.prepare("UPDATE userinfo SET lastLoginIp = ? WHERE id = ?").run(
      storableText(storedAddress(ip)),
      uid,
    );
    this.#rememberDevice(uid, uuid);
    database.prepare(
      `INSERT INTO usergameinfo (id, registerTime, lastLoginTime, totalGameTime)
        VALUES (?, NULL, ?, 0) ON CONFLICT (id) DO UPDATE SET lastLoginTime = excluded.lastLoginTime`,
    ).run(uid, at);
    return null;
  }

  /** Of an unknown account: none, with which nobody can log in. */
  storedPassword(uid: number): StoredPassword {
    const row = this.#database.prepare(`${accountColumns} WHERE u.id = ?`).get(uid);
    return row === undefined ? {} : passwordOf(row);
  }

  setPassword(order: Order<"set_password">): boolean {
    const { uid, password, ifStored } = order;
    if (ifStored !== undefined && !isSamePassword(this.storedPassword(uid), ifStored)) return false;
    const { hash, salt } = order.keepLegacyHash ? password.legacy : { hash: "", salt: "" };
    const { changes } = this.#database
      .prepare("UPDATE userinfo SET password = ?, salt = ? WHERE id = ?").run(hash, salt, uid);
    if (changes === 0) return false;
    const { scrypt } = password;
    this.#database.prepare(
      `INSERT OR REPLACE INTO freekill_gw_password
        (uid, hash, salt, cost_n, cost_r, cost_p, left_password) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ).run(uid, scrypt.hash, scrypt.salt, scrypt.cost.N, scrypt.cost.r, scrypt.cost.p, hash);
    return true;
  }

  setAvatar({ uid, avatar }: Order<"set_avatar">): null {
    this.#database.prepare("UPDATE userinfo SET avatar = ? WHERE id = ?").run(
      storableText(avatar),
      uid,
    );
    return null;
  }

  addGameTime({ uid, seconds }: Order<"add_game_time">): null {
    this.#database.prepare(
      `INSERT INTO usergameinfo (id, registerTime, lastLoginTime, totalGameTime)
        VALUES (?, NULL, NULL, ?)
        ON CONFLICT (id) DO UPDATE SET totalGameTime = coalesce(totalGameTime, 0) + ?`,
    ).run(uid, seconds, seconds);
    return null;
  }

  #accountOf(row: SqliteRow): AccountFacts {
    const uid = numberOf(row["uid"]);
    const expireAt = row["expireAt"];
    return {
      uid,
      name: textOf(row["name"]),
      avatar: textOf(row["avatar"]) || newAvatar,
      lastLoginIp: textOf(row["lastLoginIp"]),
      banned: numberOf(row["banned"]) !== 0,
      ...(expireAt === null ? {} : { banExpiresAt: numberOf(expireAt) }),
      password: passwordOf(row),
      totalGameTime: numberOf(row["totalGameTime"]),
      statistics: this.#statistics.allModes(uid),
    };
  }

  #deviceAccounts(uuid: string): number {
    const row = this.#database.prepare("SELECT count(*) AS count FROM uuidinfo WHERE uuid = ?")
      .get(storableText(uuid));
    return numberOf(row?.["count"]);
  }

  #rememberDevice(uid: number, uuid: string): void {
    this.#database.prepare("INSERT OR REPLACE INTO uuidinfo (id, uuid) VALUES (?, ?)")
      .run(uid, storableText(uuid));
  }
}

function passwordOf(row: SqliteRow): StoredPassword {
  const hash = textOf(row["password"]);
  const scrypt = textOf(row["left_password"]) === hash ? scryptOf(row) : undefined;
  return {
    ...(hash === "" ? {} : { legacy: { hash, salt: textOf(row["salt"]) } }),
    ...(scrypt === undefined ? {} : { scrypt }),
  };
}

function scryptOf(row: SqliteRow): ScryptPassword | undefined {
  const { ourHash: hash, ourSalt: salt } = row;
  if (!(hash instanceof Uint8Array) || !(salt instanceof Uint8Array)) return undefined;
  const cost = {
    N: numberOf(row["cost_n"]),
    r: numberOf(row["cost_r"]),
    p: numberOf(row["cost_p"]),
  };
  return { hash, salt, cost };
}
