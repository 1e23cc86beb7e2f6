import type { GameConfig } from "../config/game_config.ts";
import type { Clock } from "../ports/clock.ts";
import type { SetupRequest } from "../wire/setup.ts";
import type { BanView } from "./accounts/ban_view.ts";
import type { LoginRules } from "./accounts/login_decision.ts";
import { LoginLimits } from "./accounts/login_limits.ts";
import type { Refusal } from "./accounts/refusals.ts";
import type { ServerKeys } from "./accounts/server_keys.ts";
import type { AccountFacts, UsersOperation } from "./accounts/users_operations.ts";
import type { GameMetrics } from "./game_metrics.ts";
import type { GameReports } from "./game_reports.ts";
import type { LobbyEvent } from "./lobby_events.ts";
import {
  type CryptoJobs,
  type LoginParts,
  type LoginVerdict,
  runLogin,
  upgradePassword,
  type UsersPort,
} from "./login_flow.ts";
import type { Account, ConnectionId } from "./player.ts";

export interface LoginDeskParts {
  readonly clock: Clock;
  readonly bans: BanView;
  readonly users: UsersPort;
  readonly crypto: CryptoJobs;
  readonly keys: ServerKeys;
  readonly config: GameConfig;
}

/** What became of a login. */
export type LoginEntry =
  | { readonly kind: "refused"; readonly refusal: Refusal }
  /** A fault of ours; it is in the log. */
  | { readonly kind: "failed" }
  | {
    readonly kind: "accepted";
    /** What the lobby is to be told. */
    readonly login: LobbyEvent & { kind: "login" };
    /** Stores what the login changes, once the player is in; nobody waits for it. */
    settle(): void;
  };

/** Looks at claims of strangers with the help of store and crypto worker. */
export class LoginDesk {
  readonly #parts: LoginDeskParts;
  readonly #metrics: GameMetrics;
  readonly #reports: GameReports;
  readonly #packagesMd5: () => string;
  #config: GameConfig;
  #limits: LoginLimits;

  constructor(
    parts: LoginDeskParts,
    own: { metrics: GameMetrics; reports: GameReports; packagesMd5: () => string },
  ) {
    this.#parts = parts;
    this.#metrics = own.metrics;
    this.#reports = own.reports;
    this.#packagesMd5 = own.packagesMd5;
    this.#config = parts.config;
    this.#limits = limitsOf(parts.config);
  }

  /** What was counted of failures so far is kept, unless the limits themselves change. */
  configure(config: GameConfig): void {
    const before = this.#config;
    this.#config = config;
    const isSame = config.loginsPerMinutePerIp === before.loginsPerMinutePerIp &&
      config.loginFailuresPerMinutePerName === before.loginFailuresPerMinutePerName;
    if (!isSame) this.#limits = limitsOf(config);
  }

  /** Never rejects. */
  async admit(
    claim: {
      readonly setup: SetupRequest;
      readonly ip: string;
      readonly connection: ConnectionId;
    },
  ): Promise<LoginEntry> {
    const { setup, ip, connection } = claim;
    const parts = this.#loginParts();
    let verdict: LoginVerdict;
    try {
      verdict = await runLogin(parts, { setup, ip });
    } catch (error) {
      this.#reports.fault("admit", error);
      return { kind: "failed" };
    }
    if (verdict.kind === "refused") return verdict;
    const { account, writes, isNew } = verdict;
    return {
      kind: "accepted",
      login: {
        kind: "login",
        connection,
        account: this.#accountOf(account),
        origin: { address: ip, device: setup.deviceId },
        epochMs: this.#parts.clock.now(),
      },
      settle: () => {
        if (isNew) this.#metrics.counters.registrations++;
        for (const write of writes) void this.#write(write);
        if (verdict.upgradePassword) void upgradePassword(parts, { cipher: setup.cipher, account });
      },
    };
  }

  #accountOf(facts: AccountFacts): Account {
    const { bans, clock } = this.#parts;
    const epochMs = clock.now();
    const mute = bans.muteOf(facts.uid, Math.floor(epochMs / 1_000));
    const mutedUntil = mute === undefined
      ? {}
      : { mutedUntil: clock.monotonic() + mute.expireAt * 1_000 - epochMs };
    return {
      id: facts.uid,
      name: facts.name,
      avatar: facts.avatar,
      totalGameTime: facts.totalGameTime,
      statistics: new Map(facts.statistics.map(({ mode, ...counts }) => [mode, counts])),
      ...mutedUntil,
    };
  }

  async #write(operation: UsersOperation): Promise<void> {
    const stored = await this.#parts.users.users(operation);
    if (!stored.ok) this.#reports.trouble(`cannot store a login: ${stored.reason}`);
  }

  #loginParts(): LoginParts {
    const { users, crypto, clock } = this.#parts;
    return {
      users,
      crypto,
      clock,
      limits: this.#limits,
      rules: () => this.#loginRules(),
      trouble: (reason) => this.#reports.trouble(reason),
    };
  }

  #loginRules(): LoginRules {
    const { bans, clock, keys } = this.#parts;
    const { banWords, enableWhitelist, maxPlayersPerDevice, keepLegacyHash } = this.#config;
    return {
      packagesMd5: this.#packagesMd5(),
      banWords,
      enableWhitelist,
      maxPlayersPerDevice,
      keepLegacyHash,
      cipherBytes: keys.modulusBytes,
      addressBan: (ip) => bans.addressBan(ip, clock.now()),
      accountBan: (uid) => bans.accountBan(uid),
      isDeviceBanned: (uuid) => bans.isDeviceBanned(uuid),
      isWhitelisted: (name) => bans.isWhitelisted(name),
    };
  }
}

function limitsOf(config: GameConfig): LoginLimits {
  return new LoginLimits({
    loginsPerMinutePerIp: config.loginsPerMinutePerIp,
    failuresPerMinutePerName: config.loginFailuresPerMinutePerName,
  });
}
