import { isDeviceId, isNewName, isSupportedVersion, isUserName } from "./names.ts";
import { type LegacyPassword, needsUpgrade } from "./passwords.ts";
import { accountBan, type Refusal, refusal } from "./refusals.ts";
import type { AccountFacts, UsersAnswers, UsersOperation } from "./users_operations.ts";

/** The five items of `Setup`. */
export interface SetupClaim {
  readonly name: string;
  /** RSA, of prefix and password. */
  readonly cipher: Uint8Array;
  /** Of the client's packages. */
  readonly md5: string;
  readonly version: string;
  /** Of the device. */
  readonly uuid: string;
}

/** What the serving thread knows at once. */
export interface LoginRules {
  readonly packagesMd5: string;
  readonly banWords: readonly string[];
  readonly enableWhitelist: boolean;
  readonly maxPlayersPerDevice: number;
  readonly keepLegacyHash: boolean;
  /** Length of the RSA modulus. */
  readonly cipherBytes: number;
  /** For ever, or for a while; who connected before the ban is not let in either. */
  readonly addressBan: (ip: string) => "ip_banned" | "ip_temporarily_banned" | undefined;
  /** A ban that may be newer than the account's facts; `expireAt` in epoch seconds. */
  readonly accountBan: (uid: number) => { readonly expireAt?: number } | undefined;
  readonly isDeviceBanned: (uuid: string) => boolean;
  readonly isWhitelisted: (name: string) => boolean;
}

/** What had to be fetched: each is undefined until `decideLogin` asked for it. */
export interface LoginFacts {
  /** The answer of the users store's `look_up`. */
  readonly account?: UsersAnswers["look_up"];
  /** The answer of the crypto worker's `login`. */
  readonly password?: PasswordCheck;
}

/** What the crypto worker found in the cipher. */
export interface PasswordCheck {
  /** Whether it held a password at all; one that does not is treated as a wrong password. */
  readonly readable: boolean;
  readonly matches: boolean;
  /** For a name that is not known yet: what its account would keep. */
  readonly fresh?: LegacyPassword;
}

export type LoginDecision =
  /** Fetch this and decide again. */
  | { readonly kind: "need"; readonly what: "account" | "password" }
  | { readonly kind: "refuse"; readonly refusal: Refusal }
  /** Perform `write`, then ask `decideRegistration`; afterwards upgrade the password. */
  | { readonly kind: "register"; readonly write: UsersOperation & { readonly kind: "register" } }
  | {
    readonly kind: "accept";
    readonly account: AccountFacts;
    /** In one batch; nobody has to wait for it. */
    readonly writes: readonly UsersOperation[];
    /** Whether the password should be stored anew, in the background. */
    readonly upgradePassword: boolean;
  };

/**
 * What becomes of a connection that has just come; undefined: greet it. Checked before the key is
 * sent.
 */
export function decideGreeting(facts: {
  isIpBanned: boolean;
  isIpTemporarilyBanned: boolean;
  loggedIn: number;
  capacity: number;
}): Refusal | undefined {
  if (facts.isIpBanned) return refusal("ip_banned");
  if (facts.isIpTemporarilyBanned) return refusal("ip_temporarily_banned");
  return facts.loggedIn >= facts.capacity ? refusal("server_full") : undefined;
}

/**
 * Goes through the checks of a login in their order, as far as the facts allow. Pure: the same
 * question with more facts never takes back a refusal. `now` in epoch milliseconds, `ip` the peer's.
 */
