import { unreachable } from "../base/assert.ts";
import type { CryptoPort, RsaKeyPairPem, RsaPrivateKey } from "../ports/crypto.ts";
import type { Random } from "../ports/random.ts";
import type { WorkerScope } from "../ports/workers.ts";
import type { PasswordCheck } from "./accounts/login_decision.ts";
import {
  isPassword,
  makeLegacyPassword,
  makePassword,
  type NewPassword,
  type StoredPassword,
} from "./accounts/passwords.ts";
import { unpadPassword } from "./accounts/rsa_unpad.ts";
import type { OpenedKey } from "./accounts/server_keys.ts";

/** Slow work with secrets. A password that came encrypted never leaves the worker. */
export type CryptoJob =
  | { readonly kind: "generate_keys" }
  /** Takes the key into use for all later jobs. */
  | { readonly kind: "open_key"; readonly privatePem: string }
  /** `stored` is undefined for a name that has no account. */
  | {
    readonly kind: "login";
    readonly cipher: Uint8Array;
    readonly stored: StoredPassword | undefined;
  }
  /** Both forms of the password in a login's cipher; null when there is none in it. */
  | { readonly kind: "upgrade"; readonly cipher: Uint8Array }
  | {
    readonly kind: "change";
    readonly given: Uint8Array;
    readonly wanted: Uint8Array;
    readonly stored: StoredPassword;
  }
  | { readonly kind: "new_password"; readonly password: Uint8Array };

/** The answer to each kind of job. */
export interface CryptoAnswers {
  generate_keys: RsaKeyPairPem;
  open_key: OpenedKey;
  login: PasswordCheck;
  upgrade: NewPassword | null;
  /** null: the given password is not the stored one. */
  change: NewPassword | null;
  new_password: NewPassword;
}

export interface CryptoRequest {
  readonly id: number;
  readonly job: CryptoJob;
}

/** Replies come as they are done, not in order. */
export type CryptoReply =
  | { readonly id: number; readonly ok: true; readonly value: CryptoAnswers[CryptoJob["kind"]] }
  | { readonly id: number; readonly ok: false; readonly reason: string };

/** Bytes of the random password that stands for one that could not be read. */
const FALLBACK_BYTES = 16;

/** The crypto worker: RSA on its own thread, one at a time; scrypt on the runtime's pool. */
export function runCryptoWorker(
  scope: WorkerScope<CryptoRequest, CryptoReply>,
  parts: { crypto: CryptoPort; random: Random },
): void {
  const work = new CryptoWork(parts);
  scope.onMessage(({ id, job }) => {
    work.perform(job).then(
      (value) => scope.post({ id, ok: true, value }),
      (error: unknown) =>
        scope.post({ id, ok: false, reason: error instanceof Error ? error.message : "unknown" }),
    );
  });
}

/** Performs jobs; what comes before the first wait of each is done in the order of the calls. */
export class CryptoWork {
  readonly #crypto: CryptoPort;
  readonly #random: Random;
  #key: RsaPrivateKey | undefined;

  constructor(parts: { crypto: CryptoPort; random: Random }) {
    this.#crypto = parts.crypto;
    this.#random = parts.random;
  }

  /** Rejects with an Error whose message holds no secret. */
  async perform(job: CryptoJob): Promise<CryptoAnswers[CryptoJob["kind"]]> {
    const parts = { crypto: this.#crypto, random: this.#random };
    switch (job.kind) {
      case "generate_keys":
        return await this.#crypto.generateRsaKeyPair();
      case "open_key": {
        this.#key = this.#crypto.openRsaPrivateKey(job.privatePem);
        return { publicPem: this.#key.publicPem, modulusBytes: this.#key.modulusBytes };
      }
      case "login":
        return await this.#login(job);
      case "upgrade": {
        const { readable, password } = this.#decrypt(job.cipher);
        return readable ? await makePassword(parts, password) : null;
      }
      case "change": {
        const { given: password, stored } = job;
        if (!await isPassword(this.#crypto, { password, stored })) return null;
        return await makePassword(parts, job.wanted);
      }
      case "new_password":
        return await makePassword(parts, job.password);
      default:
        return unreachable(job);
    }
  }

  /** A cipher that cannot be read goes the whole way too, with a random password. */
  async #login(job: CryptoJob & { kind: "login" }): Promise<PasswordCheck> {
    const { readable, password } = this.#decrypt(job.cipher);
    if (job.stored === undefined) {
      const fresh = makeLegacyPassword({ crypto: this.#crypto, random: this.#random }, password);
      return { readable, matches: false, fresh };
    }
    const matches = await isPassword(this.#crypto, { password, stored: job.stored });
    return { readable, matches: readable && matches };
  }

  #decrypt(cipher: Uint8Array): { readable: boolean; password: Uint8Array } {
    if (this.#key === undefined) throw new Error("Cannot decrypt: no key was opened");
    return unpadPassword(this.#key.decryptRaw(cipher), this.#random.bytes(FALLBACK_BYTES));
  }
}
