import type { SqliteDatabase } from "../../ports/sqlite.ts";
import { addressKey, storedAddress } from "./addresses.ts";
import { numberOf, storableText, textOf } from "./store_batch.ts";
import type {
  BanChange,
  BanOutcome,
  BanSnapshot,
  IpTarget,
  PlayerFacts,
  UsersOperation,
} from "./users_operations.ts";

type Order<Kind extends UsersOperation["kind"]> = UsersOperation & { readonly kind: Kind };

/** Bans of accounts, addresses and devices, mutes and the whitelist in `users.db`. */
export class BanRows {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  /** All that is in force at `now` (epoch seconds). */
  snapshot(now: number): BanSnapshot {
    const rows = (sql: string) => this.#database.prepare(sql).all();
    return [
      ...rows("SELECT ip FROM banip").map((row): BanChange => ({
        kind: "ip_banned",
        ip: textOf(row["ip"]),
      })),
      ...rows("SELECT uuid FROM banuuid").map((row): BanChange => ({
        kind: "uuid_banned",
        uuid: textOf(row["uuid"]),
      })),
      ...rows("SELECT name FROM whitelist").map((row): BanChange => ({
        kind: "whitelisted",
        name: textOf(row["name"]),
      })),
      ...this.#database.prepare("SELECT uid, type, expireAt FROM tempmute WHERE expireAt > ?")
        .all(now).map((row): BanChange => ({
          kind: "muted",
          uid: numberOf(row["uid"]),
          type: numberOf(row["type"]),
          expireAt: numberOf(row["expireAt"]),
        })),
    ];
  }

