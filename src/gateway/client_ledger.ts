import type { Clock } from "../ports/clock.ts";
import type { FilesPort } from "../ports/files.ts";
import type { Logger } from "../ports/log.ts";
import type { Random } from "../ports/random.ts";
import { ClientFile } from "./client_file.ts";
import type { ClientRecord } from "./client_records.ts";

/** Ids without and ids with a resume token that are remembered, each; 200,000 of the first kind take
 * 20 MB, of the second 45 MB. */
export const rememberedClientsMax = 200_000;

/** Tokens outlive what is kept for their ids: an id that is free again has nothing left to take. */
const tokenSecondsMin = 30 * 86_400;

/** A client that comes and goes is written down once in this time. */
const recordSecondsMin = 60;

const tokenBytes = 32;

interface Owned {
  /** SHA-256 of the token, a character a byte. */
  readonly hash: string;
  seen: number;
}

export interface ClientLedgerOptions {
  /** "": in memory only. */
  readonly path: string;
  /** How long an id is remembered after it was last seen. One with a token: 30 days, or at least
   * this long where there are too many. */
  readonly ttlSeconds: number;
  readonly files: FilesPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  sha256(bytes: Uint8Array): Uint8Array;
  readonly clientsMax?: number;
}

/**
 * The client ids that were seen not long ago, and the resume tokens that some of them need. Kept in
 * a file beside the buffer, so that both survive a restart. Of tokens only the hash is kept.
 */
export class ClientLedger {
  /** The ids that are connected now, of which the ledger keeps no copy; the door sets it. */
  connected: () => Iterable<string> = () => [];
  readonly #options: ClientLedgerOptions;
  #ttlSeconds: number;
  readonly #clientsMax: number;
  /** When absent ids without a token were last seen, in seconds of the monotonic clock; oldest
   * first. */
  readonly #open = new Map<string, number>();
  readonly #owned = new Map<string, Owned>();
  readonly #file: ClientFile;

