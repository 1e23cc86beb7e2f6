import { TokenBucket } from "../base/token_bucket.ts";
import type { HostDisconnect } from "./disconnect.ts";

/** Lines about closed connections for one reason: peers must not be able to fill a log. */
const linesBurst = 20;
const linesPerSecond = 2;

/** Decides which closes are worth a line, and counts those that were passed over. Pure. */
export class ReportLimit {
  readonly #reasons = new Map<HostDisconnect, { bucket: TokenBucket; suppressed: number }>();

  /** undefined: no line. Else how many were passed over since the last line for this reason. */
  report(reason: HostDisconnect, now: number): number | undefined {
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
