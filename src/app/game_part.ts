import type { GameConfigReload } from "../config/reload_game_config.ts";
import { showFault } from "../config/faults.ts";
import type { Settings } from "../config/settings.ts";
import { BanView } from "../game/accounts/ban_view.ts";
import { CryptoClient } from "../game/accounts/crypto_client.ts";
import { openServerKeys, type ServerKeys, ServerKeysError } from "../game/accounts/server_keys.ts";
import { GameServer } from "../game/game_server.ts";
import { GameStoreClient } from "../game/game_store_client.ts";
import { LobbyStore } from "../game/lobby_store.ts";
import type { PackageFacts } from "../game/packages/package_facts.ts";
import { PackagesClient } from "../game/packages/packages_client.ts";
import type { FilesPort } from "../ports/files.ts";
import type { Logger } from "../ports/log.ts";
import type { Runtime } from "../ports/runtime.ts";
import { RulesMaker } from "./make_rules.ts";

/** Accounts, keys and saves, in the data directory; as the original server has it. */
export const gameDirectory = "server";

export interface GamePartOptions {
  readonly runtime: Runtime;
  readonly settings: Settings;
  readonly logger: Logger;
  /** Reads the configuration again. */
  reload(): Promise<GameConfigReload>;
}

export type GameStart =
  | { readonly ok: true; readonly game: GamePart }
  /** One line: what was tried, what was found. */
  | { readonly ok: false; readonly reason: string };

/** The game server with all that it needs: workers, keys, databases, packages and rules. */
export class GamePart {
  readonly server: GameServer;
  readonly store: GameStoreClient;
  readonly crypto: CryptoClient;
  readonly packages: PackagesClient;
  readonly bans: BanView;
  readonly #options: GamePartOptions;
  #facts: PackageFacts;

  private constructor(
    options: GamePartOptions,
    parts: OpenParts & { keys: ServerKeys; bans: BanView; facts: PackageFacts },
  ) {
    const { runtime, settings, logger } = options;
    const { store, crypto, packages, bans, keys, facts } = parts;
    this.#options = options;
    this.store = store;
    this.crypto = crypto;
    this.packages = packages;
    this.bans = bans;
    this.#facts = facts;
    const rules = new RulesMaker({ runtime, settings, logger });
    this.server = new GameServer({
      clock: runtime.clock,
      zlib: runtime.zlib,
      logger: logger.child({ part: "game" }),
      users: store,
      crypto,
      keys,
      bans,
      config: settings.game,
      packages: facts,
      openStore: (event) => {
        const keepLegacyHash = () => this.server.config.keepLegacyHash;
        return new LobbyStore({ store, crypto, clock: runtime.clock, keepLegacyHash, event });
      },
      makeRules: (hooks, host) => rules.make(hooks, host, this.#facts),
    });
  }

  /** Opens everything and starts the rules; what was opened is closed again when one part fails. */
  static async open(options: GamePartOptions): Promise<GameStart> {
    const { workers, clock } = options.runtime;
    const logger = options.logger.child({ part: "game" });
    const parts: OpenParts = {
      store: new GameStoreClient({ workers, clock, logger }),
      crypto: new CryptoClient({ workers, clock, logger }),
      packages: new PackagesClient({ workers, clock, logger }),
    };
    try {
      return await GamePart.#openWith(options, parts);
    } catch (error) {
      await closeAll(parts);
      throw error;
    }
  }

  static async #openWith(options: GamePartOptions, parts: OpenParts): Promise<GameStart> {
    const { clock, files } = options.runtime;
    const logger = options.logger.child({ part: "game" });
    const refuse = async (reason: string): Promise<GameStart> => {
      await closeAll(parts);
      return { ok: false, reason };
    };
    await files.makeDirectory(gameDirectory, { mode: 0o700 });
    for (const name of ["users.db", "game.db"]) {
      await makePrivate(files, `${gameDirectory}/${name}`);
    }
    const [opened, keys, recovered, scan] = await Promise.all([
      parts.store.open(gameDirectory, Math.floor(clock.now() / 1_000)),
      openKeys(options.runtime, parts.crypto),
      // The first job: the scan comes after it.
      parts.packages.recover(),
      parts.packages.scan(),
    ]);
    if (!opened.ok) return await refuse(opened.reason);
    if (keys instanceof ServerKeysError) return await refuse(keys.message);
    if (!scan.ok) return await refuse(scan.reason);
    if (!recovered.ok) logger.warn({ reason: recovered.reason }, "packages not tidied up");
    for (const note of keys.notes) logger.info({}, note);
    const { facts } = scan;
    const game = new GamePart(options, { ...parts, keys, bans: new BanView(opened.bans), facts });
    logger.info({ md5: facts.md5, files: facts.files }, "packages");
    game.server.start();
    return { ok: true, game };
  }

  /** What the packages are. */
  get facts(): PackageFacts {
    return this.#facts;
  }

  /** Takes over what can be changed while it runs. Lines for people. */
  async reload(): Promise<{ ok: boolean; lines: string[] }> {
    const loaded = await this.#options.reload();
    if (!loaded.ok) return { ok: false, lines: loaded.faults.map(showFault) };
    this.server.configure(loaded.game);
    const rescanned = await this.rescan();
    return {
      ok: rescanned.ok,
      lines: [...loaded.notices, "The configuration was read again.", ...rescanned.lines],
    };
  }

  /** Looks at the packages again; when they have changed, everything on the old ones is outdated. */
  async rescan(): Promise<{ ok: boolean; lines: string[] }> {
    const scan = await this.packages.scan();
    if (!scan.ok) return { ok: false, lines: [scan.reason] };
    const before = this.#facts;
    this.#facts = scan.facts;
    const isSame = before.md5 === scan.facts.md5 &&
      before.disabled.join("\n") === scan.facts.disabled.join("\n");
    if (isSame) {
      // Their addresses may have.
      this.server.packages = scan.facts;
      return { ok: true, lines: ["The packages have not changed."] };
    }
    this.server.replacePackages(scan.facts);
    return {
      ok: true,
      lines: [`The packages have changed: md5 ${scan.facts.md5}. Players must log in again.`],
    };
  }

  /** No more connections; those that are open are closed, what is to be stored is stored. */
  async stop(): Promise<void> {
    await this.server.stop();
    await closeAll({ store: this.store, crypto: this.crypto, packages: this.packages });
  }
}

/** A database that is not there yet is made for nobody else to read; its side files follow it. */
async function makePrivate(files: FilesPort, path: string): Promise<void> {
  if (await files.info(path) !== undefined) return;
  await (await files.openAppend(path, { mode: 0o600 })).close();
}

interface OpenParts {
  readonly store: GameStoreClient;
  readonly crypto: CryptoClient;
  readonly packages: PackagesClient;
}

async function openKeys(
  { files }: Runtime,
  crypto: CryptoClient,
): Promise<ServerKeys | ServerKeysError> {
  try {
    return await openServerKeys({ files, keys: crypto, directory: gameDirectory });
  } catch (error) {
    if (error instanceof ServerKeysError) return error;
    throw error;
  }
}

async function closeAll({ store, crypto, packages }: OpenParts): Promise<void> {
  packages.close();
  await store.close();
  crypto.close();
}
