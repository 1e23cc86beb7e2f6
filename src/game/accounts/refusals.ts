import { supportedVersionText } from "./names.ts";

/** Why a connection is closed before its player is in the lobby. */
export type RefusalReason =
  | "ip_banned"
  | "ip_temporarily_banned"
  | "server_full"
  | "invalid_setup"
  | "unsupported_version"
  | "device_banned"
  | "packages_differ"
  | "invalid_name"
  | "not_whitelisted"
  | "unusable_cipher"
  | "device_full"
  | "account_banned"
  | "wrong_password"
  | "too_many_logins"
  | "overloaded";

/** What the client is told before its connection is closed. */
export interface Refusal {
  readonly reason: RefusalReason;
  readonly command: "ErrorDlg" | "ErrorMsg";
  /** Bare text, not CBOR. */
  readonly text: string;
  /** Whether `UpdatePackage` with the list of packages follows. */
  readonly sendPackages: boolean;
  /** Whether it counts as a failed login of that name. */
  readonly isFailedLogin: boolean;
}

/** Clients translate these texts; the last two are this server's own (traces wrong_version,
 * wrong_md5, bad_setup, register_login, uuid_ban, ip_ban, server_full). */
const texts: Readonly<Record<RefusalReason, string>> = {
  ip_banned: "you have been banned!",
  ip_temporarily_banned: "you have been temporarily banned!",
  server_full: "server is full!",
  invalid_setup: "INVALID SETUP STRING",
  unsupported_version: JSON.stringify([
    "server supports version %1, please update",
    supportedVersionText,
  ]),
  device_banned: "you have been banned!",
  packages_differ: "MD5 check failed!",
  invalid_name: "invalid user name",
  not_whitelisted: "user name not in whitelist",
  unusable_cipher: "unknown password error",
  device_full: "cannot register more new users on this device",
  account_banned: "you have been banned!",
  wrong_password: "username or password error",
  too_many_logins: "too many login attempts, please try again in a minute",
  overloaded: "the server is busy, please try again",
};

/** The refusal for a reason, with its exact text. */
export function refusal(reason: RefusalReason): Refusal {
  return {
    reason,
    command: reason === "packages_differ" ? "ErrorMsg" : "ErrorDlg",
    text: texts[reason],
    sendPackages: reason === "packages_differ",
    isFailedLogin: reason === "wrong_password",
  };
}

/** An account's ban; `expireAt` in epoch seconds, undefined for ever. Times are local. */
export function accountBan(expireAt: number | undefined): Refusal {
  const ban = refusal("account_banned");
  if (expireAt === undefined) return ban;
  const text = JSON.stringify([`${ban.text} expire at %1`, `${localTime(expireAt)}.`]);
  return { ...ban, text };
}

/** `YYYY-MM-DD hh:mm:ss` in the machine's time zone. */
export function localTime(epochSeconds: number): string {
  const at = new Date(epochSeconds * 1_000);
  if (Number.isNaN(at.getTime())) return String(epochSeconds);
  const two = (part: number) => String(part).padStart(2, "0");
  const date = [at.getFullYear(), at.getMonth() + 1, at.getDate()].map(two).join("-");
  return `${date} ${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":")}`;
}
