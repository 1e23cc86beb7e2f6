import type { Clock } from "../ports/clock.ts";
import { type AppendFile, FileError, type FilesPort } from "../ports/files.ts";
import type { Logger } from "../ports/log.ts";
import type { Random } from "../ports/random.ts";
import { ClientRecordWriter, readClientRecords } from "./client_records.ts";

/** Ids without and ids with a resume token that are remembered, each; 200,000 of the first kind take
 * 20 MB, of the second 45 MB. */
export const rememberedClientsMax = 200_000;

/** Tokens outlive what is kept for their ids: an id that is free again has nothing left to take. */
const tokenSecondsMin = 30 * 86_400;

/** A client that comes and goes is written down once in this time. */
const recordSecondsMin = 60;

/** Changes are written together: a crash forgets at most this much. */
const writeEveryMs = 1_000;

/** How long a write that failed waits for the next try; twice as long each time. */
const retryMsMin = 1_000;
const retryMsMax = 60_000;

/** Records that are put together within one turn of the event loop: some 2 ms. */
const recordsATurn = 2_000;

/** A file is written anew when more than half of it is outdated; small ones are not worth it. */
const staleRecordsMin = 1_000;

/** What a full ledger of the longest ids takes, and as much again that is outdated. */
const fileBytesMax = 2 * 2 * rememberedClientsMax * 301;

