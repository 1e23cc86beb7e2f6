import type { Clock } from "../ports/clock.ts";
import { type AppendFile, FileError, type FilesPort } from "../ports/files.ts";
import type { Logger } from "../ports/log.ts";
import { type ClientRecord, ClientRecordWriter, readClientRecords } from "./client_records.ts";

/** Changes are written together: a crash forgets at most this much. */
const writeEveryMs = 1_000;

/** How long a write that failed waits for the next try; twice as long each time. */
const retryMsMin = 1_000;
const retryMsMax = 60_000;

/** Records that are put together within one turn of the event loop: some 2 ms. */
const recordsATurn = 2_000;

/** A file is written anew when more than half of it is outdated; small ones are not worth it. */
const staleRecordsMin = 1_000;

/** Far more than a full ledger of the longest ids takes, with as much again that is outdated. */
const fileBytesMax = 512 << 20;

const fileMode = 0o600;
const directoryMode = 0o700;

/** Who knows what is to stand in the file. */
export interface ClientRecordSource {
  /** How many ids are remembered. */
  size(): number;
  ids(): Iterable<string>;
  recordOf(id: string): ClientRecord;
}

export interface ClientFileOptions {
  /** "": nothing is ever written. */
  readonly path: string;
  readonly files: FilesPort;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly source: ClientRecordSource;
}

/**
 * The file of a ledger: what changed is appended in batches, off the path of whoever changed it, and
 * the whole is written anew when most of it is outdated or a write has failed.
 */
export class ClientFile {
  readonly #options: ClientFileOptions;
  #unwritten = new Set<string>();
  #file: AppendFile | undefined;
  #records = 0;
  /** How many there were when the file was last written anew. */
  #recordsRewritten = 0;
  #writing: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  #trouble: string | undefined;
  #retryMs = retryMsMin;
  #isClosed = false;

  constructor(options: ClientFileOptions) {
    this.#options = options;
  }

  /** Why nothing can be written now; undefined while all is well. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Gives each record of the file, oldest first. As `ClientLedger.open`. */
  async read(each: (record: ClientRecord) => void): Promise<void> {
    const { path, files, logger } = this.#options;
    if (path === "") return;
    await files.makeDirectory(directoryOf(path), { mode: directoryMode });
    const bytes = await this.#bytes();
    if (bytes === undefined) return;
    const found = readClientRecords(bytes, each);
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

  /** The record of an id is to be written. */
  changed(id: string): void {
    if (this.#options.path === "") return;
    this.#unwritten.add(id);
    if (this.#writing === undefined) this.#writeIn(writeEveryMs);
  }

  /** The same, at once: nobody may get at an id because the program ended right after it was given a
   * token. */
  changedNow(id: string): void {
    this.changed(id);
    if (this.#options.path === "" || this.#writing !== undefined) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#writeIn(0);
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
    const { logger, path, source } = this.#options;
    try {
      while (this.#unwritten.size > 0) {
        const isStale =
          this.#records > staleRecordsMin + 2 * Math.max(source.size(), this.#recordsRewritten);
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
      writer.add(this.#options.source.recordOf(id));
    }
    // A set keeps the room that it once needed.
    if (ids.length === this.#unwritten.size) this.#unwritten = new Set();
    else for (const id of ids) this.#unwritten.delete(id);
    try {
      await file.append(writer.take());
      await file.dataSync();
      this.#records += ids.length;
    } catch (error) {
      for (const id of ids) this.#unwritten.add(id);
      throw error;
    }
  }

  /** Writes all that is known into a new file. */
  async #rewrite(): Promise<void> {
    const { files, path, clock, source } = this.#options;
    await this.#closeFile();
    const unwritten = this.#unwritten;
    this.#unwritten = new Set();
    const writer = new ClientRecordWriter();
    writer.head();
    let records = 0;
    try {
      for (const id of source.ids()) {
        writer.add(source.recordOf(id));
        if (++records % recordsATurn === 0) {
          await new Promise<void>((resolve) => clock.after(0, resolve));
        }
      }
      await files.replace(path, writer.take(), { mode: fileMode });
      this.#file = await files.openAppend(path, { mode: fileMode });
      this.#records = records;
      this.#recordsRewritten = records;
    } catch (error) {
      for (const id of unwritten) this.#unwritten.add(id);
      throw error;
    }
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

  async #bytes(): Promise<Uint8Array | undefined> {
    try {
      return await this.#options.files.read(this.#options.path, { bytesMax: fileBytesMax });
    } catch (error) {
      if (error instanceof FileError && error.code === "ENOENT") return undefined;
      throw error;
    }
  }
}

function directoryOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : path.slice(0, Math.max(1, slash));
}
