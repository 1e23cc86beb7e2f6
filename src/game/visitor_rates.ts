import { TokenBucket } from "../base/token_bucket.ts";

/**
 * What makes the rules work without being part of a game: to look on, to hand over to the machine and
 * back. Each is up to four calls of the rules, which have one queue for all rooms: a few dozen players
 * who do nothing else could fill it, and all games would end.
 */
const callsOfRules = { perSecond: 2, burst: 12 } as const;

/** Old passwords that may be tried: as many as wrong ones at logins. Each costs the time of two. */
const passwordChanges = { perSecond: 1 / 6, burst: 10 } as const;

/** How often one player may do what is dear. */
export class VisitorRates {
  readonly chat: TokenBucket;
  readonly callsOfRules: TokenBucket;
  readonly passwordChanges: TokenBucket;

  /** `chat` as configured; `now` in milliseconds of the clock that the buckets get. */
  constructor(chat: { readonly perSecond: number; readonly burst: number }, now: number) {
    this.chat = new TokenBucket({ perSecond: chat.perSecond, burst: chat.burst, now });
    this.callsOfRules = new TokenBucket({ ...callsOfRules, now });
    this.passwordChanges = new TokenBucket({ ...passwordChanges, now });
  }
}
