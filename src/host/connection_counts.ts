import { isLoopback } from "../base/address.ts";

/** How many connections there are, and how many each other machine holds. Pure. */
export class ConnectionCounts {
  readonly #most: number;
  readonly #mostPerHost: number;
  readonly #perHost = new Map<string, number>();
  #all = 0;

  /** `mostPerHost` 0: as many as there may be. This machine itself is not limited by it. */
  constructor(limits: { most: number; mostPerHost: number }) {
    this.#most = limits.most;
    this.#mostPerHost = limits.mostPerHost;
  }

  /** Counts one more; whether it is over a limit. Counted it is in any case, until `remove`. */
  add(host: string): boolean {
    const fromHost = (this.#perHost.get(host) ?? 0) + 1;
    this.#perHost.set(host, fromHost);
    this.#all++;
    if (this.#all > this.#most) return true;
    return this.#mostPerHost > 0 && fromHost > this.#mostPerHost && !isLoopback(host);
  }

  remove(host: string): void {
    const left = (this.#perHost.get(host) ?? 1) - 1;
    if (left === 0) this.#perHost.delete(host);
    else this.#perHost.set(host, left);
    this.#all--;
  }
}
