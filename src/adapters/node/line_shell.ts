import { readFileSync } from "node:fs";
import process from "node:process";
import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";
import type { LineShell, LineShellOptions, LineShellPort } from "../../ports/line_shell.ts";
import { boundedOutput } from "./output.ts";
import type { WaitWritable } from "./poll.ts";
import type { PromptLine } from "./prompt_line.ts";
import { isTerminal } from "./terminal.ts";

const STDIN = 0;
const STDOUT = 1;
/** A terminal that stands still must not hold up the server for longer. */
const STDOUT_WAIT_MS_MAX = 100;

/** A shell made of node:readline, which does editing, history and completion. */
export function nodeLineShell(
  parts: { promptLine: PromptLine; waitWritable?: WaitWritable | undefined },
): LineShellPort {
  return {
    open(options) {
      const canEdit = isTerminal(STDIN) && isTerminal(STDOUT) && process.env["TERM"] !== "dumb" &&
        isInForeground();
      return canEdit ? new NodeLineShell(parts, options) : undefined;
    },
  };
}

class NodeLineShell implements LineShell {
  readonly #promptLine: PromptLine;
  readonly #options: LineShellOptions;
  readonly #write: (text: string) => boolean;
  readonly #screen: Writable;
  #history: readonly string[];
  #readline: Interface | undefined;
  #isClosed = false;

  constructor(
    parts: { promptLine: PromptLine; waitWritable?: WaitWritable | undefined },
    options: LineShellOptions,
  ) {
    this.#promptLine = parts.promptLine;
    this.#options = options;
    this.#history = options.history;
    this.#write = boundedOutput(STDOUT, {
      waitMsMax: STDOUT_WAIT_MS_MAX,
      waitWritable: parts.waitWritable,
    });
    this.#screen = screenOf((text) => this.#put(text));
    process.stdin.on("end", this.#lose);
    process.stdin.on("error", this.#lose);
    process.on("SIGCONT", this.#resume);
    process.stdout.on("resize", this.#resize);
    this.#openLine();
  }

  print(text: string): void {
    this.#promptLine.around(() => this.#put(text));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    process.stdin.off("end", this.#lose);
    process.off("SIGCONT", this.#resume);
    process.stdout.off("resize", this.#resize);
    this.#closeLine();
  }

  #openLine(): void {
    const readline = createInterface({
      input: process.stdin,
      output: this.#screen,
      terminal: true,
      prompt: this.#options.prompt,
      history: [...this.#history],
      historySize: this.#options.historyMax,
      removeHistoryDuplicates: true,
      completer: (beforeCursor: string) => {
        const { candidates, replaced } = this.#options.complete(beforeCursor);
        return [[...candidates], replaced];
      },
    });
    this.#readline = readline;
    readline.on("history", (history: string[]) => this.#history = [...history]);
    readline.on("line", (line) => {
      // The prompt comes first, so that whatever the line leads to is printed above it.
      readline.prompt();
      this.#options.line(line);
    });
    readline.on("SIGINT", () => {
      if (readline.line === "") {
        this.#options.interrupt();
        return;
      }
      readline.write(null, { ctrl: true, name: "e" });
      readline.write(null, { ctrl: true, name: "u" });
    });
    readline.on("SIGTSTP", () => {
      this.#closeLine();
      process.kill(process.pid, "SIGTSTP");
    });
    // It passes on what the terminal reports; without a listener that would end the program.
    readline.on("error", this.#lose);
    // Ctrl-D closes it: that is no reason for the server to go without its shell.
    readline.on("close", () => {
      if (this.#isClosed || this.#readline !== readline) return;
      this.#closeLine();
      this.#options.endOfInput();
      this.#openLine();
    });
    this.#promptLine.set({ hide: () => this.#hide(), show: () => readline.prompt(true) });
    readline.prompt();
  }

  #closeLine(): void {
    const readline = this.#readline;
    if (readline === undefined) return;
    this.#hide();
    this.#promptLine.set(undefined);
    this.#readline = undefined;
    readline.close();
  }

  #hide(): void {
    const { rows } = this.#readline?.getCursorPos() ?? { rows: 0 };
    this.#put(`${rows > 0 ? `\x1b[${rows}A` : ""}\r\x1b[J`);
    // Where it thinks its line begins: it would go up there before it draws again.
    if (this.#readline !== undefined) Object.assign(this.#readline, { prevRows: 0 });
  }

  #put(text: string): void {
    try {
      this.#write(text);
    } catch {
      // EIO: the terminal has been closed.
      this.#lose();
    }
  }

  /** Back from Ctrl-Z; only in the foreground may the terminal be read. */
  readonly #resume = () => {
    if (!this.#isClosed && this.#readline === undefined && isInForeground()) this.#openLine();
  };

  readonly #resize = () => void this.#screen.emit("resize");

  readonly #lose = () => {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#promptLine.set(undefined);
    this.#readline?.close();
    this.#readline = undefined;
    this.#options.gone();
  };
}

/** Writes at once, in order with what others print; as wide as the terminal. */
function screenOf(put: (text: string) => void): Writable {
  const screen = new Writable({
    decodeStrings: false,
    write(chunk: string | Uint8Array, _encoding, done) {
      put(typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk));
      done();
    },
  });
  Object.defineProperty(screen, "columns", { get: () => process.stdout.columns });
  return Object.assign(screen, { isTTY: true });
}

/**
 * Whether the terminal listens to this program: one that was started with `&` would be stopped by
 * the system as soon as it reads a key. As Linux tells it; elsewhere it is taken for granted.
 */
function isInForeground(): boolean {
  try {
    const stat = readFileSync("/proc/self/stat", "utf8");
    // The name before it is in parentheses and may hold anything. proc(5).
    const [, , group, , , foregroundGroup] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return group === foregroundGroup;
  } catch {
    // No /proc: not Linux, or not mounted.
    return true;
  }
}
