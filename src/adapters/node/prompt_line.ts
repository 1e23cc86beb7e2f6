/** Something at the bottom of the terminal that printing must not run into. */
export interface TypedLine {
  hide(): void;
  show(): void;
}

/** Where those who print find the line that somebody may be typing. */
export interface PromptLine {
  /** Takes the line out of the way while `write` prints whole lines. */
  around<T>(write: () => T): T;
  /** undefined when nobody types any more. */
  set(line: TypedLine | undefined): void;
}

/** One for each process: its terminal is one too. */
export function promptLine(): PromptLine {
  let line: TypedLine | undefined;
  let isAway = false;
  return {
    around(write) {
      if (line === undefined || isAway) return write();
      isAway = true;
      line.hide();
      try {
        return write();
      } finally {
        isAway = false;
        // Whatever was printed may have closed it.
        line?.show();
      }
    },
    set(next) {
      line = next;
    },
  };
}