  findPlayer(name: string): PlayerFacts | undefined {
    const row = this.#database.prepare(
      `SELECT u.id AS uid, u.lastLoginIp AS ip, d.uuid AS uuid
        FROM userinfo AS u LEFT JOIN uuidinfo AS d ON d.id = u.id
        WHERE u.name = ? ORDER BY u.id LIMIT 1`,
    ).get(storableText(name));
    if (row === undefined) return undefined;
    const ip = textOf(row["ip"]);
    const uuid = textOf(row["uuid"]);
    return {
      uid: numberOf(row["uid"]),
      ...(ip === "" ? {} : { ip }),
      ...(uuid === "" ? {} : { uuid }),
    };
  }

  /** Without an end an older temporary ban goes, or the ban would expire with it. */
  ban({ name, expireAt }: Order<"ban">): BanOutcome {
    return this.#withPlayer(name, ({ uid }) => {
      this.#run("UPDATE userinfo SET banned = 1 WHERE id = ?", uid);
      this.#run("DELETE FROM tempban WHERE uid = ?", uid);
      if (expireAt !== undefined) {
        this.#run("INSERT INTO tempban (uid, expireAt) VALUES (?, ?)", uid, expireAt);
      }
      const end = expireAt === undefined ? {} : { expireAt };
      return { changed: true, changes: [{ kind: "account_banned", uid, ...end }] };
    });
  }

  unban({ name }: Order<"unban">): BanOutcome {
    return this.#withPlayer(name, ({ uid, ip, uuid }) => {
      const account = this.#run(
        "UPDATE userinfo SET banned = 0 WHERE id = ? AND banned IS NOT 0",
        uid,
      ) + this.#run("DELETE FROM tempban WHERE uid = ?", uid);
      const device = uuid === undefined ? undefined : this.#unbanDevice(uuid);
      return {
        changed: account > 0 || device?.changed === true,
        changes: [
          { kind: "account_unbanned", uid },
          ...(device?.changes ?? []),
          ...(ip === undefined ? [] : [{ kind: "temporary_ip_ban_lifted", ip } as const]),
        ],
      };
    });
  }

  liftExpired({ uid, at }: Order<"lift_expired_ban">): null {
    const lifted = this.#run("DELETE FROM tempban WHERE uid = ? AND expireAt <= ?", uid, at);
    if (lifted > 0) this.#run("UPDATE userinfo SET banned = 0 WHERE id = ?", uid);
    return null;
  }

  banIp(target: IpTarget): BanOutcome {
    return this.#withAddress(target, (ip) => {
      const changed = this.#bannedSpellings(ip).length === 0;
      if (changed) this.#run("INSERT INTO banip (ip) VALUES (?)", storedAddress(ip));
      return { changed, changes: [{ kind: "ip_banned", ip }] };
    });
  }

  unbanIp(target: IpTarget): BanOutcome {
    return this.#withAddress(target, (ip) => {
      const spellings = this.#bannedSpellings(ip);
      for (const spelling of spellings) this.#run("DELETE FROM banip WHERE ip = ?", spelling);
      return { changed: spellings.length > 0, changes: [{ kind: "ip_unbanned", ip }] };
    });
  }

  banUuid(name: string): BanOutcome {
    return this.#withPlayer(name, ({ uuid }) => {
      if (uuid === undefined) return { changed: false, changes: [] };
      const added = this.#run(
        "INSERT INTO banuuid (uuid) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM banuuid WHERE uuid = ?)",
        uuid,
        uuid,
      );
      return { changed: added > 0, changes: [{ kind: "uuid_banned", uuid }] };
    });
  }

  unbanUuid(name: string): BanOutcome {
    return this.#withPlayer(
      name,
      ({ uuid }) => uuid === undefined ? { changed: false, changes: [] } : this.#unbanDevice(uuid),
    );
  }

  mute({ name, type, expireAt }: Order<"mute">): BanOutcome {
    return this.#withPlayer(name, ({ uid }) => {
      this.#run(
        "INSERT OR REPLACE INTO tempmute (uid, type, expireAt) VALUES (?, ?, ?)",
        uid,
        type,
        expireAt,
      );
      return { changed: true, changes: [{ kind: "muted", uid, type, expireAt }] };
    });
  }

  unmute(name: string): BanOutcome {
    return this.#withPlayer(name, ({ uid }) => {
      const removed = this.#run("DELETE FROM tempmute WHERE uid = ?", uid);
      return { changed: removed > 0, changes: [{ kind: "unmuted", uid }] };
    });
  }

  /** Names need no account yet. */
  whitelistAdd(name: string): BanOutcome {
    const stored = storableText(name);
    const added = this.#run("INSERT OR IGNORE INTO whitelist (name) VALUES (?)", stored);
    const changes = [{ kind: "whitelisted", name: stored } as const];
    return { player: this.findPlayer(name), changed: added > 0, changes };
  }

  whitelistRemove(name: string): BanOutcome {
    const stored = storableText(name);
    const removed = this.#run("DELETE FROM whitelist WHERE name = ?", stored);
    const changes = [{ kind: "unwhitelisted", name: stored } as const];
    return { player: this.findPlayer(name), changed: removed > 0, changes };
  }

  #unbanDevice(uuid: string): Omit<BanOutcome, "player"> {
    const removed = this.#run("DELETE FROM banuuid WHERE uuid = ?", uuid);
    return { changed: removed > 0, changes: [{ kind: "uuid_unbanned", uuid }] };
  }

  #bannedSpellings(ip: string): string[] {
    const key = addressKey(ip);
    const all = this.#database.prepare("SELECT DISTINCT ip FROM banip WHERE ip IS NOT NULL").all();
    return all.map((row) => textOf(row["ip"])).filter((spelling) => addressKey(spelling) === key);
  }

  #withPlayer(
    name: string,
    change: (player: PlayerFacts) => Omit<BanOutcome, "player">,
  ): BanOutcome {
    const player = this.findPlayer(name);
    if (player === undefined) return { player, changed: false, changes: [] };
    return { player, ...change(player) };
  }

  #withAddress(
    target: IpTarget,
    change: (ip: string) => Omit<BanOutcome, "player">,
  ): BanOutcome {
    if ("address" in target) return { player: undefined, ...change(storableText(target.address)) };
    return this.#withPlayer(
      target.name,
      ({ ip }) => ip === undefined ? { changed: false, changes: [] } : change(ip),
    );
  }

  #run(sql: string, ...parameters: (string | number)[]): number {
    return this.#database.prepare(sql).run(...parameters).changes;
  }
}
