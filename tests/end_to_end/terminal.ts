import { cleanEnvironment } from "../program_environment.ts";

/** Far above what any of this takes: only a hang comes near. */
const waitMsMax = 20_000;

/** A program at a terminal of 100 columns, and what its screen shows. */
export class Terminal {
  readonly #child: Bun.Subprocess;
  readonly #decoder = new TextDecoder();
  readonly #screen = new Screen();
  #look = () => {};

  constructor(
    command: readonly string[],
    options: { cwd?: string; env?: Record<string, string> } = {},
  ) {
    this.#child = Bun.spawn([...command], {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...cleanEnvironment(), NO_COLOR: "", TERM: "xterm-256color", ...options.env },
      terminal: {
        cols: 100,
        rows: 50,
        data: (_terminal, bytes) => {
          this.#screen.write(this.#decoder.decode(bytes, { stream: true }));
          this.#look();
        },
      },
    });
  }

  get exited(): Promise<number> {
    return this.#child.exited;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** All lines so far, as they are shown, with the cursor's as the last. */
  text(): string {
    return this.#screen.text();
  }

  /** `\r` is the Enter key, `\t` Tab, `\x03` Ctrl-C. */
  type(keys: string): void {
    this.#child.terminal?.write(keys);
  }

  /** Resolves when the screen ends with the text, or matches. */
  shows(expected: string | RegExp): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${expected} does not come, but:\n${this.text()}`)),
        waitMsMax,
      );
      this.#look = () => {
        const text = this.text();
        const fits = typeof expected === "string" ? text.endsWith(expected) : expected.test(text);
        if (!fits) return;
        clearTimeout(timer);
        resolve();
      };
      this.#look();
    });
  }

  /** As when its window is closed. */
  hangUp(): void {
    this.#child.terminal?.close();
  }

  async close(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
    this.#child.terminal?.close();
  }
}

/** As much of a terminal as line editing uses: moving in the line and up, and clearing. */
class Screen {
  readonly #lines: string[][] = [[]];
  #row = 0;
  #column = 0;
  #rest = "";

  text(): string {
    return this.#lines.map((line) => line.filter((cell) => cell !== wideTail).join("")).join("\n");
  }

  write(text: string): void {
    const all = this.#rest + text;
    // deno-lint-ignore no-control-regex
    const cut = /\x1b(\[[\d;?]*)?$/.exec(all)?.index ?? all.length;
    this.#rest = all.slice(cut);
    // deno-lint-ignore no-control-regex
    for (const [token] of all.slice(0, cut).matchAll(/\x1b\[([\d;?]*)([A-Za-z])|[^]/gu)) {
      this.#take(token);
    }
  }

  #take(token: string): void {
    if (token === "\r") this.#column = 0;
    else if (token === "\n") this.#down();
    else if (token.startsWith("\x1b[")) this.#control(token.at(-1)!, parseInt(token.slice(2), 10));
    else if (token >= " " && token !== "\x7f") this.#put(token);
  }

  #control(final: string, count: number): void {
    const line = this.#lines[this.#row]!;
    if (final === "G") this.#column = (count || 1) - 1;
    if (final === "A") this.#row = Math.max(0, this.#row - (count || 1));
    if (final === "C") this.#column += count || 1;
    if (final === "D") this.#column = Math.max(0, this.#column - (count || 1));
    if (final === "K" || final === "J") line.length = Math.min(line.length, this.#column);
    if (final === "J") this.#lines.length = this.#row + 1;
  }

  #put(char: string): void {
    const line = this.#lines[this.#row]!;
    while (line.length < this.#column) line.push(" ");
    line[this.#column++] = char;
    if (Bun.stringWidth(char) === 2) line[this.#column++] = wideTail;
  }

  #down(): void {
    this.#row++;
    if (this.#row === this.#lines.length) this.#lines.push([]);
  }
}

/** The second cell of a wide character. */
const wideTail = "\0";
