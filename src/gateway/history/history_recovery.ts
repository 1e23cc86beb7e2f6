import type { LogFilesPort } from "../../ports/log_file.ts";
import type { Logger } from "../../ports/log.ts";
import type { LogNames } from "../log/log_names.ts";
import {
  kindMask,
  RecordCursor,
  recordKind,
  stampBytes,
  u32At,
  u48At,
} from "../log/record_format.ts";
import { decodeSegmentHeader, segmentHeaderBytes } from "../log/segment_header.ts";
import { SegmentReader } from "../log/segment_reader.ts";
import { type HistoryBlocks, newSegment } from "./history_blocks.ts";
import type { HistoryIndex } from "./history_index.ts";
import { idHashBytes } from "./history_record.ts";
import type { HistoryClient, HistorySegment, Row } from "./history_types.ts";

/** Longest id of a client that is believed; the gateway takes 256 bytes. */
const clientIdBytesMax = 256;

/** After damage, sequence numbers go on so far above the highest that was read, for each file that
 * was not: no file has as many messages. */
const sequenceGapAfterDamage = 1_000_000;

const rowsMin = 4_096;

export interface HistoryRecovery {
  readonly sequence: number;
  readonly nextNumber: number;
  /** Files, and messages of them that are kept. */
  readonly segments: number;
  readonly messages: number;
  /** Files whose end is torn, damaged stretches in the middle, files that could not be read. */
  readonly torn: number;
  readonly corrupt: number;
  readonly unreadable: number;
}

export interface HistoryRecoveryParts {
  readonly files: LogFilesPort;
  readonly logger: Logger;
  readonly names: LogNames;
  readonly index: HistoryIndex;
  readonly blocks: HistoryBlocks;
  /** Whether anything is synced at all. */
  readonly syncs: boolean;
  /** Messages before are too old, in seconds since 1970. */
  readonly keptFromSeconds: number;
}

/** Reads the files of an earlier run into the index. Rejects with FileError when the directory
 * cannot be read; a file that cannot be is left alone. */
export async function recoverHistory(parts: HistoryRecoveryParts): Promise<HistoryRecovery> {
  const { files, names } = parts;
  await files.makeDirectory(names.directory);
  const found: { name: string; bytes: number; number: number }[] = [];
  for (const { name, bytes } of await files.list(names.directory)) {
    const file = names.read(name);
    if (file?.kind === "segment") found.push({ name, bytes, number: file.number });
  }
  found.sort((one, other) => one.number - other.number);
  const read = new FilesRead(parts);
  for (const file of found) await read.file(file);
  read.link();
  const newest = parts.blocks.segments.at(-1);
  if (parts.syncs && newest !== undefined) {
    await syncFile(parts, newest);
  }
  const { torn, corrupt, unreadable } = read;
  const losses = (torn + corrupt > 0 ? 1 : 0) + unreadable;
  return {
    sequence: read.sequence + losses * sequenceGapAfterDamage,
    nextNumber: (found.at(-1)?.number ?? 0) + 1,
    segments: found.length,
    messages: parts.index.size,
    torn,
    corrupt,
    unreadable,
  };
}

/** A program that was killed may have left what it wrote last in the system's memory alone. */
async function syncFile(
  { files, names }: { files: LogFilesPort; names: LogNames },
  { number }: HistorySegment,
): Promise<void> {
  try {
    const file = await files.openAppend(names.path(names.segment(number)));
    await file.dataSync().finally(() => file.close());
    await files.syncDirectory(names.directory);
  } catch {
    // Then a power loss may take it, as it might have before.
  }
}

/** What was read so far: rows that are in no list yet. */
class FilesRead {
  sequence = 0;
  torn = 0;
  corrupt = 0;
  unreadable = 0;
  readonly #parts: HistoryRecoveryParts;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #cursor = new RecordCursor();
  /** Rows as they were read, and the sequence number of each. */
  #rows = new Int32Array(rowsMin);
  #sequences = new Float64Array(rowsMin);
  #count = 0;
  #isInOrder = true;
  readonly #clients = new Set<HistoryClient>();
  readonly #forgotten = new Map<HistoryClient, number>();
  #names: (HistoryClient | undefined)[] = [];

  constructor(parts: HistoryRecoveryParts) {
    this.#parts = parts;
  }

