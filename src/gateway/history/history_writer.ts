import type { Clock } from "../../ports/clock.ts";
import type { LogFilesPort, LogFileWriter } from "../../ports/log_file.ts";
import type { Logger } from "../../ports/log.ts";
import type { LogNames } from "../log/log_names.ts";
import { encodeSegmentHeader, segmentHeaderBytes } from "../log/segment_header.ts";
import type { HistoryBlocks } from "./history_blocks.ts";
import { retryMs, syncMs, urgentBlocks, writeMs } from "./history_limits.ts";
import type { HistorySegment } from "./history_types.ts";

/** What a file that lost its beginning is filled up with, so that all else stays in its place. */
const fillBytes = 64 * 1024;

export interface HistoryWriterParts {
  readonly files: LogFilesPort;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly names: LogNames;
  readonly blocks: HistoryBlocks;
  readonly syncs: boolean;
}

/**
 * Writes the history's records behind the traffic: all that came meanwhile in one go, 20 times a
 * second at most, and a sync a second. After a failure it tries again each second.
 */
export class HistoryWriter {
  readonly #parts: HistoryWriterParts;
  #open: { readonly segment: HistorySegment; readonly file: LogFileWriter } | undefined;
  /** What was written last and is not synced; its file may have been closed by a failure. */
  #unsynced: HistorySegment | undefined;
  #syncedAtMs = -Infinity;
  #state: "well" | "trouble" | "closed" = "well";
  #work: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  /** A new file whose name a power loss might still take. */
  #unnamed: HistorySegment | undefined;
  #isStarting = false;
  #written = 0;
  #safe = 0;
  failures = 0;
  /** Called after each batch that was written. */
  settled: () => void = () => {};

  constructor(parts: HistoryWriterParts) {
    this.#parts = parts;
  }

  get isInTrouble(): boolean {
    return this.#state === "trouble";
  }

  /** Of `HistoryBlocks.appended`, so many bytes survive whatever may come. */
  get safe(): number {
    return this.#safe;
  }

  /** Something is to be written; it need not be at once. */
  wake(): void {
    if (this.#work !== undefined || this.#isStarting) return;
    if (this.#state === "well" && this.#parts.blocks.unwrittenBlocks >= urgentBlocks) {
      this.#cancel();
      this.#isStarting = true;
      this.#parts.clock.soon(() => this.#start({ isUrgent: false }));
    } else if (this.#cancelTimer === undefined) {
      this.#wakeIn(writeMs);
    }
  }

  /** Resolves when all that is there now is safe, or could not be made so. */
  async flush(): Promise<void> {
    await this.#work;
    if (this.#state !== "well") return;
    this.#cancel();
    this.#start({ isUrgent: true });
    await this.#work;
  }

  async close(): Promise<void> {
    await this.flush();
    this.#state = "closed";
    this.#cancel();
    await this.#drop();
  }

  #wakeIn(ms: number): void {
    this.#cancelTimer = this.#parts.clock.after(ms, () => {
      this.#cancelTimer = undefined;
      this.#start({ isUrgent: false });
    });
  }

  #cancel(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #start({ isUrgent }: { isUrgent: boolean }): void {
    this.#isStarting = false;
    if (this.#work !== undefined || this.#state === "closed") return;
    this.#work = this.#run(isUrgent);
  }

  async #run(isUrgent: boolean): Promise<void> {
    const { logger, blocks, clock } = this.#parts;
    try {
      await this.#write();
      const isDue = isUrgent || clock.monotonic() - this.#syncedAtMs >= syncMs;
      if (isDue) await this.#sync();
      if (this.#state === "trouble") {
        this.#state = "well";
        logger.info({}, "history can be stored again");
      }
    } catch (error) {
      await this.#fail(error);
    }
    this.#work = undefined;
    if (this.#state === "trouble") return this.#wakeIn(retryMs);
    if (this.#state === "closed") return;
    if (blocks.unwrittenBytes > 0) this.wake();
    else if (this.#unsynced !== undefined && this.#cancelTimer === undefined) this.#wakeIn(syncMs);
    this.settled();
  }

  /** Writes what there is now; what comes meanwhile is for the next time. */
  async #write(): Promise<void> {
    const { blocks } = this.#parts;
    for (;;) {
      const block = blocks.nextToWrite();
      if (block === undefined) return;
      const isLast = blocks.isTail(block);
      const to = block.used;
      if (to > block.written) {
        const file = await this.#fileFor(block.segment);
        this.#unsynced = block.segment;
        await file.append(block.bytes!.subarray(block.written, to));
      }
      this.#written += to - block.written;
      blocks.wrote(block, to);
      if (isLast) return;
    }
  }

  async #sync(): Promise<void> {
    const written = this.#written;
    this.#syncedAtMs = this.#parts.clock.monotonic();
    const unsynced = this.#unsynced;
    if (unsynced !== undefined && this.#parts.syncs) {
      await (await this.#fileFor(unsynced)).dataSync();
    }
    this.#unsynced = undefined;
    this.#safe = written;
  }

  async #fileFor(segment: HistorySegment): Promise<LogFileWriter> {
    if (this.#open?.segment === segment) return this.#open.file;
    if (this.#unsynced !== undefined && this.#unsynced !== segment) await this.#sync();
    await this.#drop();
    const { files, names } = this.#parts;
    const path = names.path(names.segment(segment.number));
    let file = await files.openAppend(path);
    if (file.sizeFound > segment.written) {
      // What a failed append left.
      await file.close();
      await files.truncate(path, segment.written);
      file = await files.openAppend(path);
    }
    this.#open = { segment, file };
    for (let at = file.sizeFound; at < segment.written; at += fillBytes) {
      await file.append(new Uint8Array(Math.min(fillBytes, segment.written - at)));
    }
    if (segment.written === 0) {
      await file.append(encodeSegmentHeader({ kind: "segment", ...segment }));
      segment.written = segmentHeaderBytes;
      this.#unnamed = segment;
    }
    if (this.#unnamed === segment) {
      await files.syncDirectory(names.directory);
      this.#unnamed = undefined;
    }
    return file;
  }

  async #drop(): Promise<void> {
    const file = this.#open?.file;
    this.#open = undefined;
    await file?.close().catch(() => {
      // What was not written by then is noticed when it is read.
    });
  }

  async #fail(error: unknown): Promise<void> {
    this.failures++;
    if (this.#state === "well") {
      const reason = error instanceof Error ? error.message : String(error);
      this.#parts.logger.warn({ reason }, "history cannot be stored now");
      this.#state = "trouble";
    }
    await this.#drop();
  }
}
