/** Cases that fail because of a runtime, not because of this program. */
export interface KnownDeviation {
  /** As in the report. */
  readonly subject: string;
  /** Ids of cases. */
  readonly cases: readonly string[];
  /** Whose doing it is, and why it is left so. */
  readonly reason: string;
}

/**
 * A case that is listed must fail: one that passes fails the test, so that the list stays true. Those
 * that cannot run, because what they need is switched off, may stand here.
 */
export const knownDeviations: readonly KnownDeviation[] = ["deno server", "deno gateway"].map(
  (subject) => ({
    subject,
    cases: ["limits.text-pieces-of-64", "limits.binary-pieces-of-64"],
    reason:
      "ws takes at most 16,384 pieces of one message, and these have 65,536. RFC 6455 §10.4 " +
      "wants such a limit; the adapter closes with 1008, as after any flood.",
  }),
);

/** The reason for each listed case of a subject. */
export function deviationsOf(subject: string): ReadonlyMap<string, string> {
  return new Map(
    knownDeviations
      .filter((one) => one.subject === subject)
      .flatMap(({ cases, reason }) => cases.map((id) => [id, reason] as const)),
  );
}
