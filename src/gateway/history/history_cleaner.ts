import type { Clock } from "../../ports/clock.ts";
import type { LogFilesPort } from "../../ports/log_file.ts";
import type { LogNames } from "../log/log_names.ts";
import type { HistoryBlocks } from "./history_blocks.ts";
import type { HistoryIndex } from "./history_index.ts";
import { type HistoryLimits, rowsATurn } from "./history_limits.ts";
import type { HistoryReader, RecordPlace } from "./history_reader.ts";
import type { HistorySegment, Row } from "./history_types.ts";
import type { HistoryWriter } from "./history_writer.ts";

/** Copied in one turn of the event loop. */
const copiedATurn = 200;

/** Copies may take this share of what may wait for the disk. */
const copyShare = 4;

/** Tries to read what is to be copied, about one a second, before it is given up. */
const failedReadsMax = 60;

/** Segments that are free for the history to grow into before anything is copied. */
const slackSegments = 4;

export interface HistoryCleanerParts {
  readonly limits: HistoryLimits;
  readonly files: LogFilesPort;
  readonly clock: Clock;
  /** Both undefined where nothing is written. */
  readonly names: LogNames | undefined;
  readonly writer: HistoryWriter | undefined;
  readonly index: HistoryIndex;
  readonly blocks: HistoryBlocks;
  readonly reader: HistoryReader;
}

/**
 * Gives back the oldest segments: at once when nothing in them is needed, and when what is needed is
 * less than half of all, by copying that to the end. They go in order, so that nothing can come back
 * that a later record took away.
 */
export class HistoryCleaner {
  readonly #parts: HistoryCleanerParts;
  #work: Promise<void> | undefined;
  #isClosed = false;
  #failedReads = 0;

  constructor(parts: HistoryCleanerParts) {
    this.#parts = parts;
  }

  /** Looks whether there is something to do; the work is done behind the traffic. */
  look(): void {
    if (this.#work !== undefined || this.#isClosed || !this.#isNeeded()) return;
    this.#work = this.#clean().finally(() => this.#work = undefined);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#work;
  }

  #isNeeded(): boolean {
    const { blocks, writer } = this.#parts;
    const [oldest] = blocks.segments;
    if (oldest === undefined || oldest === blocks.current || writer?.isInTrouble) return false;
    return oldest.live === 0 || this.#isTooMuch();
  }

  #isTooMuch(): boolean {
    const { blocks, index, limits } = this.#parts;
    const slack = slackSegments * limits.segmentBytes;
    return blocks.diskBytes > 2 * index.recordBytes + slack ||
      blocks.segments.length > limits.segments;
  }

  async #clean(): Promise<void> {
    const { blocks } = this.#parts;
    while (!this.#isClosed && this.#isNeeded()) {
      this.#markDead();
      const oldest = blocks.segments[0]!;
      if (oldest.live > 0 && oldest.removableAt === undefined) await this.#copyForward(oldest);
      if (oldest.live > 0) return;
      if (!await this.#remove(oldest)) return;
    }
  }

  /** All that nothing is needed of wait for the same sync: one a sync, a backlog of them would never
   * get smaller while messages come. */
  #markDead(): void {
    const { blocks, writer } = this.#parts;
    if (writer === undefined) return;
    for (const segment of blocks.segments) {
      if (segment === blocks.current || segment.live > 0) break;
      segment.removableAt ??= blocks.appended;
    }
  }

  /** False when it cannot go yet: what took the place of its messages is not safe. */
  async #remove(segment: HistorySegment): Promise<boolean> {
    const { files, names, writer, blocks } = this.#parts;
    if (segment.pins > 0) return false;
    if (writer !== undefined && names !== undefined) {
      segment.removableAt ??= blocks.appended;
      if (writer.safe < segment.removableAt) return false;
      try {
        await files.remove(names.path(names.segment(segment.number)));
        await files.syncDirectory(names.directory);
      } catch {
        // It is tried again; the writer reports a disk that fails.
        return false;
      }
    }
    blocks.remove(segment);
    return true;
  }

  async #copyForward(segment: HistorySegment): Promise<void> {
    const { index, blocks, clock } = this.#parts;
    let rows: Row[] = [];
    let looked = 0;
    for (let row = 0; row < index.end && !this.#isClosed; row++) {
      const block = index.block(row);
      if (block >= 0 && blocks.blockAt(block).segment === segment) rows.push(row);
      if (rows.length === copiedATurn) {
        await this.#copy(segment, rows);
        rows = [];
      } else if (++looked % rowsATurn === 0) {
        await new Promise<void>((resolve) => clock.after(0, resolve));
      }
    }
    await this.#copy(segment, rows);
  }

  async #copy(segment: HistorySegment, rows: readonly Row[]): Promise<void> {
    const { index, blocks, reader, writer } = this.#parts;
    if (rows.length === 0 || writer?.isInTrouble) return;
    const places = rows.map((row): RecordPlace => ({
      block: blocks.blockAt(index.block(row)),
      at: index.at(row),
      bytes: index.bytes(row),
      idLow: index.idLow(row),
      idHigh: index.idHigh(row),
    }));
    const { failures } = reader;
    const records = await reader.records(places);
    // A disk that fails now may read it later; one that never does must not keep its files for ever.
    if (reader.failures > failures && ++this.#failedReads < failedReadsMax) return;
    this.#failedReads = 0;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      const { block, at } = places[i]!;
      // It may have left meanwhile, and its row may be another's.
      if (index.block(row) !== block.index || index.at(row) !== at) continue;
      blocks.left(block);
      const record = records[i];
      if (record === undefined) {
        index.move(row, { block: blocks.lost.index, at: 0, bytes: 0 });
        continue;
      }
      blocks.put({ ...record, client: index.clientOf(row) });
      index.move(row, { block: blocks.block.index, at: blocks.at, bytes: blocks.bytes });
    }
    segment.removableAt = undefined;
    writer?.wake();
    await this.#untilRoom();
  }

  /** What is copied must not take the room of what comes in. */
  async #untilRoom(): Promise<void> {
    const { blocks, limits, writer, clock } = this.#parts;
    const bytesMax = limits.unwrittenBytes / copyShare;
    do {
      await new Promise<void>((resolve) => clock.after(0, resolve));
    } while (!this.#isClosed && !writer?.isInTrouble && blocks.unwrittenBytes > bytesMax);
  }
}
