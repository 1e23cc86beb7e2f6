/** A line at the bottom of the terminal that somebody types commands into. */

export interface LineShellOptions {
  /** May hold colours. */
  readonly prompt: string;
  /** Newest first, at most `historyMax` of them are kept. */
  readonly history: readonly string[];
  readonly historyMax: number;
  /** For Tab: what may stand in place of `replaced`, the end of what is before the cursor. */
  complete(
    beforeCursor: string,
  ): { readonly candidates: readonly string[]; readonly replaced: string };
  /** A line was typed and sent off. */
  line(line: string): void;
  /** Ctrl-C with nothing typed; else it only clears the line. */
  interrupt(): void;
  /** Ctrl-D with nothing typed. The shell goes on. */
  endOfInput(): void;
  /** The terminal is gone; nothing more is reported. */
  gone(): void;
}

export interface LineShell {
  /** Prints whole lines above the one that is typed. What a terminal that stands still does not
   * take in a tenth of a second is lost. */
  print(text: string): void;
  /** Gives the terminal back as it was. Idempotent. */
  close(): void;
}

export interface LineShellPort {
  /**
   * Opens one on standard input and output; while it is open, what this program logs and prints
   * appears above the typed line. undefined when either is no terminal that can move its cursor,
   * or when this program runs in the terminal's background.
   */
  open(options: LineShellOptions): LineShell | undefined;
}
