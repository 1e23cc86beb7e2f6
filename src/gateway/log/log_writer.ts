import type { Clock } from "../../ports/clock.ts";
import type { LogFilesPort } from "../../ports/log_file.ts";
import type { Logger } from "../../ports/log.ts";
import type { Random } from "../../ports/random.ts";
import { DoneList } from "./done_list.ts";
import { doneMsMax, type LogLimits, retryMs, syncIntervalMs } from "./log_limits.ts";
import type { LogNames } from "./log_names.ts";
import type { MessageMemory } from "./message_memory.ts";
import type { LogClient, Slot } from "./message_log_types.ts";
import { recordKind } from "./record_format.ts";
import { RecordPlacer } from "./record_placer.ts";
import type { Segment } from "./segment.ts";
import { SegmentFile } from "./segment_file.ts";
import { SyncTimes } from "./sync_times.ts";

export interface LogWriterParts {
  readonly files: LogFilesPort;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  readonly memory: MessageMemory;
  readonly names: LogNames;
  readonly limits: LogLimits;
  readonly fsync: "always" | "interval" | "never";
  readonly fsyncMinIntervalMs: number;
  readonly owner: LogWriterOwner;
}

export interface LogWriterOwner {
  committed(sequence: number): void;
  notStored(from: number, through: number): void;
  troubleChanged(): void;
}

/** A disk that takes longer for a batch is not there for who waits; a slow one has time for the most
 * that memory can hold for it. */
const hangMs = 30_000;

/** Called after each batch, when nothing is in the way of tidying up. */
type Settled = () => void;

/**
 * Writes records to the segments: one batch at a time, one write and one sync for all that came
 * meanwhile. After a failure it holds back, and each second tries to put everything that may not be
 * on disk into a new segment.
 */
export class LogWriter {
  readonly #parts: LogWriterParts;
  readonly placer: RecordPlacer;
  readonly syncTimes = new SyncTimes();
  readonly #file: SegmentFile;
  readonly #done = new DoneList();
  #state: "well" | "trouble" | "repairing" | "closed" = "well";
  #trouble: string | undefined;
  /** Known to be stored; told as not stored. */
  #durable = 0;
  #refused = 0;
  #isBusy = false;
  #isUrgent = false;
  #cancelTimer: (() => void) | undefined;
  #startedAt = -Infinity;
  #syncedAt = -Infinity;
  /** Of the batch that is being written. */
  #writingBytes = 0;
  #waiting: (() => void)[] = [];
  #work: Promise<void> = Promise.resolve();
  settled: Settled = () => {};
  /** First segment of the repair that goes on. */
  #repairFrom = 0;

