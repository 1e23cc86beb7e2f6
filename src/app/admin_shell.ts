import { completeLine, type CompletionNames } from "../admin/completion.ts";
import { isHarmless } from "../admin/command.ts";
import type { OperatedGame } from "../admin/operated_game.ts";
import { parseAdminCommand } from "../admin/parse_command.ts";
import type { FilesPort } from "../ports/files.ts";
import type { LineShell } from "../ports/line_shell.ts";
import type { Logger } from "../ports/log.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { AdminAnswer } from "./admin_answer.ts";
import { historyPath } from "./admin_files.ts";

/** Lines that are remembered. */
const historyLinesMax = 500;
/** As many of the longest lines. */
const historyBytesMax = 8_388_608;
/** Lines that wait while one is carried out: a pasted screenful. */
const waitingLinesMax = 100;

/** The shell on the terminal that the server was started from. */
export interface AdminShell {
  /** Gives the terminal back. Idempotent. */
  close(): Promise<void>;
}

/** What the shell works with. `run` never rejects. */
export interface AdminShellParts {
  readonly runtime: Pick<Runtime, "files" | "process" | "lineShell">;
  readonly logger: Logger;
  readonly game: OperatedGame;
  run(line: string, tell: (line: string) => void): Promise<AdminAnswer>;
}

/** undefined where there is no terminal to type at. */
export async function openAdminShell(parts: AdminShellParts): Promise<AdminShell | undefined> {
  const { isTerminal } = parts.runtime.process;
  if (!isTerminal.stdin || !isTerminal.stdout) return undefined;
  const shell = new TerminalShell(parts, await readHistory(parts.runtime.files));
  return shell.open() ? shell : undefined;
}

class TerminalShell implements AdminShell {
  readonly #parts: AdminShellParts;
  readonly #hasColors: boolean;
  readonly #waiting: string[] = [];
  /** Newest first. */
  #history: string[];
  #saving: Promise<void> | undefined;
  #mustSave = false;
  #packages: readonly string[] = [];
  #shell: LineShell | undefined;
  #isRunning = false;

  constructor(parts: AdminShellParts, history: string[]) {
    this.#parts = parts;
    this.#history = history;
    this.#hasColors = (parts.runtime.process.env.NO_COLOR ?? "") === "";
  }

  open(): boolean {
    const { process, lineShell } = this.#parts.runtime;
    this.#shell = lineShell.open({
      prompt: `${this.#paint(36, "freekill-gw>")} `,
      history: this.#history,
      historyMax: historyLinesMax,
      complete: (line) => completeLine(line, line.length, () => this.#names()),
      line: (line) => this.#take(line),
      // As if it had come by the system: the first stops in order, the second at once.
      interrupt: () => void process.kill(process.pid, "SIGINT"),
      endOfInput: () =>
        this.#shell?.print("quit or Ctrl-C stops the server, help lists commands\n"),
      gone: () => this.#shell = undefined,
    });
    void this.#learnPackages();
    return this.#shell !== undefined;
  }

  async close(): Promise<void> {
    this.#waiting.length = 0;
    this.#shell?.close();
    this.#shell = undefined;
    await this.#saving;
  }

  #take(line: string): void {
    if (line.trim() === "") return;
    if (this.#waiting.length >= waitingLinesMax) {
      this.#print([`Left out: ${waitingLinesMax} commands wait already.`], 31);
      return;
    }
    this.#remember(line);
    this.#waiting.push(line);
    if (!this.#isRunning) void this.#runWaiting();
  }

  async #runWaiting(): Promise<void> {
    this.#isRunning = true;
    for (let line = this.#waiting.shift(); line !== undefined; line = this.#waiting.shift()) {
      const answer = await this.#parts.run(line, (told) => this.#print([told]));
      this.#print(answer.lines, answer.ok ? undefined : 31);
      await this.#learnPackages();
    }
    this.#isRunning = false;
  }

  #print(lines: readonly string[], color?: number): void {
    const shown = lines.map((line) => color === undefined ? line : this.#paint(color, line));
    this.#shell?.print(shown.map((line) => `${line}\n`).join(""));
  }

  #paint(color: number, text: string): string {
    return this.#hasColors ? `\x1b[${color}m${text}\x1b[0m` : text;
  }

  #names(): CompletionNames {
    const { game } = this.#parts;
    return {
      players: game.players().map(({ name }) => name),
      roomIds: game.rooms().map(({ id }) => id),
      packages: this.#packages,
    };
  }

  async #learnPackages(): Promise<void> {
    const outcome = await this.#parts.game.packages();
    if (outcome.ok) this.#packages = outcome.packages.map(({ name }) => name);
  }

  /** Only what was understood and holds no secret is kept on the disk. */
  #remember(line: string): void {
    const parsed = parseAdminCommand(line);
    if (!parsed.ok || !isHarmless(parsed.command) || /\p{Cc}/u.test(line)) return;
    const others = this.#history.filter((one) => one !== line);
    this.#history = [line, ...others].slice(0, historyLinesMax);
    this.#mustSave = true;
    this.#saving ??= this.#save().finally(() => this.#saving = undefined);
  }

  async #save(): Promise<void> {
    while (this.#mustSave) {
      this.#mustSave = false;
      const text = [...this.#history].reverse().map((line) => `${line}\n`).join("");
      try {
        const bytes = new TextEncoder().encode(text);
        await this.#parts.runtime.files.replace(historyPath, bytes, { mode: 0o600 });
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        this.#parts.logger.warn({ error: message }, "history of the shell not kept");
      }
    }
  }
}

/** Newest first; none when there is no file of ours. */
async function readHistory(files: FilesPort): Promise<string[]> {
  try {
    const bytes = await files.read(historyPath, { bytesMax: historyBytesMax });
    const lines = new TextDecoder().decode(bytes).split("\n");
    return lines.filter((line) => line !== "" && !/\p{Cc}/u.test(line))
      .slice(-historyLinesMax).reverse();
  } catch {
    // The first start, or a file that cannot be read: the shell works without.
    return [];
  }
}