  async file(file: { name: string; bytes: number; number: number }): Promise<void> {
    const { files, names, blocks, logger } = this.#parts;
    const path = names.path(file.name);
    try {
      const reader = await files.openRead(path);
      let isOurs: boolean;
      try {
        const head = new Uint8Array(Math.min(segmentHeaderBytes, file.bytes));
        await reader.read(head, 0);
        const header = decodeSegmentHeader(head);
        isOurs = typeof header === "object" && header.number === file.number;
        if (typeof header === "object" && isOurs) {
          const segment = newSegment(file.number, header.base, header.salt);
          segment.bytes = segment.written = file.bytes;
          const block = blocks.restore(segment);
          this.#names = [];
          const records = new SegmentReader(reader, {
            bytes: file.bytes,
            salt: header.salt,
            from: Math.min(segmentHeaderBytes, file.bytes),
          });
          const damage = await records.read(() => this.#record(records, segment, block.index));
          this.corrupt += damage.corrupt;
          if (damage.goodBytes < file.bytes) this.torn++;
        }
      } finally {
        await reader.close();
      }
      // Nothing of ours can be read of a file without its header.
      if (!isOurs) {
        this.torn++;
        await files.remove(path);
      }
    } catch (error) {
      this.unreadable++;
      const reason = error instanceof Error ? error.message : String(error);
      logger.warn({ file: file.name, reason }, "a file of the history cannot be read");
    }
  }

  /** Puts all that was read into order, without what is there twice or was forgotten. */
  link(): void {
    const { index } = this.#parts;
    const count = this.#count;
    const sequences = this.#sequences;
    const rows = this.#rows;
    const order = new Uint32Array(count);
    for (let i = 0; i < count; i++) order[i] = i;
    if (!this.#isInOrder) {
      order.sort((one, other) => sequences[one]! - sequences[other]! || one - other);
    }
    for (let i = 0; i < count; i++) {
      const at = order[i]!;
      const row: Row = rows[at]!;
      const client = index.clientOf(row);
      // Of a message that was copied forward, the later record counts: the first file goes soon.
      const isCopied = i + 1 < count && sequences[order[i + 1]!] === sequences[at];
      if (isCopied || sequences[at]! <= (this.#forgotten.get(client) ?? 0)) this.#drop(row);
      else index.link(client, row);
    }
    for (const client of this.#clients) index.tidy(client);
  }

  #record(found: SegmentReader, segment: HistorySegment, block: number): void {
    const { bytes, bodyAt, end } = found;
    const cursor = this.#cursor;
    switch (found.kind & kindMask) {
      case recordKind.client: {
        cursor.start(bodyAt, end);
        const name = cursor.varint(bytes);
        if (cursor.isBroken || end - cursor.at > clientIdBytesMax || name > segment.bytes) return;
        const id = this.#decoder.decode(bytes.subarray(cursor.at, end));
        const client = this.#parts.index.clientNamed(id);
        this.#names[name] = client;
        this.#clients.add(client);
        return;
      }
      case recordKind.up:
      case recordKind.down:
        return this.#message(found, segment, block);
      case recordKind.done: {
        cursor.start(bodyAt, end);
        const client = this.#names[cursor.varint(bytes)];
        const through = cursor.varint(bytes);
        if (cursor.isBroken || client === undefined) return;
        this.sequence = Math.max(this.sequence, through);
        this.#forgotten.set(client, Math.max(through, this.#forgotten.get(client) ?? 0));
      }
    }
  }

  #message(found: SegmentReader, segment: HistorySegment, block: number): void {
    const { bytes, bodyAt, end } = found;
    const client = this.#names[found.name];
    const sequence = segment.base + found.delta;
    if (end - bodyAt < idHashBytes || !(sequence > 0 && sequence < Number.MAX_SAFE_INTEGER)) return;
    this.sequence = Math.max(this.sequence, sequence);
    if (client === undefined) return;
    const seconds = Math.floor(u48At(bytes, bodyAt - stampBytes) / 1_000);
    if (seconds < this.#parts.keptFromSeconds) return;
    const row = this.#parts.index.take(client, {
      idLow: u32At(bytes, bodyAt),
      idHigh: u32At(bytes, bodyAt + 4),
      block,
      at: found.recordAt,
      bytes: found.recordBytes,
      seconds,
    });
    segment.live++;
    this.#keep(row, sequence);
  }

  #keep(row: Row, sequence: number): void {
    if (this.#count === this.#rows.length) {
      const rows = new Int32Array(2 * this.#count);
      rows.set(this.#rows);
      this.#rows = rows;
      const sequences = new Float64Array(2 * this.#count);
      sequences.set(this.#sequences);
      this.#sequences = sequences;
    }
    const isLater = this.#count === 0 || sequence > this.#sequences[this.#count - 1]!;
    this.#isInOrder &&= isLater;
    this.#rows[this.#count] = row;
    this.#sequences[this.#count++] = sequence;
  }

  #drop(row: Row): void {
    const { index, blocks } = this.#parts;
    blocks.left(blocks.blockAt(index.block(row)));
    index.giveBack(row);
  }
}
