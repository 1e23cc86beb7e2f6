/** What an operator gets for a command. */
export interface AdminAnswer {
  /** Whether all of it was done. */
  readonly ok: boolean;
  /** For people: nothing in them moves a terminal's cursor. */
  readonly lines: readonly string[];
  /** The same for programs: plain JSON; null where the lines say it all. */
  readonly data: unknown;
}

/** One that says no, in a line. */
export function refusal(reason: string): AdminAnswer {
  return { ok: false, lines: [reason], data: null };
}

/** One that is done, in as many lines. */
export function done(lines: readonly string[], data: unknown = null): AdminAnswer {
  return { ok: true, lines, data };
}
