import { newAvatar } from "./account_rows.ts";
import { storedAddress } from "./addresses.ts";
import { isSamePassword, type StoredPassword } from "./passwords.ts";
import { keyText } from "./statistics_rows.ts";
import { storableText } from "./store_batch.ts";
import type { AccountFacts, ModeFacts, UsersOperation } from "./users_operations.ts";

/**
 * What `look_up` will find of an account once these writes, which concern it, are done in their
 * order. So a login sees what was done before it while the file is locked.
 */
export function forecastAccount(
  found: AccountFacts,
  writes: readonly UsersOperation[],
): AccountFacts {
  return writes.reduce(afterWrite, found);
}

/** The same for `look_up_password`. */
export function forecastPassword(
  found: StoredPassword,
  writes: readonly UsersOperation[],
): StoredPassword {
  return writes.reduce(
    (stored, write) => write.kind === "set_password" ? afterChange(stored, write) : stored,
    found,
  );
}

function afterWrite(account: AccountFacts, write: UsersOperation): AccountFacts {
  switch (write.kind) {
    case "set_password":
      return { ...account, password: afterChange(account.password, write) };
    case "record_login":
      return { ...account, lastLoginIp: storableText(storedAddress(write.ip)) };
    case "set_avatar":
      return { ...account, avatar: storableText(write.avatar) || newAvatar };
    case "add_game_time":
      return { ...account, totalGameTime: account.totalGameTime + write.seconds };
    case "ban": {
      const { banExpiresAt: _, ...rest } = account;
      const end = write.expireAt === undefined ? {} : { banExpiresAt: write.expireAt };
      return { ...rest, banned: true, ...end };
    }
    case "unban": {
      const { banExpiresAt: _, ...rest } = account;
      return { ...rest, banned: false };
    }
    case "lift_expired_ban": {
      const { banExpiresAt, ...rest } = account;
      const isOver = banExpiresAt !== undefined && banExpiresAt <= write.at;
      return isOver ? { ...rest, banned: false } : account;
    }
    case "record_result": {
      const win = write.result === 1 ? 1 : 0;
      return withMore(account, { mode: write.mode, total: 1, win, run: 0 });
    }
    case "record_run":
      return withMore(account, { mode: write.mode, total: 0, win: 0, run: 1 });
    default:
      return account;
  }
}

function afterChange(
  stored: StoredPassword,
  { ifStored, password, keepLegacyHash }: UsersOperation & { readonly kind: "set_password" },
): StoredPassword {
  if (ifStored !== undefined && !isSamePassword(stored, ifStored)) return stored;
  const { legacy, scrypt } = password;
  return keepLegacyHash ? { legacy, scrypt } : { scrypt };
}

function withMore(account: AccountFacts, more: ModeFacts): AccountFacts {
  const mode = keyText(more.mode);
  const others = account.statistics.filter((one) => one.mode !== mode);
  const { total, win, run } = account.statistics.find((one) => one.mode === mode) ??
    { total: 0, win: 0, run: 0 };
  const sum = { mode, total: total + more.total, win: win + more.win, run: run + more.run };
  return { ...account, statistics: [...others, sum] };
}
