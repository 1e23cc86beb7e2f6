import { TokenBucket } from "./token_bucket.ts";

/** Lines about one reason: peers must not be able to fill a log. */
const linesBurst = 20;
const linesPerSecond = 2;

/**
 * Decides which of many events of the same kind are worth a line in the log, and counts those that
 * were passed over. Pure; reasons come from a closed list, so there are few.
 */
export class ReportLimit<Reason extends string = string> {
  readonly #reasons = new Map<Reason, { bucket: TokenBucket; suppressed: number }>();

  /** undefined: no line. Else how many were passed over since the last line for this reason. */
  report(reason: Reason, now: number): number | undefined {
    let known = this.#reasons.get(reason);
    if (known === undefined) {
      const bucket = new TokenBucket({ perSecond: linesPerSecond, burst: linesBurst, now });
      known = { bucket, suppressed: 0 };
      this.#reasons.set(reason, known);
    }
    if (!known.bucket.take(now)) {
      known.suppressed++;
      return undefined;
    }
    const { suppressed } = known;
    known.suppressed = 0;
    return suppressed;
  }
}
