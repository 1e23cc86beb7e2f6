import type { HistoryConfig } from "../../config/gateway_config.ts";
import type { Clock } from "../../ports/clock.ts";
import type { LogFilesPort } from "../../ports/log_file.ts";
import type { Logger } from "../../ports/log.ts";
import type { Random } from "../../ports/random.ts";
import { hashMessageId } from "../dedup_window.ts";
import { logNames } from "../log/log_names.ts";
import { HistoryBlocks } from "./history_blocks.ts";
import { HistoryCleaner } from "./history_cleaner.ts";
import { HistoryIndex } from "./history_index.ts";
import {
  defaultHistoryLimits,
  type HistoryLimits,
  memoryOnlyShare,
  rowsAMessage,
  rowsATurn,
} from "./history_limits.ts";
import { isLargerThan, metadataOf } from "./history_metadata.ts";
import { HistoryReader } from "./history_reader.ts";
import { recoverHistory } from "./history_recovery.ts";
import { HistorySlice } from "./history_slice.ts";
import {
  type HistoryClient,
  type HistoryFigures,
  type HistoryRecord,
  type NewHistoryMessage,
  noRow,
  type Row,
} from "./history_types.ts";
import { HistoryWriter } from "./history_writer.ts";

/** Messages that a client gets that does not say how many, or says something else than a number
 * from 1 to `maxPerClient`. */
export const historyCountDefault = 100;

const mebibyte = 2 ** 20;
const hourSeconds = 3_600;

export interface MessageHistoryOptions {
  readonly config: HistoryConfig;
  /** The message log's; the files lie beside it, as `<persistFile>.history.000001` and so on. "": in
   * memory only. */
  readonly persistFile: string;
  /** With `never`, nothing is synced. */
  readonly fsync: "always" | "interval" | "never";
  readonly maxMemoryMB: number;
  readonly files: LogFilesPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** For tests. */
  readonly limits?: Partial<HistoryLimits>;
}

/** Which messages of a client are wanted. */
export interface HistoryRange {
  /** At most so many, the newest of those that the rest asks for; 1 or more. */
  readonly limit: number;
  /** After the last message of that id; "": none. When it is unknown, from the oldest. `limit` does
   * not count then. */
  readonly after: string;
  /** Before the first message of that id; "": none. When it is unknown, up to the newest. */
  readonly before: string;
}

/**
 * The messages of clients, in both directions, for those that come back and ask. Kept in memory and,
 * behind the traffic, in files: a power loss may take the last second. A disk that fails stops the
 * keeping and nothing else.
 */
export class MessageHistory {
  readonly #clock: Clock;
  /** One object, which those who were given it read anew each time. */
  readonly #limits: HistoryLimits;
  readonly #ownLimits: Partial<HistoryLimits>;
  readonly #index: HistoryIndex;
  readonly #blocks: HistoryBlocks;
  readonly #reader: HistoryReader;
  readonly #writer: HistoryWriter | undefined;
  readonly #cleaner: HistoryCleaner;
  #memoryBytes: number;
  #config: HistoryConfig;
  #totalBytes = 0;
  #sequence = 0;
  #dropped = 0;

  /** Reads back what is on disk. It never fails: what cannot be read is left out and reported. */
  static async open(options: MessageHistoryOptions): Promise<MessageHistory> {
    const history = new MessageHistory(options);
    if (options.persistFile !== "") await history.#recover(options);
    return history;
  }

