import { describeCommand } from "../admin/command.ts";
import type { OperatedGame } from "../admin/operated_game.ts";
import { parseAdminCommand } from "../admin/parse_command.ts";
import { reachableAddress, showAddress } from "../base/address.ts";
import type { Logger } from "../ports/log.ts";
import type { Runtime } from "../ports/runtime.ts";
import { type AdminAnswer, done, refusal } from "./admin_answer.ts";
import { AuditLog } from "./admin_audit.ts";
import { newToken, tokenPath, writeDoor } from "./admin_files.ts";
import { addAdminRoutes, adminPath } from "./admin_routes.ts";
import { type AdminShell, openAdminShell } from "./admin_shell.ts";
import { executeAdminCommand } from "./execute_command.ts";
import type { HttpApp } from "./http_routes.ts";

/** How long the answer to `quit` and `crash` has to reach who asked. */
const answerLeavesMs = 100;
/** Over HTTP an answer comes within this time, before the connection is cut as idle. */
const answerMsMax = 20_000;

/** The admin commands of a running server, by terminal and HTTP. */
export interface Admin {
  /** For `httpRoutes`. */
  addRoutes(app: HttpApp): void;
  /** To be called when HTTP listens, or is known not to: writes the token file. Rejects with
   * FileError. */
  publish(http: { readonly host: string; readonly port: number } | undefined): Promise<void>;
  /** Opens the shell where there is a terminal for it. */
  openShell(): Promise<void>;
  /** Closes the shell, removes the token file. Idempotent. */
  stop(): Promise<void>;
}

/** What the admin commands are made of. */
export interface AdminParts {
  readonly runtime: Pick<
    Runtime,
    "files" | "clock" | "random" | "process" | "lineShell"
  >;
  readonly logger: Logger;
  readonly game: OperatedGame;
  /** Where HTTP listens, as configured. */
  readonly httpHost: string;
}

/** Opens the audit log. Rejects with FileError when it cannot be written: nothing is done unseen. */
export async function startAdmin(parts: AdminParts): Promise<Admin> {
  const audit = await AuditLog.open({ ...parts.runtime, logger: parts.logger });
  return new RunningAdmin(parts, audit);
}

class RunningAdmin implements Admin {
  readonly #parts: AdminParts;
  readonly #audit: AuditLog;
  readonly #token: string;
  #isPublished = false;
  #shell: AdminShell | undefined;
  #stopped: Promise<void> | undefined;

  constructor(parts: AdminParts, audit: AuditLog) {
    this.#parts = parts;
    this.#audit = audit;
    this.#token = newToken(parts.runtime.random);
  }

  addRoutes(app: HttpApp): void {
    addAdminRoutes(app, {
      token: this.#token,
      httpHost: this.#parts.httpHost,
      clock: this.#parts.runtime.clock,
      run: (line, from) => this.#runInTime(line, from),
      denied: (from, reason) => this.#audit.write({ way: "http", from, outcome: "denied", reason }),
    });
  }

  async publish(http: { host: string; port: number } | undefined): Promise<void> {
    const { files, process } = this.#parts.runtime;
    this.#isPublished = true;
    await writeDoor(files, {
      url: http && `http://${showAddress(reachableAddress(http.host), http.port)}${adminPath}` ||
        null,
      token: http === undefined ? "" : this.#token,
      pid: process.pid,
    });
  }

  async openShell(): Promise<void> {
    const { runtime, game, logger } = this.#parts;
    this.#shell = await openAdminShell({
      runtime,
      logger,
      game,
      run: (line, tell) => this.#run(line, { way: "terminal" }, tell),
    });
    // The end may have come while the history was read.
    if (this.#stopped !== undefined) await this.#shell?.close();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stopOnce();
    return this.#stopped;
  }

  async #stopOnce(): Promise<void> {
    await this.#shell?.close();
    if (this.#isPublished) await this.#parts.runtime.files.remove(tokenPath);
    await this.#audit.close();
  }

  /** Whatever ends the server now, the terminal is given back before. */
  async #end(call: () => void): Promise<void> {
    await this.#shell?.close();
    call();
  }

  /** Who asks over HTTP hears in time, if only that it goes on; the log then has its end. */
  #runInTime(line: string, from: string): Promise<AdminAnswer> {
    const { clock } = this.#parts.runtime;
    const told: string[] = [];
    return new Promise((resolve) => {
      let isLate = false;
      const cancel = clock.after(answerMsMax, () => {
        isLate = true;
        resolve(done([...told, "Still at work: the server's log will tell how it ends."]));
      });
      const tell = (one: string) => void told.push(one);
      void this.#run(line, { way: "http", from }, tell).then((answer) => {
        cancel();
        resolve({ ...answer, lines: [...told, ...answer.lines] });
        if (!isLate) return;
        for (const one of answer.lines) this.#parts.logger.info({ ok: answer.ok }, one);
      });
    });
  }

  /** `tell` hears of the progress of long work. Never rejects. */
  async #run(
    line: string,
    by: { readonly way: "terminal" | "http"; readonly from?: string },
    tell: (line: string) => void,
  ): Promise<AdminAnswer> {
    const { clock } = this.#parts.runtime;
    const parsed = parseAdminCommand(line);
    if (!parsed.ok) {
      // Not the line itself: it may hold a password that somebody took for an argument.
      this.#audit.write({ ...by, command: parsed.name ?? "?", outcome: "not understood" });
      return refusal(parsed.reason);
    }
    const { command } = parsed;
    const start = clock.monotonic();
    const record = (outcome: "done" | "refused" | "failed") =>
      this.#audit.write({
        ...by,
        command: describeCommand(command),
        outcome,
        ms: Math.round(clock.monotonic() - start),
      });
    try {
      const answer = await executeAdminCommand(command, this.#parts.game, {
        now: () => clock.now(),
        tell,
        afterAnswer: (call) => void clock.after(answerLeavesMs, () => void this.#end(call)),
      });
      record(answer.ok ? "done" : "refused");
      return answer;
    } catch (error) {
      record("failed");
      const message = error instanceof Error ? error.message : String(error);
      this.#parts.logger.error({ command: command.kind, error: message }, "admin command failed");
      return refusal(`${command.kind} failed: an internal error, the log says more.`);
    }
  }
}
