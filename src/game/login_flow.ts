import type { Clock } from "../ports/clock.ts";
import type { SetupRequest } from "../wire/setup.ts";
import type { CryptoResult } from "./accounts/crypto_client.ts";
import {
  decideLogin,
  decideRegistration,
  type LoginDecision,
  type LoginFacts,
  type LoginRules,
  type SetupClaim,
} from "./accounts/login_decision.ts";
import type { LoginLimits } from "./accounts/login_limits.ts";
import { type Refusal, refusal } from "./accounts/refusals.ts";
import type { StoreResult } from "./accounts/store_batch.ts";
import type { AccountFacts, UsersAnswers, UsersOperation } from "./accounts/users_operations.ts";
import type { CryptoAnswers, CryptoJob } from "./crypto_work.ts";

/** The users' database as a login needs it; never rejects. */
export interface UsersPort {
  users<Operation extends UsersOperation>(
    operation: Operation,
  ): Promise<StoreResult<UsersAnswers[Operation["kind"]]>>;
}

/** Slow work with secrets; never rejects. */
export interface CryptoJobs {
  run<Job extends CryptoJob>(job: Job): Promise<CryptoResult<CryptoAnswers[Job["kind"]]>>;
}

export interface LoginParts {
  readonly users: UsersPort;
  readonly crypto: CryptoJobs;
  readonly limits: LoginLimits;
  readonly clock: Clock;
  /** As they are now: they may change while a login waits. */
  rules(): LoginRules;
  /** A line for the log: this server's own trouble, not the player's. */
  trouble(reason: string): void;
}

export type LoginVerdict =
  | { readonly kind: "refused"; readonly refusal: Refusal }
  | {
    readonly kind: "accepted";
    readonly account: AccountFacts;
    readonly isNew: boolean;
    /** To be stored; nobody waits for it. */
    readonly writes: readonly UsersOperation[];
    readonly upgradePassword: boolean;
  };

/** A name that others take while we register it is looked up again; not for ever. */
const attemptsMax = 3;

/** Fetches what `decideLogin` needs, in its order. Never rejects. */
export async function runLogin(
  parts: LoginParts,
  login: { readonly setup: SetupRequest; readonly ip: string },
): Promise<LoginVerdict> {
  const attempt = { claim: claimOf(login.setup), ip: login.ip, isAdmitted: false };
  try {
    for (let attempts = 0; attempts < attemptsMax; attempts++) {
      const verdict = await attemptLogin(parts, attempt);
      if (verdict !== "again") return verdict;
    }
    return refused(refusal("overloaded"));
  } finally {
    if (attempt.isAdmitted) parts.limits.settled({ name: attempt.claim.name });
  }
}

/**
 * After a login, when nobody waits: the password in the form that is wanted now. The cipher is read
 * again in the worker, so that the password never comes here.
 */
export async function upgradePassword(
  parts: LoginParts,
  login: { readonly cipher: Uint8Array; readonly account: AccountFacts },
): Promise<void> {
  const made = await parts.crypto.run({ kind: "upgrade", cipher: login.cipher });
  // What fails here is tried again at the next login; the log has the store's own trouble.
  if (!made.ok || made.value === null) return;
  const { uid, password: ifStored } = login.account;
  const { keepLegacyHash } = parts.rules();
  await parts.users.users({
    kind: "set_password",
    uid,
    password: made.value,
    keepLegacyHash,
    ifStored,
  });
}

interface Attempt {
  readonly claim: SetupClaim;
  readonly ip: string;
  /** Whether the limits have counted it. */
  isAdmitted: boolean;
}

async function attemptLogin(
  parts: LoginParts,
  attempt: Attempt,
): Promise<LoginVerdict | "again"> {
  const { claim, ip } = attempt;
  const { clock, limits } = parts;
  let facts: LoginFacts = {};
  for (;;) {
    const decision = decideLogin(claim, { rules: parts.rules(), facts, ip, now: clock.now() });
    if (decision.kind !== "need") return await settle(parts, claim, decision);
    if (!attempt.isAdmitted) {
      attempt.isAdmitted = limits.admit({ ip, name: claim.name, now: clock.monotonic() });
      if (!attempt.isAdmitted) return refused(refusal("too_many_logins"));
    }
    const fetched = await fetchFact(parts, claim, decision.what, facts);
    if (fetched === undefined) return refused(refusal("overloaded"));
    facts = { ...facts, ...fetched };
  }
}

async function fetchFact(
  parts: LoginParts,
  claim: SetupClaim,
  what: "account" | "password",
  facts: LoginFacts,
): Promise<LoginFacts | undefined> {
  if (what === "account") {
    const found = await parts.users.users({ kind: "look_up", name: claim.name, uuid: claim.uuid });
    if (found.ok) return { account: found.value };
    parts.trouble(`cannot look up an account: ${found.reason}`);
    return undefined;
  }
  const stored = facts.account?.account?.password;
  const checked = await parts.crypto.run({ kind: "login", cipher: claim.cipher, stored });
  if (checked.ok) return { password: checked.value };
  parts.trouble(`cannot check a password: ${checked.reason}`);
  return undefined;
}

async function settle(
  parts: LoginParts,
  claim: SetupClaim,
  decision: Exclude<LoginDecision, { kind: "need" }>,
): Promise<LoginVerdict | "again"> {
  switch (decision.kind) {
    case "refuse":
      if (decision.refusal.isFailedLogin) {
        parts.limits.failed({ name: claim.name, now: parts.clock.monotonic() });
      }
      return refused(decision.refusal);
    case "accept":
      return { ...decision, kind: "accepted", isNew: false };
    case "register": {
      const { write } = decision;
      const answer = await parts.users.users(write);
      if (!answer.ok) {
        parts.trouble(`cannot register an account: ${answer.reason}`);
        return refused(refusal("overloaded"));
      }
      const outcome = decideRegistration(write, answer.value);
      if (outcome.kind === "again") return "again";
      if (outcome.kind === "refuse") return refused(outcome.refusal);
      if (outcome.kind === "accept") return { ...outcome, kind: "accepted", isNew: true };
      throw new Error(`Broken invariant: a registration was decided as ${outcome.kind}`);
    }
  }
}

function claimOf(setup: SetupRequest): SetupClaim {
  const { name, cipher, packagesMd5: md5, version, deviceId: uuid } = setup;
  return { name, cipher, md5, version, uuid };
}

function refused(why: Refusal): LoginVerdict {
  return { kind: "refused", refusal: why };
}
