/** Addresses that are counted one by one; 65,536 take some 8 MiB. */
export const limitedAddressesMax = 65_536;

/** Entries that are looked at for one that can go, when one more is to be made. */
const lookedAtMax = 4;

interface Bucket {
  tokens: number;
  at: number;
}

/**
 * A token bucket for each client address. The table is bounded: an entry whose bucket is full again
 * says nothing, and makes room. When so many addresses come at once that none is, further new ones
 * share one bucket, so that an attacker with many addresses neither uses up the memory nor pushes
 * out those that are counted already.
 */
export class AddressLimit {
  #perSecond: number;
  #burst: number;
  readonly #addressesMax: number;
  /** Those that came last are last. */
  readonly #buckets = new Map<string, Bucket>();
  readonly #shared: Bucket;

  constructor(
    rate: { readonly perSecond: number; readonly burst: number },
    addressesMax: number = limitedAddressesMax,
  ) {
    this.#perSecond = rate.perSecond;
    this.#burst = Math.max(1, rate.burst);
    this.#addressesMax = addressesMax;
    this.#shared = { tokens: this.#burst, at: -Infinity };
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** From now on another rate; what is left for an address stays, as far as the new burst allows. */
  configure(rate: { readonly perSecond: number; readonly burst: number }): void {
    this.#perSecond = rate.perSecond;
    this.#burst = Math.max(1, rate.burst);
  }

  /** 0 when one more request of this address may come at `now` (milliseconds, monotonic); else the
   * whole seconds after which it may. */
  take(key: string, now: number): number {
    const bucket = this.#bucketOf(key, now);
    this.#fill(bucket, now);
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return 0;
    }
    return Math.max(1, Math.ceil((1 - bucket.tokens) / this.#perSecond));
  }

  /** What is left for an address, on average; the burst when none is counted. */
  averageTokens(now: number): number {
    if (this.#buckets.size === 0) return this.#burst;
    let sum = 0;
    for (const bucket of this.#buckets.values()) sum += this.#tokens(bucket, now);
    return sum / this.#buckets.size;
  }

  #bucketOf(key: string, now: number): Bucket {
    const known = this.#buckets.get(key);
    this.#buckets.delete(key);
    this.#makeRoom(now);
    if (this.#buckets.size >= this.#addressesMax) return this.#shared;
    const bucket = known ?? { tokens: this.#burst, at: now };
    this.#buckets.set(key, bucket);
    return bucket;
  }

  /** Those that came long ago are the ones that are full again. */
  #makeRoom(now: number): void {
    let lookedAt = 0;
    for (const [key, bucket] of this.#buckets) {
      if (this.#tokens(bucket, now) < this.#burst || lookedAt++ >= lookedAtMax) return;
      this.#buckets.delete(key);
    }
  }

  #fill(bucket: Bucket, now: number): void {
    bucket.tokens = this.#tokens(bucket, now);
    bucket.at = now;
  }

  #tokens(bucket: Bucket, now: number): number {
    const seconds = Math.max(0, now - bucket.at) / 1000;
    return Math.min(this.#burst, bucket.tokens + seconds * this.#perSecond);
  }
}