  constructor(parts: LogWriterParts) {
    this.#parts = parts;
    this.placer = new RecordPlacer(parts);
    this.#file = new SegmentFile({
      files: parts.files,
      names: parts.names,
      blocks: parts.memory.blocks,
      syncsFull: parts.fsync !== "never",
    });
  }

  get trouble(): string | undefined {
    if (this.#trouble !== undefined || !this.#isBusy) return this.#trouble;
    const ms = this.#parts.clock.monotonic() - this.#startedAt;
    return ms < hangMs ? undefined : `a write has not ended for ${Math.floor(ms / 1_000)} s`;
  }

  get isWell(): boolean {
    return this.#state === "well";
  }

  /** Bytes of records that are not on disk yet, their messages delivered or not. */
  get unwrittenBytes(): number {
    return this.placer.waitingBytes + this.#writingBytes;
  }

  /** The segment whose file is open: it is not to be removed. */
  get openSegment(): Segment | undefined {
    return this.#file.segment;
  }

  /** What was read back at start; the next segment gets the next number. */
  resume(
    start: {
      segments: readonly Segment[];
      nextNumber: number;
      sequence: number;
      clients: readonly LogClient[];
    },
  ): void {
    this.placer.resume(start);
    this.#durable = start.sequence;
    this.#refused = start.sequence;
  }

  /** To be called after a new message was put into memory. */
  added(slot: Slot, sequence: number): void {
    if (this.placer.added(slot, sequence) && !this.#isUrgent) this.#wake();
  }

  /** A message left that may be on disk. */
  done(sequence: number): void {
    this.#done.add(sequence);
    if (this.#cancelTimer === undefined && !this.#isUrgent) this.#wakeLater();
  }

  /** Resolves when all that was put here before is stored, or could not be. */
  flush(): Promise<void> {
    const { placer } = this;
    const isIdle = !this.#isBusy && placer.isEmpty && this.#done.isEmpty && !this.#file.isUnsynced;
    if (this.#state !== "well" || isIdle) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#start();
    });
  }

  async close(): Promise<void> {
    await this.flush();
    this.#state = "closed";
    this.#cancel();
    this.placer.stop();
    await this.#work;
    await this.#file.drop();
  }

  /** Does a batch as soon as the one that goes on is done; for what is urgent. */
  #wake(): void {
    if (this.#isBusy || this.#state !== "well") return;
    this.#cancel();
    this.#isUrgent = true;
    const { clock, fsyncMinIntervalMs } = this.#parts;
    const wait = this.#startedAt + fsyncMinIntervalMs - clock.monotonic();
    if (wait <= 0) clock.soon(() => this.#start());
    else this.#cancelTimer = clock.after(Math.ceil(wait), () => this.#start());
  }

  #wakeLater(ms = doneMsMax): void {
    if (this.#isBusy || this.#state !== "well") return;
    this.#cancelTimer = this.#parts.clock.after(ms, () => this.#start());
  }

  #cancel(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #start(): void {
    if (this.#isBusy || this.#state !== "well") return;
    this.#cancel();
    this.#isUrgent = false;
    this.#work = this.#commit();
  }

  async #commit(): Promise<void> {
    const { clock, fsync } = this.#parts;
    const { placer } = this;
    this.#isBusy = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#startedAt = clock.monotonic();
    const through = placer.appended;
    let isStored = false;
    try {
      const hasNews = this.#durable < through || placer.hasCopies;
      const isDue = fsync === "always"
        ? hasNews || waiting.length > 0
        : fsync === "interval" && (waiting.length > 0 ||
          (hasNews && this.#startedAt - this.#syncedAt >= syncIntervalMs));
      await this.#write({ sync: isDue });
      isStored = isDue || fsync === "never";
    } catch (error) {
      await this.#fail(error);
    }
    if (isStored) this.#stored(through);
    this.#isBusy = false;
    for (const resolve of waiting) resolve();
    this.#goOn();
  }

  /** Writes all that waits, with the ends of messages; with `sync` it is on disk then. */
  async #write({ sync }: { sync: boolean }): Promise<void> {
    const { placer } = this;
    if (!this.#done.isEmpty) {
      const segment = placer.currentOrNew();
      this.#done.write(segment.base, (body) => placer.putRecord(recordKind.done, body));
    }
    this.#writingBytes = placer.waitingBytes;
    const { clock } = this.#parts;
    const startedAt = clock.monotonic();
    if (sync) this.#syncedAt = startedAt;
    await this.#file.write(placer.takeRanges(), { sync });
    if (sync) this.syncTimes.add(clock.monotonic() - startedAt);
    this.#writingBytes = 0;
  }

  #stored(through: number): void {
    this.placer.hasCopies = false;
    this.#done.written();
    if (through <= this.#durable) return;
    this.#durable = through;
    this.#parts.owner.committed(through);
  }

  /** To be called when nothing goes on any more. */
  #goOn(): void {
    const { fsync, clock } = this.#parts;
    if (this.#state === "trouble") {
      this.#cancel();
      this.#cancelTimer = clock.after(retryMs, () => {
        this.#work = this.#repair();
      });
    }
    if (this.#state !== "well") return;
    if (this.#waiting.length > 0) this.#start();
    else if (!this.placer.isEmpty) this.#wake();
    else if (!this.#done.isEmpty) this.#wakeLater();
    else if (fsync === "interval" && this.#durable < this.placer.appended) {
      this.#wakeLater(Math.max(0, this.#syncedAt + syncIntervalMs - clock.monotonic()));
    }
    this.settled();
  }

  async #fail(error: unknown): Promise<void> {
    const { owner, logger } = this.#parts;
    const { placer } = this;
    const wasSync = this.#file.isSyncing;
    const isFirst = this.#trouble === undefined;
    const reason = error instanceof Error ? error.message : String(error);
    // What is on its way is let go of here, so that it is put in order before anybody is told.
    const failed = this.#file.segment;
    const dropped = this.#file.drop();
    this.#file.unpin(placer.takeRanges());
    this.#writingBytes = 0;
    this.#done.failed();
    const isRepair = this.#state === "repairing";
    placer.doubt(failed, wasSync || isRepair || placer.hasCopies, this.#durable);
    placer.stop();
    if (this.#state !== "closed") this.#state = "trouble";
    this.#trouble = reason;
    const from = Math.max(this.#durable, this.#refused) + 1;
    if (from <= placer.appended) {
      this.#refused = placer.appended;
      owner.notStored(from, placer.appended);
    }
    if (isFirst) {
      logger.error(
        { error: reason },
        "messages cannot be stored: none is acknowledged until they can",
      );
      owner.troubleChanged();
    }
    for (const resolve of this.#waiting.splice(0)) resolve();
    // The file is given up, and its failure is known already.
    await dropped.catch(() => {});
  }

  /** A try to get well: all that may not be on disk goes into a new segment. */
  async #repair(): Promise<void> {
    if (this.#state !== "trouble") return;
    this.#cancelTimer = undefined;
    this.#isBusy = true;
    this.#state = "repairing";
    const { fsync, owner, logger } = this.#parts;
    const { placer } = this;
    let through = 0;
    let isRepaired = false;
    try {
      await this.#removeRepair();
      this.#repairFrom = placer.start().number;
      let from: Slot = 0;
      do {
        from = placer.rewriteFrom(from, (slot) => placer.isInDoubt(slot));
        await this.#write({ sync: false });
      } while (from < this.#parts.memory.table.end);
      through = placer.appended;
      await this.#write({ sync: fsync !== "never" });
      this.#repairFrom = 0;
      isRepaired = true;
    } catch (error) {
      await this.#fail(error);
    }
    this.#isBusy = false;
    if (isRepaired) {
      // Unless it was closed meanwhile.
      if (this.#state === "repairing") this.#state = "well";
      placer.trustAll();
      this.#trouble = undefined;
      logger.info({}, "messages can be stored again");
      this.#stored(through);
      owner.troubleChanged();
    }
    this.#goOn();
  }

  /** Removes the files of a repair that failed: without that each second would leave one. */
  async #removeRepair(): Promise<void> {
    const { files, names } = this.#parts;
    const { segments } = this.placer;
    if (this.#repairFrom === 0) return;
    for (const segment of [...segments.all()]) {
      if (segment.number < this.#repairFrom) continue;
      await files.remove(names.path(names.segment(segment.number)));
      segments.remove(segment);
    }
    this.#repairFrom = 0;
  }
}
