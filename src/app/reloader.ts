import { changedKeys, isTakenOver } from "../config/changed_keys.ts";
import { brokenFile, showFault } from "../config/faults.ts";
import { keyFileOf } from "../config/jwt_keys.ts";
import type { LoadInput } from "../config/load_settings.ts";
import { sourceOfFile } from "../config/read_document.ts";
import { type GameConfigReload, reloadGameConfig } from "../config/reload_game_config.ts";
import type { Settings } from "../config/settings.ts";
import type { Logger } from "../ports/log.ts";
import type { Runtime } from "../ports/runtime.ts";
import { ConfigWatch } from "./config_watch.ts";
import { configPaths, readSettings } from "./read_settings.ts";
import type { RunningServer } from "./server.ts";
import type { TlsReload } from "./tls_files.ts";

/** What became of reading the configuration again. */
export type ReloadReport =
  | {
    readonly ok: true;
    /** Keys whose new values are in use now. */
    readonly changed: readonly string[];
    /** Keys whose new values wait for a restart. */
    readonly needRestart: readonly string[];
    /** Rules of the message gateway. */
    readonly routes: number;
    /** What became of the files that `tls_cert` and `tls_key` name; `none` without TLS. When they are
     * refused, a notice says why. */
    readonly certificate: "none" | TlsReload["kind"];
    /** Lines for people: what was ignored, and what the game says. */
    readonly notices: readonly string[];
  }
  /** Nothing has changed. One line for each fault. */
  | { readonly ok: false; readonly faults: readonly string[] };

interface ReloaderParts {
  readonly runtime: Runtime;
  readonly input: LoadInput;
  /** The files as `marksOf` gave them before they were read. */
  readonly marks: string;
  /** With what the server was started, and the file that it came from, if any. */
  readonly settings: Settings;
  readonly path: string | undefined;
  readonly logger: Logger;
  /** What the command line makes of settings. */
  complete(settings: Settings): Settings;
}

/** Reads the configuration again while the server runs, and has it taken over: all or nothing. */
export class Reloader {
  readonly #parts: ReloaderParts;
  readonly #started: Settings;
  #settings: Settings;
  readonly #server = Promise.withResolvers<RunningServer>();
  #watch: ConfigWatch | undefined;
  /** The file that the keys of clients' tokens are in, where there is one. */
  #keysPath = "";
  #keysWatch: ConfigWatch | undefined;
  #running: Promise<ReloadReport> | undefined;
  #next: Promise<ReloadReport> | undefined;
  /** What was read just now, for the game, which takes over its own part. */
  #read: GameConfigReload | undefined;

  constructor(parts: ReloaderParts) {
    this.#parts = parts;
    this.#started = this.#settings = parts.settings;
  }

  /** From now on changed files are noticed. */
  async watch(): Promise<void> {
    const { runtime, input, marks, logger } = this.#parts;
    this.#watch = new ConfigWatch(configPaths(input), {
      ...runtime,
      marks,
      changed: () => {
        logger.info({}, "the configuration has changed: reading it again");
        void this.reload();
      },
    });
    await this.#watchKeys();
  }

  /** The server is up; who has asked for anything until now gets it. */
  serves(server: RunningServer): void {
    this.#server.resolve(server);
  }

  stop(): void {
    this.#watch?.stop();
    this.#keysWatch?.stop();
  }

  /** What has been asked for while it is being done is done once more, for all who have asked. */
  reload(): Promise<ReloadReport> {
    if (this.#running === undefined) return this.#start();
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#start();
    });
    return this.#next;
  }

  /** The game's part alone, for its own command. */
  async readGame(): Promise<GameConfigReload> {
    if (this.#read !== undefined) return this.#read;
    const { runtime, input } = this.#parts;
    return await reloadGameConfig(input, (input) => readSettings(runtime, input));
  }

  #start(): Promise<ReloadReport> {
    const running = this.#running = this.#reload().catch((error: unknown): ReloadReport => {
      const reason = error instanceof Error ? error.message : String(error);
      return { ok: false, faults: [`Cannot reload the configuration: ${reason}`] };
    }).then((report) => {
      this.#running = undefined;
      this.#log(report);
      return report;
    });
    return running;
  }

  async #reload(): Promise<ReloadReport> {
    const { runtime, input, logger } = this.#parts;
    // Who asks before it is up has to wait: what it was started with is not changed half way.
    const server = await this.#server.promise;
    await Promise.all([this.#watch?.reading(), this.#keysWatch?.reading()]);
    const loaded = await readSettings(runtime, input);
    if (!loaded.ok) return { ok: false, faults: loaded.faults.map(showFault) };
    const { path } = this.#parts;
    if (path !== undefined && loaded.path === undefined) {
      // Without it everything would be as if nobody had ever configured anything.
      const gone = brokenFile(sourceOfFile(path), "it was there at the start, and is gone");
      return { ok: false, faults: [showFault(gone)] };
    }
    const after = this.#parts.complete(loaded.settings);
    const gateway = await server.configureGateway(after.gateway);
    if (!gateway.ok) {
      return { ok: false, faults: [`Cannot reload the configuration: ${gateway.reason}`] };
    }
    logger.setLevel(after.log.level);
    const changed = changedKeys(this.#settings, after).filter(isTakenOver);
    if (gateway.hasOtherRules) changed.push("routes");
    const needRestart = changedKeys(this.#started, after).filter((path) => !isTakenOver(path));
    // Whether there is a gateway at all is settled at the start: without one in the file, one that
    // runs stays as it was.
    const isConfigured = this.#started.gateway.enabled && after.gateway.enabled;
    this.#settings = isConfigured ? after : { ...after, gateway: this.#settings.gateway };
    await this.#watchKeys();
    const notices = [...loaded.notices];
    const tls = await server.reloadTls();
    if (tls?.kind === "refused") {
      notices.push(`The certificate of the HTTP port stays: ${tls.reason}`);
    }
    const certificate = tls?.kind ?? "none";
    this.#read = { ok: true, game: after.game, notices: [] };
    const game = await server.game?.reload();
    this.#read = undefined;
    for (const line of game?.lines ?? []) logger.info({ part: "game" }, line);
    const routes = this.#settings.gateway.routes.length;
    return { ok: true, changed, needRestart, routes, certificate, notices };
  }

  /** Keys that are being replaced while another file of them is named are read once more then. */
  async #watchKeys(): Promise<void> {
    const path = keyFileOf(this.#settings.gateway.jwt);
    if (path === this.#keysPath) return;
    this.#keysPath = path;
    this.#keysWatch?.stop();
    this.#keysWatch = undefined;
    if (path === "") return;
    const { runtime, logger } = this.#parts;
    this.#keysWatch = new ConfigWatch([path], {
      ...runtime,
      changed: () => {
        logger.info({}, "the keys of clients' tokens have changed: reading them again");
        void this.reload();
      },
    });
    await this.#keysWatch.reading();
  }

  #log(report: ReloadReport): void {
    const { logger } = this.#parts;
    if (!report.ok) {
      for (const fault of report.faults) logger.error({}, fault);
      logger.error({}, "configuration not reloaded: it has faults, nothing was changed");
      return;
    }
    const { changed, needRestart, routes, certificate, notices } = report;
    for (const notice of notices) logger.warn({}, notice);
    logger.info({
      changed,
      need_restart: needRestart,
      routes,
      certificate,
      log_level: this.#settings.log.level,
    }, "configuration reloaded");
  }
}
