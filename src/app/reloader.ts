import { changedKeys, isTakenOver } from "../config/changed_keys.ts";
import { brokenFile, showFault } from "../config/faults.ts";
import type { LoadInput } from "../config/load_settings.ts";
import { sourceOfFile } from "../config/read_document.ts";
import { type GameConfigReload, reloadGameConfig } from "../config/reload_game_config.ts";
import type { Settings } from "../config/settings.ts";
import type { Logger } from "../ports/log.ts";
import type { Runtime } from "../ports/runtime.ts";
import { ConfigWatch } from "./config_watch.ts";
import { configPaths, readSettings } from "./read_settings.ts";
import type { RunningServer } from "./server.ts";

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
    /** Lines for people: what was ignored, and what the game says. */
    readonly notices: readonly string[];
  }
  /** Nothing has changed. One line for each fault. */
  | { readonly ok: false; readonly faults: readonly string[] };

interface ReloaderParts {
  readonly runtime: Runtime;
  readonly input: LoadInput;
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
  #server: RunningServer | undefined;
  #watch: ConfigWatch | undefined;
  #running: Promise<ReloadReport> | undefined;
  #next: Promise<ReloadReport> | undefined;
  /** What was read just now, for the game, which takes over its own part. */
  #read: GameConfigReload | undefined;

  constructor(parts: ReloaderParts) {
    this.#parts = parts;
    this.#started = this.#settings = parts.settings;
  }

  /** The server is up; from now on changed files are noticed. */
  async watch(server: RunningServer): Promise<void> {
    this.#server = server;
    const { runtime, input, logger } = this.#parts;
    this.#watch = new ConfigWatch(configPaths(input), {
      ...runtime,
      changed: () => {
        logger.info({}, "the configuration has changed: reading it again");
        void this.reload();
      },
    });
    await this.#watch.reading();
  }

  stop(): void {
    this.#watch?.stop();
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
    await this.#watch?.reading();
    const loaded = await readSettings(runtime, input);
    if (!loaded.ok) return { ok: false, faults: loaded.faults.map(showFault) };
    const { path } = this.#parts;
    if (path !== undefined && loaded.path === undefined) {
      // Without it everything would be as if nobody had ever configured anything.
      const gone = brokenFile(sourceOfFile(path), "it was there at the start, and is gone");
      return { ok: false, faults: [showFault(gone)] };
    }
    const after = this.#parts.complete(loaded.settings);
    const server = this.#server;
    const gateway = await server?.configureGateway(after.gateway);
    if (gateway?.ok === false) {
      return { ok: false, faults: [`Cannot reload the configuration: ${gateway.reason}`] };
    }
    logger.setLevel(after.log.level);
    const changed = changedKeys(this.#settings, after).filter(isTakenOver);
    if (gateway?.hasOtherRules === true) changed.push("routes");
    const needRestart = changedKeys(this.#started, after).filter((path) => !isTakenOver(path));
    this.#settings = after;
    const notices = [...loaded.notices];
    this.#read = { ok: true, game: after.game, notices: [] };
    const game = await server?.game?.reload();
    this.#read = undefined;
    for (const line of game?.lines ?? []) logger.info({ part: "game" }, line);
    return { ok: true, changed, needRestart, routes: after.gateway.routes.length, notices };
  }

  #log(report: ReloadReport): void {
    const { logger } = this.#parts;
    if (!report.ok) {
      for (const fault of report.faults) logger.error({}, fault);
      logger.error({}, "configuration not reloaded: it has faults, nothing was changed");
      return;
    }
    const { changed, needRestart, routes, notices } = report;
    for (const notice of notices) logger.warn({}, notice);
    logger.info({
      changed,
      need_restart: needRestart,
      routes,
      log_level: this.#settings.log.level,
    }, "configuration reloaded");
  }
}