export function decideLogin(
  claim: SetupClaim,
  parts: { rules: LoginRules; facts: LoginFacts; ip: string; now: number },
): LoginDecision {
  const { rules, facts } = parts;
  const found = facts.account;
  const addressBan = rules.addressBan(parts.ip);
  if (addressBan !== undefined) return refuse(addressBan);
  if (!isSupportedVersion(claim.version)) return refuse("unsupported_version");
  if (!isDeviceId(claim.uuid) || rules.isDeviceBanned(claim.uuid)) return refuse("device_banned");
  if (claim.md5 !== rules.packagesMd5) return refuse("packages_differ");
  if (!isUserName(claim.name, rules.banWords)) return refuse("invalid_name");
  if (!isNewName(claim.name)) {
    if (found === undefined) return need("account");
    if (found.account === undefined) return refuse("invalid_name");
  }
  if (rules.enableWhitelist && !rules.isWhitelisted(claim.name)) return refuse("not_whitelisted");
  if (claim.cipher.length !== rules.cipherBytes) return refuse("unusable_cipher");
  if (found === undefined) return need("account");
  return found.account === undefined
    ? decideNewcomer(claim, { ...parts, deviceAccounts: found.deviceAccounts })
    : decideKnown(claim, { ...parts, account: found.account });
}

/** What a registration came to: the new account's facts, or a refusal, or `again` when somebody
 * took the name meanwhile: then forget the facts and decide anew. */
export function decideRegistration(
  write: UsersOperation & { readonly kind: "register" },
  answer: UsersAnswers["register"],
): LoginDecision | { readonly kind: "again" } {
  switch (answer.outcome) {
    case "name_taken":
      return { kind: "again" };
    case "device_full":
      return refuse("device_full");
    case "created":
      return {
        kind: "accept",
        account: {
          uid: answer.uid,
          name: write.name,
          avatar: answer.avatar,
          lastLoginIp: write.ip,
          banned: false,
          password: { legacy: write.password },
          totalGameTime: 0,
          statistics: [],
        },
        writes: [],
        upgradePassword: true,
      };
  }
}

function decideNewcomer(
  claim: SetupClaim,
  parts: {
    rules: LoginRules;
    facts: LoginFacts;
    deviceAccounts: number;
    ip: string;
    now: number;
  },
): LoginDecision {
  const { password } = parts.facts;
  if (password === undefined) return need("password");
  if (!password.readable || password.fresh === undefined) return refuse("wrong_password");
  const { maxPlayersPerDevice } = parts.rules;
  if (parts.deviceAccounts >= maxPlayersPerDevice) return refuse("device_full");
  return {
    kind: "register",
    write: {
      kind: "register",
      name: claim.name,
      password: password.fresh,
      ip: parts.ip,
      uuid: claim.uuid,
      at: seconds(parts.now),
      deviceAccountsMax: maxPlayersPerDevice,
    },
  };
}

function decideKnown(
  claim: SetupClaim,
  parts: { rules: LoginRules; facts: LoginFacts; account: AccountFacts; ip: string; now: number },
): LoginDecision {
  const { account } = parts;
  const at = seconds(parts.now);
  const newBan = parts.rules.accountBan(account.uid);
  const expiresAt = newBan === undefined ? account.banExpiresAt : newBan.expireAt;
  const isExpired = expiresAt !== undefined && expiresAt <= at;
  if ((account.banned || newBan !== undefined) && !isExpired) {
    return { kind: "refuse", refusal: accountBan(expiresAt) };
  }
  const { password } = parts.facts;
  if (password === undefined) return need("password");
  if (!password.readable || !password.matches) return refuse("wrong_password");
  const writes: UsersOperation[] = [
    { kind: "record_login", uid: account.uid, ip: parts.ip, uuid: claim.uuid, at },
  ];
  if (account.banned) writes.unshift({ kind: "lift_expired_ban", uid: account.uid, at });
  const upgradePassword = needsUpgrade(account.password, parts.rules);
  return { kind: "accept", account, writes, upgradePassword };
}

function seconds(ms: number): number {
  return Math.floor(ms / 1_000);
}

function need(what: "account" | "password"): LoginDecision {
  return { kind: "need", what };
}

function refuse(reason: Parameters<typeof refusal>[0]): LoginDecision {
  return { kind: "refuse", refusal: refusal(reason) };
}
