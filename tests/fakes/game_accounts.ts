import type { CryptoResult } from "../../src/game/accounts/crypto_client.ts";
import type { GameSaveAnswer, GameSaveOperation } from "../../src/game/accounts/game_store.ts";
import type { NewPassword, StoredPassword } from "../../src/game/accounts/passwords.ts";
import type { StoreResult } from "../../src/game/accounts/store_batch.ts";
import type {
  AccountFacts,
  UsersAnswer,
  UsersAnswers,
  UsersOperation,
} from "../../src/game/accounts/users_operations.ts";
import type { CryptoAnswers, CryptoJob } from "../../src/game/crypto_work.ts";
import type { CryptoJobs, UsersPort } from "../../src/game/login_flow.ts";

/** Bytes of a `fakeCipher`, and so of the key that it stands for. */
export const fakeCipherBytes = 256;

/** What `FakeCrypto` reads as this password; undefined makes one that holds none. */
export function fakeCipher(password: string | undefined): Uint8Array {
  const cipher = new Uint8Array(fakeCipherBytes);
  if (password === undefined) return cipher.fill(0xff);
  cipher.set(new TextEncoder().encode(password));
  return cipher;
}

/** The password itself is its hash. */
export function fakePassword(password: string): StoredPassword & NewPassword {
  const legacy = { hash: password, salt: "00000000" };
  const scrypt = { hash: new Uint8Array(32), salt: new Uint8Array(16), cost: { N: 2, r: 1, p: 1 } };
  return { legacy, scrypt };
}

/** A crypto worker without cryptography. Each job is kept; with `trouble` all of them fail. */
export class FakeCrypto implements CryptoJobs {
  readonly jobs: CryptoJob[] = [];
  trouble: string | undefined;

  async run<Job extends CryptoJob>(
    job: Job,
  ): Promise<CryptoResult<CryptoAnswers[Job["kind"]]>> {
    this.jobs.push(job);
    if (this.trouble !== undefined) return { ok: false, why: "failed", reason: this.trouble };
    return { ok: true, value: answerOf(job) as CryptoAnswers[Job["kind"]] };
  }
}

/** Accounts and saves in memory. Each operation is kept as it was given. */
export class FakeAccounts implements UsersPort {
  readonly operations: (UsersOperation | GameSaveOperation)[] = [];
  /** While it is set, everything fails with it. */
  trouble: string | undefined;
  /** What is asked waits for it. */
  gate: Promise<unknown> = Promise.resolve();
  /** Called before each operation is done; what it throws rejects nobody, but throws at once. */
  before: (operation: UsersOperation | GameSaveOperation) => void = () => {};
  readonly #byName = new Map<string, { facts: AccountFacts }>();
  readonly #byUid = new Map<number, { facts: AccountFacts }>();
  readonly #perDevice = new Map<string, number>();
  readonly #saves = new Map<string, Uint8Array>();
  #lastUid = 0;

  add(name: string, password: string, facts: Partial<AccountFacts> = {}): AccountFacts {
    const account: AccountFacts = {
      uid: ++this.#lastUid,
      name,
      avatar: "liubei",
      lastLoginIp: "",
      banned: false,
      password: fakePassword(password),
      totalGameTime: 0,
      statistics: [],
      ...facts,
    };
    const entry = { facts: account };
    this.#byName.set(name, entry);
    this.#byUid.set(account.uid, entry);
    return account;
  }

  /** The operations of one kind, in order. */
  of<Kind extends (UsersOperation | GameSaveOperation)["kind"]>(kind: Kind) {
    return this.operations.filter((operation): operation is Extract<
      UsersOperation | GameSaveOperation,
      { readonly kind: Kind }
    > => operation.kind === kind);
  }

  users<Operation extends UsersOperation>(
    operation: Operation,
  ): Promise<StoreResult<UsersAnswers[Operation["kind"]]>> {
    return this.#run(operation, () => this.#users(operation) as UsersAnswers[Operation["kind"]]);
  }

  saves(operation: GameSaveOperation): Promise<StoreResult<GameSaveAnswer>> {
    return this.#run(operation, () => {
      const key = `${operation.uid} ${"key" in operation ? operation.key : operation.mode}`;
      if (!("data" in operation)) return this.#saves.get(key) ?? null;
      this.#saves.set(key, operation.data);
      return null;
    });
  }

  #run<Answer>(
    operation: UsersOperation | GameSaveOperation,
    work: () => Answer,
  ): Promise<StoreResult<Answer>> {
    this.before(operation);
    this.operations.push(operation);
    return this.gate.then(() =>
      this.trouble === undefined ? { ok: true, value: work() } : { ok: false, reason: this.trouble }
    );
  }

  #users(operation: UsersOperation): UsersAnswer {
    switch (operation.kind) {
      case "look_up":
        return {
          account: this.#byName.get(operation.name)?.facts,
          deviceAccounts: this.#perDevice.get(operation.uuid) ?? 0,
        };
      case "register": {
        const { name, password: legacy, uuid } = operation;
        if (this.#byName.has(name)) return { outcome: "name_taken" };
        const { uid, avatar } = this.add(name, legacy.hash, { password: { legacy } });
        this.#perDevice.set(uuid, (this.#perDevice.get(uuid) ?? 0) + 1);
        return { outcome: "created", uid, avatar };
      }
      case "look_up_password":
        return this.#byUid.get(operation.uid)?.facts.password ?? {};
      case "set_password": {
        const found = this.#byUid.get(operation.uid);
        if (found === undefined) return false;
        found.facts = { ...found.facts, password: operation.password };
        return true;
      }
      default:
        return null;
    }
  }
}

function answerOf(job: CryptoJob): CryptoAnswers[CryptoJob["kind"]] {
  switch (job.kind) {
    case "login": {
      const password = passwordIn(job.cipher);
      if (password === undefined) return { readable: false, matches: false };
      const matches = job.stored?.legacy?.hash === password;
      return { readable: true, matches, fresh: fakePassword(password).legacy };
    }
    case "upgrade": {
      const password = passwordIn(job.cipher);
      return password === undefined ? null : fakePassword(password);
    }
    case "change": {
      const given = new TextDecoder().decode(job.given);
      const wanted = new TextDecoder().decode(job.wanted);
      return job.stored.legacy?.hash === given ? fakePassword(wanted) : null;
    }
    case "new_password":
      return fakePassword(new TextDecoder().decode(job.password));
    case "generate_keys":
    case "open_key":
      throw new Error(`a fake has no keys for ${job.kind}`);
  }
}

function passwordIn(cipher: Uint8Array): string | undefined {
  const end = cipher.indexOf(0);
  if (end <= 0) return undefined;
  return new TextDecoder().decode(cipher.subarray(0, end));
}
