import type { LogFilesPort, LogFileWriter } from "../../ports/log_file.ts";
import type { MemoryBlock, MemoryBlocks } from "./memory_blocks.ts";
import type { LogNames } from "./log_names.ts";
import type { Segment } from "./segment.ts";
import { encodeSegmentHeader } from "./segment_header.ts";

/** A stretch of a memory block that goes to disk as it is. */
export interface Range {
  readonly segment: Segment;
  readonly block: MemoryBlock;
  readonly from: number;
  to: number;
}

/** Pieces up to this are joined for one write; more are written one after the other. */
const joinBytesMax = 1024 * 1024;

/** The file that is written to. Its calls reject with FileError; after that it must be dropped. */
export class SegmentFile {
  readonly #files: LogFilesPort;
  readonly #names: LogNames;
  readonly #blocks: MemoryBlocks;
  /** Whether a full segment has to be on disk before the next is begun. */
  readonly #syncsFull: boolean;
  #open: { readonly segment: Segment; readonly writer: LogFileWriter } | undefined;
  /** Whose records are written, or would be if its file could be had. */
  #target: Segment | undefined;
  /** Stretches on their way; their blocks are pinned. */
  #writing: readonly Range[] = [];
  #buffer = new Uint8Array(0);
  /** Whether something was written and not synced. */
  isUnsynced = false;
  isSyncing = false;

  constructor(
    parts: { files: LogFilesPort; names: LogNames; blocks: MemoryBlocks; syncsFull: boolean },
  ) {
    this.#files = parts.files;
    this.#names = parts.names;
    this.#blocks = parts.blocks;
    this.#syncsFull = parts.syncsFull;
  }

  get segment(): Segment | undefined {
    return this.#target;
  }

  /** Writes stretches, which may be of several segments, in their order; with `sync` all that was
   * written is on disk then. */
  async write(ranges: readonly Range[], options: { sync: boolean }): Promise<void> {
    this.#writing = ranges;
    for (let at = 0; at < ranges.length;) {
      const { segment } = ranges[at]!;
      let end = at + 1;
      while (end < ranges.length && ranges[end]!.segment === segment) end++;
      const isSynced = options.sync && end === ranges.length;
      await this.#writeTo(segment, ranges.slice(at, end), isSynced);
      at = end;
    }
    if (options.sync && ranges.length === 0) await this.sync();
    this.#writing = [];
    this.unpin(ranges);
  }

  async sync(): Promise<void> {
    this.isSyncing = true;
    await this.#open?.writer.dataSync();
    this.isSyncing = false;
    this.isUnsynced = false;
  }

  /** Leaves the file, whatever state it is in, and lets go of what was to be written. */
  async drop(): Promise<void> {
    const open = this.#open;
    const writing = this.#writing;
    this.#open = undefined;
    this.#target = undefined;
    this.#writing = [];
    this.isUnsynced = false;
    this.isSyncing = false;
    this.unpin(writing);
    await open?.writer.close();
  }

  unpin(ranges: readonly Range[]): void {
    for (const { block } of ranges) {
      block.pins--;
      this.#blocks.tidy(block);
    }
  }

  async #writeTo(segment: Segment, ranges: readonly Range[], isSynced: boolean): Promise<void> {
    const writer = await this.#writerFor(segment);
    this.isUnsynced = true;
    let pieces: Uint8Array[] = [];
    let bytes = 0;
    for (const { block, from, to } of ranges) {
      if (bytes > 0 && bytes + to - from > joinBytesMax) {
        await writer.append(this.#joined(pieces, bytes));
        pieces = [];
        bytes = 0;
      }
      pieces.push(block.bytes.subarray(from, to));
      bytes += to - from;
    }
    const rest = this.#joined(pieces, bytes);
    if (!isSynced) return await writer.append(rest);
    this.isSyncing = true;
    await writer.appendSynced(rest);
    this.isSyncing = false;
    this.isUnsynced = false;
  }

  async #writerFor(segment: Segment): Promise<LogFileWriter> {
    if (this.#open?.segment === segment) return this.#open.writer;
    if (this.#open !== undefined) {
      if (this.#syncsFull && this.isUnsynced) await this.sync();
      await this.#open.writer.close();
      this.#open = undefined;
    }
    this.#target = segment;
    const path = this.#names.path(this.#names.segment(segment.number));
    const writer = await this.#files.openAppend(path);
    this.#open = { segment, writer };
    this.isUnsynced = true;
    await writer.append(encodeSegmentHeader({ kind: "segment", ...segment }));
    await this.#files.syncDirectory(this.#names.directory);
    return writer;
  }

  /** All pieces in one, valid until the next call: there is one write at a time. */
  #joined(pieces: readonly Uint8Array[], bytes: number): Uint8Array {
    if (pieces.length === 1) return pieces[0]!;
    if (this.#buffer.length < bytes) this.#buffer = new Uint8Array(bytes);
    let at = 0;
    for (const piece of pieces) {
      this.#buffer.set(piece, at);
      at += piece.length;
    }
    return this.#buffer.subarray(0, bytes);
  }
}