  constructor(options: ClientLedgerOptions) {
    this.#options = options;
    this.#ttlSeconds = options.ttlSeconds;
    this.#clientsMax = options.clientsMax ?? rememberedClientsMax;
    this.#file = new ClientFile({
      ...options,
      source: {
        size: () => this.size,
        ids: () => this.#ids(),
        recordOf: (id) => this.#recordOf(id),
      },
    });
  }

  /** Another time for which ids are remembered, also for those that are. */
  configure({ ttlSeconds }: { ttlSeconds: number }): void {
    this.#ttlSeconds = ttlSeconds;
  }

  get size(): number {
    return this.#open.size + this.#owned.size;
  }

  /** Why nothing can be written now; undefined while all is well. */
  get trouble(): string | undefined {
    return this.#file.trouble;
  }

  /** Reads the file. Rejects with FileError when it is there and cannot be read. A damaged file
   * gives what is sound in it; one of another format is put aside as `<path>.old`. */
  async open(): Promise<void> {
    const wall = this.#wallSeconds();
    const now = this.#seconds();
    await this.#file.read(({ id, seenSeconds, tokenHash }) => {
      const hash = tokenHash && charactersOf(tokenHash);
      this.#restore(id, now - Math.max(0, wall - seenSeconds), hash);
    });
  }

  /** Whether this token lets somebody use an id: `free` when the id needs none. */
  check(id: string, token: string): "free" | "owner" | "stranger" {
    const owned = this.#owned.get(id);
    if (owned === undefined || this.#isOver(owned.seen, this.#tokenSeconds)) return "free";
    const hash = this.#hash(token);
    let difference = 0;
    for (let i = 0; i < hash.length; i++) {
      difference |= hash.charCodeAt(i) ^ owned.hash.charCodeAt(i);
    }
    return difference === 0 ? "owner" : "stranger";
  }

  /** Gives an id a token that it needs from now on; undefined when as many as can be have one. */
  newToken(id: string): string | undefined {
    if (!this.#owned.has(id) && !this.#hasTokenToGive()) return undefined;
    const bytes = this.#options.random.bytes(tokenBytes);
    const token = bytes.toBase64({ alphabet: "base64url", omitPadding: true });
    this.#open.delete(id);
    this.#owned.delete(id);
    this.#owned.set(id, { hash: this.#hash(token), seen: this.#seconds() });
    this.#file.changedNow(id);
    return token;
  }

  /** An id is connected now. Written down unless it was seen within the last minute; `again` is for
   * one that stays. */
  arrived(id: string, { again = false } = {}): void {
    const now = this.#seconds();
    const owned = this.#owned.get(id);
    const before = owned?.seen ?? this.#open.get(id);
    this.#open.delete(id);
    if (owned !== undefined) this.#keepOwned(id, owned, now);
    if (again || before === undefined || now - before >= recordSecondsMin) this.#file.changed(id);
  }

  /** An id was connected until now. */
  departed(id: string): void {
    const now = this.#seconds();
    const owned = this.#owned.get(id);
    if (owned === undefined) {
      this.#open.delete(id);
      this.#open.set(id, now);
      this.#makeRoom();
    } else {
      this.#keepOwned(id, owned, now);
    }
    this.#file.changed(id);
  }

  /** Seconds since an absent id was last seen; undefined when that is longer ago than the TTL, or
   * never was. */
  lastSeen(id: string): number | undefined {
    const seen = this.#owned.get(id)?.seen ?? this.#open.get(id);
    return seen === undefined || this.#isOver(seen) ? undefined : this.#seconds() - seen;
  }

  /** Resolves when all changes so far are written, or could not be. */
  flush(): Promise<void> {
    return this.#file.flush();
  }

  /** `flush`, then closes the file. */
  close(): Promise<void> {
    return this.#file.close();
  }

  #restore(id: string, seen: number, hash: string | undefined): void {
    const known = this.#owned.get(id);
    this.#owned.delete(id);
    this.#open.delete(id);
    if (this.#isOver(seen, hash === undefined ? this.#ttlSeconds : this.#tokenSeconds)) {
      return;
    }
    // A token once given out is in each later record of its id: one without it is damage.
    const kept = hash ?? known?.hash;
    if (kept === undefined) this.#open.set(id, seen);
    else if (this.#owned.size < this.#clientsMax) this.#owned.set(id, { hash: kept, seen });
    this.#makeRoom();
  }

  #keepOwned(id: string, owned: Owned, now: number): void {
    owned.seen = now;
    this.#owned.delete(id);
    this.#owned.set(id, owned);
  }

  #makeRoom(): void {
    for (const [id, seen] of this.#open) {
      if (!this.#isOver(seen) && this.#open.size <= this.#clientsMax) return;
      this.#open.delete(id);
    }
  }

  #hasTokenToGive(): boolean {
    for (const [id, { seen }] of this.#owned) {
      const isFull = this.#owned.size >= this.#clientsMax;
      if (!this.#isOver(seen, isFull ? this.#ttlSeconds : this.#tokenSeconds)) break;
      this.#owned.delete(id);
    }
    return this.#owned.size < this.#clientsMax;
  }

  #recordOf(id: string): ClientRecord {
    const owned = this.#owned.get(id);
    // Who is neither here with a time nor has a token is connected, or was forgotten just now.
    const now = this.#seconds();
    const seen = owned?.seen ?? this.#open.get(id) ?? now;
    return {
      id,
      seenSeconds: Math.max(0, Math.floor(this.#wallSeconds() - (now - seen))),
      tokenHash: owned && Uint8Array.from(owned.hash, (character) => character.charCodeAt(0)),
    };
  }

  *#ids(): Iterable<string> {
    yield* this.#open.keys();
    yield* this.#owned.keys();
    yield* [...this.connected()];
  }

  #hash(token: string): string {
    return charactersOf(this.#options.sha256(new TextEncoder().encode(token)));
  }

  #isOver(seen: number, seconds: number = this.#ttlSeconds): boolean {
    return this.#seconds() - seen > seconds;
  }

  get #tokenSeconds(): number {
    return Math.max(this.#ttlSeconds, tokenSecondsMin);
  }

  /** Ages are told by the clock that does not jump; the file needs the other one. */
  #seconds(): number {
    return Math.floor(this.#options.clock.monotonic() / 1_000);
  }

  #wallSeconds(): number {
    return Math.floor(this.#options.clock.now() / 1_000);
  }
}

function charactersOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