const fileMode = 0o600;
const directoryMode = 0o700;

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
  readonly #clientsMax: number;
  /** When absent ids without a token were last seen, in seconds of the monotonic clock; oldest
   * first. */
  readonly #open = new Map<string, number>();
  readonly #owned = new Map<string, Owned>();
  /** Ids that changed since they were last written. */
  #unwritten = new Set<string>();
  #file: AppendFile | undefined;
  #recordsInFile = 0;
  /** How many there were when the file was last written anew. */
  #recordsRewritten = 0;
  #writing: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  #trouble: string | undefined;
  #retryMs = retryMsMin;
  #isClosed = false;

  constructor(options: ClientLedgerOptions) {
    this.#options = options;
    this.#clientsMax = options.clientsMax ?? rememberedClientsMax;
  }

  get size(): number {
    return this.#open.size + this.#owned.size;
  }

  /** Why nothing can be written now; undefined while all is well. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Reads the file. Rejects with FileError when it is there and cannot be read. A damaged file
   * gives what is sound in it; one of another format is put aside as `<path>.old`. */
  async open(): Promise<void> {
    const { path, files, logger } = this.#options;
    if (path === "") return;
    await files.makeDirectory(directoryOf(path), { mode: directoryMode });
    const bytes = await this.#read();
    if (bytes === undefined) return;
    const wall = this.#wallSeconds();
    const now = this.#seconds();
    const found = readClientRecords(bytes, ({ id, seenSeconds, tokenHash }) => {
      const hash = tokenHash && charactersOf(tokenHash);
      this.#restore(id, now - Math.max(0, wall - seenSeconds), hash);
    });
    if (found === undefined) {
      await files.rename(path, `${path}.old`);
      logger.warn(
        { path, moved_to: `${path}.old` },
        "this is no file of clients: it was put aside",
      );
    } else if (found.badBytes > 0) {
      logger.warn(
        { path, bytes: found.badBytes },
        "damaged bytes in the file of clients are skipped",
      );
    }
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
    const token = base64Url(this.#options.random.bytes(tokenBytes));
    this.#open.delete(id);
    this.#owned.delete(id);
    this.#owned.set(id, { hash: this.#hash(token), seen: this.#seconds() });
    this.#changed(id);
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
    if (again || before === undefined || now - before >= recordSecondsMin) this.#changed(id);
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
    this.#changed(id);
  }

  /** Seconds since an absent id was last seen; undefined when that is longer ago than the TTL, or
   * never was. */
  lastSeen(id: string): number | undefined {
    const seen = this.#owned.get(id)?.seen ?? this.#open.get(id);
    return seen === undefined || this.#isOver(seen) ? undefined : this.#seconds() - seen;
  }

  /** Resolves when all changes so far are written, or could not be. */
  async flush(): Promise<void> {
    await this.#writing;
    await this.#write();
  }

  /** `flush`, then closes the file. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer?.();
    await this.flush();
    await this.#closeFile();
  }

  #restore(id: string, seen: number, hash: string | undefined): void {
    this.#recordsInFile++;
    const known = this.#owned.get(id);
    this.#owned.delete(id);
    this.#open.delete(id);
    if (this.#isOver(seen, hash === undefined ? this.#options.ttlSeconds : this.#tokenSeconds)) {
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
      if (!this.#isOver(seen, isFull ? this.#options.ttlSeconds : this.#tokenSeconds)) break;
      this.#owned.delete(id);
    }
    return this.#owned.size < this.#clientsMax;
  }

  #changed(id: string): void {
    if (this.#options.path === "") return;
    this.#unwritten.add(id);
    if (this.#writing === undefined) this.#writeIn(writeEveryMs);
  }

  #writeIn(ms: number): void {
    if (this.#cancelTimer !== undefined || this.#isClosed) return;
    this.#cancelTimer = this.#options.clock.after(ms, () => {
      this.#cancelTimer = undefined;
      void this.#write();
    });
  }

  /** Writes what there is. One at a time; never rejects. */
  #write(): Promise<void> {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
      if (this.#unwritten.size > 0) {
        this.#writeIn(this.#trouble === undefined ? writeEveryMs : this.#retryMs);
      }
    });
    return this.#writing;
  }

  async #writeAll(): Promise<void> {
    const { logger, path } = this.#options;
    try {
      while (this.#unwritten.size > 0) {
        const isStale =
          this.#recordsInFile > staleRecordsMin + 2 * Math.max(this.size, this.#recordsRewritten);
        if (this.#file === undefined || isStale) await this.#rewrite();
        else await this.#append(this.#file);
      }
      if (this.#trouble !== undefined) logger.info({ path }, "clients are written down again");
      this.#trouble = undefined;
      this.#retryMs = retryMsMin;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (this.#trouble === undefined) {
        logger.warn({ path, error: message }, "cannot write down which clients were here");
      }
      this.#retryMs = this.#trouble === undefined
        ? retryMsMin
        : Math.min(retryMsMax, this.#retryMs * 2);
      this.#trouble = message;
      // Nobody knows what of it is in the file.
      await this.#closeFile();
    }
  }

  async #append(file: AppendFile): Promise<void> {
    const writer = new ClientRecordWriter();
    const ids: string[] = [];
    for (const id of this.#unwritten) {
      if (ids.length >= recordsATurn) break;
      ids.push(id);
      this.#record(writer, id);
    }
    // A set keeps the room that it once needed.
    if (ids.length === this.#unwritten.size) this.#unwritten = new Set();
    else for (const id of ids) this.#unwritten.delete(id);
    try {
      await file.append(writer.take());
      await file.dataSync();
      this.#recordsInFile += ids.length;
    } catch (error) {
      for (const id of ids) this.#unwritten.add(id);
      throw error;
    }
  }

  /** Writes all that is known into a new file. */
  async #rewrite(): Promise<void> {
    const { files, path, clock } = this.#options;
    await this.#closeFile();
    const unwritten = this.#unwritten;
    this.#unwritten = new Set();
    const writer = new ClientRecordWriter();
    writer.head();
    let records = 0;
    try {
      for (const ids of [this.#open.keys(), this.#owned.keys(), [...this.connected()]]) {
        for (const id of ids) {
          this.#record(writer, id);
          if (++records % recordsATurn === 0) {
            await new Promise<void>((resolve) => clock.after(0, resolve));
          }
        }
      }
      await files.replace(path, writer.take(), { mode: fileMode });
      this.#file = await files.openAppend(path, { mode: fileMode });
      this.#recordsInFile = records;
      this.#recordsRewritten = records;
    } catch (error) {
      for (const id of unwritten) this.#unwritten.add(id);
      throw error;
    }
  }

  #record(writer: ClientRecordWriter, id: string): void {
    const owned = this.#owned.get(id);
    // Who is neither here with a time nor has a token is connected, or was forgotten just now.
    const now = this.#seconds();
    const seen = owned?.seen ?? this.#open.get(id) ?? now;
    writer.add({
      id,
      seenSeconds: Math.max(0, Math.floor(this.#wallSeconds() - (now - seen))),
      tokenHash: owned && Uint8Array.from(owned.hash, (character) => character.charCodeAt(0)),
    });
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    try {
      await file?.close();
    } catch {
      // What was synced is safe, and the rest is written again into a new file.
    }
  }

  async #read(): Promise<Uint8Array | undefined> {
    try {
      return await this.#options.files.read(this.#options.path, { bytesMax: fileBytesMax });
    } catch (error) {
      if (error instanceof FileError && error.code === "ENOENT") return undefined;
      throw error;
    }
  }

  #hash(token: string): string {
    return charactersOf(this.#options.sha256(new TextEncoder().encode(token)));
  }

  #isOver(seen: number, seconds: number = this.#options.ttlSeconds): boolean {
    return this.#seconds() - seen > seconds;
  }

  get #tokenSeconds(): number {
    return Math.max(this.#options.ttlSeconds, tokenSecondsMin);
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

function base64Url(bytes: Uint8Array): string {
  const text = btoa(charactersOf(bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function directoryOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : path.slice(0, Math.max(1, slash));
}