  private constructor(options: MessageHistoryOptions) {
    const { config, persistFile, files, clock, random } = options;
    this.#clock = clock;
    this.#config = config;
    this.#memoryBytes = options.maxMemoryMB * mebibyte;
    const isOnDisk = persistFile !== "";
    this.#totalBytes = this.#totalOf(config, isOnDisk);
    this.#ownLimits = options.limits ?? {};
    this.#limits = this.#limitsOfNow(isOnDisk);
    this.#index = new HistoryIndex();
    this.#blocks = new HistoryBlocks({ limits: this.#limits, random, isOnDisk });
    const names = isOnDisk ? logNames(`${persistFile}.history`) : undefined;
    this.#reader = new HistoryReader(files, names);
    const blocks = this.#blocks;
    this.#writer = names &&
      new HistoryWriter({ ...options, names, blocks, syncs: options.fsync !== "never" });
    this.#cleaner = new HistoryCleaner({
      limits: this.#limits,
      files,
      clock,
      names,
      writer: this.#writer,
      index: this.#index,
      blocks,
      reader: this.#reader,
    });
    if (this.#writer !== undefined) this.#writer.settled = () => this.#cleaner.look();
  }

  get isEnabled(): boolean {
    return this.#config.enabled;
  }

  /** Messages that a client is given at most. */
  get countMax(): number {
    return this.#config.maxPerClient;
  }

  get figures(): HistoryFigures {
    const index = this.#index;
    return {
      clients: index.clients,
      messages: index.size,
      bytes: index.recordBytes,
      diskBytes: this.#writer === undefined ? 0 : this.#blocks.diskBytes,
      memoryBytes: this.memoryBytes,
      dropped: this.#dropped,
      failures: this.#writer?.failures ?? 0,
      damaged: this.#reader.damaged,
    };
  }

  /** Of index and records in memory. */
  get memoryBytes(): number {
    return this.#index.memoryBytes + this.#blocks.memoryBytes;
  }

  /** Takes a message in, without waiting for anything. */
  add(message: NewHistoryMessage): void {
    if (!this.#config.enabled) return;
    const blocks = this.#blocks;
    if (blocks.isFull) {
      this.#dropped++;
      return;
    }
    const index = this.#index;
    const { isUp, stampMs, stampNs } = message;
    const { low, high } = hashMessageId(message.messageId);
    const client = index.clientNamed(message.clientId);
    const text = this.#kept(message);
    const sequence = ++this.#sequence;
    blocks.put({ client, isUp, sequence, stampMs, stampNs, idLow: low, idHigh: high, text });
    const row = index.take(client, {
      idLow: low,
      idHigh: high,
      block: blocks.block.index,
      at: blocks.at,
      bytes: blocks.bytes,
      seconds: Math.floor(stampMs / 1_000),
    });
    index.link(client, row);
    if (client.count > this.#config.maxPerClient) this.#removeFirst(client);
    for (let count = 0; count < rowsAMessage && this.#isFull; count++) this.#removeOldest();
    this.#writer?.wake();
  }

  /** The messages of a client as they are now; `release` it when it is read. */
  slice(clientId: string, range: HistoryRange): HistorySlice {
    const index = this.#index;
    const client = this.#config.enabled ? index.client(clientId) : undefined;
    const rows: Row[] = [];
    let hasGap = range.after !== "";
    if (client !== undefined) {
      while (client.count > this.#config.maxPerClient) this.#removeFirst(client);
      const after = range.after === "" ? undefined : hashMessageId(range.after);
      const before = range.before === "" ? undefined : hashMessageId(range.before);
      for (let row = client.first; row !== noRow; row = index.next(row)) {
        if (before !== undefined && this.#hasId(row, before)) break;
        if (after !== undefined && this.#hasId(row, after)) {
          rows.length = 0;
          hasGap = false;
        } else {
          rows.push(row);
        }
      }
    }
    const picked = range.after === "" ? rows.slice(-range.limit) : rows;
    return new HistorySlice(picked, { index, blocks: this.#blocks, reader: this.#reader, hasGap });
  }

  /** The messages of a client, oldest first; those that cannot be read are left out. */
  async read(clientId: string, range: HistoryRange): Promise<HistoryRecord[]> {
    const slice = this.slice(clientId, range);
    try {
      const records = await slice.read(0, slice.count);
      return records.filter((record) => record !== undefined);
    } finally {
      slice.release();
    }
  }

  /** Forgets all messages of a client, for good; how many they were. */
  forget(clientId: string): number {
    const client = this.#index.client(clientId);
    if (client === undefined) return 0;
    const { count } = client;
    this.#blocks.putForgotten(client, this.#sequence);
    while (client.count > 0) this.#removeFirst(client);
    this.#writer?.wake();
    return count;
  }

  /** Other limits from now on; where they are lower, what is over them goes bit by bit. */
  reconfigure(config: HistoryConfig, { maxMemoryMB }: { maxMemoryMB: number }): void {
    const isOnDisk = this.#writer !== undefined;
    this.#config = config;
    this.#memoryBytes = maxMemoryMB * mebibyte;
    this.#totalBytes = this.#totalOf(config, isOnDisk);
    Object.assign(this.#limits, this.#limitsOfNow(isOnDisk));
  }

  /** Forgets what is too old. To be called about once a second. */
  tick(): void {
    const index = this.#index;
    const keptFrom = this.#keptFromSeconds;
    for (let count = 0; count < rowsATurn && index.oldest !== noRow; count++) {
      const isOver = index.seconds(index.oldest) < keptFrom || this.#isFull;
      if (!isOver) break;
      this.#removeOldest();
    }
    this.#cleaner.look();
  }

  /** Resolves when all messages so far are safe, or could not be written. */
  async flush(): Promise<void> {
    await this.#writer?.flush();
  }

  async close(): Promise<void> {
    await this.#cleaner.close();
    await this.#writer?.close();
  }

  get #keptFromSeconds(): number {
    return Math.floor(this.#clock.now() / 1_000) - this.#config.cleanupHours * hourSeconds;
  }

  get #isFull(): boolean {
    return this.#index.totalBytes > this.#totalBytes || this.#index.size > this.#limits.rows;
  }

  #limitsOfNow(isOnDisk: boolean): HistoryLimits {
    const limits = {
      ...defaultHistoryLimits(this.#totalBytes, this.#memoryBytes),
      ...this.#ownLimits,
    };
    return isOnDisk ? limits : { ...limits, cachedBytes: Infinity };
  }

  #totalOf({ maxTotalMB }: HistoryConfig, isOnDisk: boolean): number {
    const total = maxTotalMB * mebibyte;
    return isOnDisk ? total : Math.min(total, this.#memoryBytes / memoryOnlyShare);
  }

  /** The text that is kept of a message. */
  #kept({ text, isUp, metadata = "" }: NewHistoryMessage): string | Uint8Array {
    const bytesMax = this.#config.maxMsgSizeKB * 1_024;
    if (typeof text !== "string") {
      if (text.length <= bytesMax) return text;
      const members = `${metadata}${metadata === "" ? "" : ","}"size":${text.length}`;
      return isUp ? members : `{${members}}`;
    }
    if (!isLargerThan(text, bytesMax)) return text;
    return isUp ? metadataOf(`{${text}}`).slice(1, -1) : metadataOf(text);
  }

  #hasId(row: Row, { low, high }: { low: number; high: number }): boolean {
    return this.#index.idLow(row) === low && this.#index.idHigh(row) === high;
  }

  #removeOldest(): void {
    this.#removeFirst(this.#index.clientOf(this.#index.oldest));
  }

  #removeFirst(client: HistoryClient): void {
    const index = this.#index;
    this.#blocks.left(this.#blocks.blockAt(index.block(client.first)));
    index.removeFirst(client);
    if (client.count === 0) index.tidy(client);
  }

  async #recover(options: MessageHistoryOptions): Promise<void> {
    const { files, logger, persistFile, clock } = options;
    const names = logNames(`${persistFile}.history`);
    try {
      const found = await recoverHistory({
        files,
        logger,
        names,
        index: this.#index,
        blocks: this.#blocks,
        syncs: options.fsync !== "never",
        keptFromSeconds: this.#keptFromSeconds,
      });
      this.#sequence = found.sequence;
      this.#blocks.startAt(found.nextNumber);
      const { messages, torn, corrupt, unreadable } = found;
      if (torn + corrupt + unreadable > 0) {
        const fields = { messages, torn, corrupt, unreadable };
        logger.warn(fields, "the history was damaged: what is whole was kept");
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      logger.warn({ reason }, "the history of the last run cannot be read");
      // Files that are there all the same must not be written over, nor their messages taken for
      // copies: theirs are smaller numbers.
      const now = clock.now();
      this.#blocks.startAt(Math.floor(now / 1_000));
      this.#sequence = Math.floor(now) * 1_000;
    }
    this.#trimAll();
    // A run that ends soon again must not leave it to the next.
    this.#cleaner.look();
  }

  /** What was read back may be more than the limits of today allow. */
  #trimAll(): void {
    const index = this.#index;
    for (const client of index.all()) {
      while (client.count > this.#config.maxPerClient) this.#removeFirst(client);
    }
    while (this.#isFull) this.#removeOldest();
  }
}
