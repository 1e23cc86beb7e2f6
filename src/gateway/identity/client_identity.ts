import type { JwtConfig } from "../../config/gateway_config.ts";
import type { Clock } from "../../ports/clock.ts";
import type { FilesPort } from "../../ports/files.ts";
import { readTokenKeys, type TokenKey } from "./token_keys.ts";
import { type TokenVerdict, verifyToken } from "./token_verifier.ts";

export interface IdentityParts {
  readonly files: Pick<FilesPort, "read">;
  readonly clock: Pick<Clock, "now">;
}

export type IdentityOpening =
  | { readonly ok: true; readonly identity: ClientIdentity }
  /** One line that holds no secret. */
  | { readonly ok: false; readonly reason: string };

/** Says by tokens who clients are. */
export class ClientIdentity {
  readonly #parts: IdentityParts;
  readonly #config: JwtConfig;
  readonly #keys: readonly TokenKey[];

  /** Reads the keys. For a configuration with a source of them. */
  static async open(config: JwtConfig, parts: IdentityParts): Promise<IdentityOpening> {
    const read = await readTokenKeys(config, parts.files);
    if (!read.ok) return read;
    return { ok: true, identity: new ClientIdentity(config, read.keys, parts) };
  }

  private constructor(config: JwtConfig, keys: readonly TokenKey[], parts: IdentityParts) {
    this.#config = config;
    this.#keys = keys;
    this.#parts = parts;
  }

  /** Whether a client without a token is refused. */
  get isRequired(): boolean {
    return this.#config.required;
  }

  /** How long a token holds after its `exp`. */
  get leewayMs(): number {
    return this.#config.leewaySeconds * 1_000;
  }

  /** Whether a token lets somebody be this client, now. Never rejects. */
  prove(token: string, clientId: string): Promise<TokenVerdict> {
    return verifyToken(token, {
      clientId,
      keys: this.#keys,
      config: this.#config,
      nowMs: this.#parts.clock.now(),
    });
  }
}
