/** Whose ways are known; the longest unused is forgotten for one more, and found out again. */
const waysMax = 10_000;

/** What an upstream did with messages that have an id. */
export interface UpstreamWay {
  /** It has acknowledged some; or none in the time that it had, and pongs have to do. undefined: not
   * known. */
  confirmedBy: "acks" | "pongs" | undefined;
}

/** What is known of upstreams by their URLs, for as long as the program runs: it outlives a link, so
 * that one that comes back with other rules is not found out about again. */
export class UpstreamWays {
  readonly #ways = new Map<string, UpstreamWay>();

  /** Of one upstream; its links keep it up to date. */
  of(url: string): UpstreamWay {
    const way = this.#ways.get(url) ?? { confirmedBy: undefined };
    this.#ways.delete(url);
    this.#ways.set(url, way);
    for (const oldest of this.#ways.keys()) {
      if (this.#ways.size <= waysMax) break;
      this.#ways.delete(oldest);
    }
    return way;
  }
}
