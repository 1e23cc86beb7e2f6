import type { CryptoResult } from "../../src/game/accounts/crypto_client.ts";
import type { GameSaveAnswer, GameSaveOperation } from "../../src/game/accounts/game_store.ts";
import type { NewPassword, StoredPassword } from "../../src/game/accounts/passwords.ts";
import { scryptCost } from "../../src/game/accounts/passwords.ts";
import type { StoreResult } from "../../src/game/accounts/store_batch.ts";
import type {
  AccountFacts,
  UsersAnswer,
  UsersAnswers,
  UsersOperation,
} from "../../src/game/accounts/users_operations.ts";
import type { CryptoAnswers, CryptoJob } from "../../src/game/crypto_work.ts";
import type { FakeClock } from "../fakes/clock.ts";
import type { Dice } from "./dice.ts";

/** Length of a cipher here. */
export const cipherBytes = 256;

type Row = { -readonly [Key in keyof AccountFacts]: AccountFacts[Key] };

/** Databases and crypto worker in memory: late, at times very late, and at times out of order. */
export class FakeAccounts {
  readonly rows = new Map<string, Row>();
  readonly #saves = new Map<string, Uint8Array>();
  readonly #clock: FakeClock;
  readonly #dice: Dice;
  /** Share of the answers that are failures. */
  failures = 0.004;

  constructor(parts: { clock: FakeClock; dice: Dice }) {
    this.#clock = parts.clock;
    this.#dice = parts.dice;
  }

  users<Operation extends UsersOperation>(
    operation: Operation,
  ): Promise<StoreResult<UsersAnswers[Operation["kind"]]>> {
    return this.#answer(() => this.#perform(operation) as UsersAnswers[Operation["kind"]]);
  }

  saves(operation: GameSaveOperation): Promise<StoreResult<GameSaveAnswer>> {
    const name = "mode" in operation ? `mode ${operation.mode}` : `key ${operation.key}`;
    const key = `${operation.uid} ${name}`;
    return this.#answer(() => {
      if ("data" in operation) this.#saves.set(key, operation.data);
      return "data" in operation ? null : this.#saves.get(key) ?? null;
    });
  }

  async run<Job extends CryptoJob>(job: Job): Promise<CryptoResult<CryptoAnswers[Job["kind"]]>> {
    const done = await this.#answer(() => crypt(job) as CryptoAnswers[Job["kind"]]);
    return done.ok ? done : { ok: false, why: "failed", reason: done.reason };
  }

  /** What is asked counts at once; the answer comes later. */
  #answer<Value>(perform: () => Value): Promise<StoreResult<Value>> {
    const fails = this.#dice.chance(this.failures);
    const result: StoreResult<Value> = fails
      ? { ok: false, reason: "the disk is on fire" }
      : { ok: true, value: perform() };
    const isSlow = this.#dice.chance(0.02);
    const ms = isSlow ? this.#dice.between(500, 6_000) : this.#dice.below(40);
    return new Promise((resolve) => this.#clock.after(ms, () => resolve(result)));
  }

  #perform(operation: UsersOperation): UsersAnswer {
    switch (operation.kind) {
      case "look_up": {
        const row = this.rows.get(operation.name);
        return { account: row && { ...row }, deviceAccounts: 0 };
      }
      case "register": {
        const { name, password: legacy, ip: lastLoginIp } = operation;
        if (this.rows.has(name)) return { outcome: "name_taken" };
        const uid = this.rows.size + 1;
        const fresh = { avatar: "liubei", banned: false, totalGameTime: 0, statistics: [] };
        this.rows.set(name, { uid, name, lastLoginIp, password: { legacy }, ...fresh });
        return { outcome: "created", uid, avatar: "liubei" };
      }
      case "look_up_password":
        return this.#row(operation.uid)?.password ?? {};
      case "set_password": {
        const row = this.#row(operation.uid);
        const { ifStored, password } = operation;
        if (row === undefined) return false;
        if (ifStored !== undefined && !isSame(ifStored, row.password)) return false;
        row.password = { scrypt: password.scrypt };
        return true;
      }
      case "set_avatar": {
        const row = this.#row(operation.uid);
        if (row !== undefined) row.avatar = operation.avatar;
        return null;
      }
      case "add_game_time": {
        const row = this.#row(operation.uid);
        if (row !== undefined) row.totalGameTime += operation.seconds;
        return null;
      }
      default:
        return null;
    }
  }

  #row(uid: number): Row | undefined {
    for (const row of this.rows.values()) if (row.uid === uid) return row;
    return undefined;
  }
}

/** What a client makes of its password; `undefined` cannot be read. */
export function cipherOf(password: string | undefined): Uint8Array {
  const cipher = new Uint8Array(cipherBytes);
  if (password === undefined) return cipher;
  const bytes = new TextEncoder().encode(password);
  cipher[0] = bytes.length;
  cipher.set(bytes, 1);
  return cipher;
}

function readCipher(cipher: Uint8Array): { readable: boolean; password: string } {
  const length = cipher[0] ?? 0;
  const password = new TextDecoder().decode(cipher.subarray(1, 1 + length));
  return { readable: length > 0, password };
}

function crypt(job: CryptoJob): CryptoAnswers[CryptoJob["kind"]] {
  switch (job.kind) {
    case "login": {
      const { readable, password } = readCipher(job.cipher);
      if (job.stored === undefined) {
        return { readable, matches: false, fresh: stored(password).legacy };
      }
      return { readable, matches: readable && plainOf(job.stored) === password };
    }
    case "upgrade": {
      const { readable, password } = readCipher(job.cipher);
      return readable ? stored(password) : null;
    }
    case "change": {
      const given = new TextDecoder().decode(job.given);
      if (plainOf(job.stored) !== given) return null;
      return stored(new TextDecoder().decode(job.wanted));
    }
    default:
      throw new Error(`no player leads to the job ${job.kind}`);
  }
}

/** Nobody needs to be kept from reading passwords here. */
function stored(password: string): NewPassword {
  const hash = new TextEncoder().encode(password);
  return {
    legacy: { hash: password, salt: "" },
    scrypt: { hash, salt: new Uint8Array(0), cost: scryptCost },
  };
}

function plainOf({ legacy, scrypt }: StoredPassword): string | undefined {
  return scrypt === undefined ? legacy?.hash : new TextDecoder().decode(scrypt.hash);
}

function isSame(one: StoredPassword, other: StoredPassword): boolean {
  return plainOf(one) === plainOf(other) &&
    (one.scrypt === undefined) === (other.scrypt === undefined);
}
