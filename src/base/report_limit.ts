import { TokenBucket } from "./token_bucket.ts";

/** Lines about one reason: peers must not be able to fill a log. */
const lines = { perSecond: 2, burst: 20 } as const;

/**
 * Decides which of many events of the same kind are worth a line in the log, and counts those that
 * were passed over. Pure; reasons come from a closed list, so there are few.
 */
export class ReportLimit<Reason extends string = string> {
  readonly #rate: { readonly perSecond: number; readonly burst: number };
  readonly #reasons = new Map<Reason, { bucket: TokenBucket; suppressed: number }>();

  /** 2 lines a second and 20 at once of each reason, unless another `rate` is given. */
  constructor(rate: { readonly perSecond: number; readonly burst: number } = lines) {
    this.#rate = rate;
  }

  /** undefined: no line. Else how many were passed over since the last line for this reason. */
  report(reason: Reason, now: number): number | undefined {
    let known = this.#reasons.get(reason);
    if (known === undefined) {
      const bucket = new TokenBucket({ ...this.#rate, now });
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
