import { crc32 } from "../../base/crc32.ts";
import type { Clock } from "../../ports/clock.ts";
import type { LogFilesPort, LogFileWriter } from "../../ports/log_file.ts";
import type { Random } from "../../ports/random.ts";
import type { LogNames } from "./log_names.ts";
import {
  idHashBytes,
  kindMask,
  putU32,
  putU48,
  putVarint,
  putWideVarint,
  recordCrc,
  recordKind,
  stampBytes,
  u32At,
  u48At,
  varintWidth,
  zigzag,
} from "./record_format.ts";
import { newSegment, type Segment } from "./segment.ts";
import { type FoundRecord, SegmentReader } from "./segment_reader.ts";
import { isIdKnown } from "./segment_recovery.ts";
import { encodeSegmentHeader, segmentHeaderBytes } from "./segment_header.ts";

/** What an id takes in a file of ids, about: client, hash, CRC, time, length. */
export const idBytes = 17;

/** Bytes of one record of ids, and of an id at most: damage to one lets few repetitions through. */
const recordBytesMax = 1_024;
const idBytesMax = 5 + idHashBytes + 4 + 8 + 5;

/** Read at once, so that the serving thread is held for less than a millisecond. */
const pieceBytes = 64 * 1024;

export interface IdsFileParts {
  readonly files: LogFilesPort;
  readonly names: LogNames;
  readonly clock: Clock;
  readonly random: Random;
  readonly windowMs: number;
}

/**
 * Writes the ids of a segment, those that have to stay known, to a file of their own: 17 bytes each in
 * place of the whole messages. Returns what is to be known of the new file; undefined when
 * the segment has no such ids. Rejects with FileError.
 */
export async function writeIdsFile(
  parts: IdsFileParts,
  of: Segment,
): Promise<Segment | undefined> {
  const { files, names } = parts;
  const salt = u32At(parts.random.bytes(4), 0);
  const writing = new IdsWriting(parts, salt);
  const reader = await files.openRead(names.path(names.segment(of.number)));
  const path = names.path(names.ids(of.number));
  let writer: LogFileWriter | undefined;
  try {
    const segment = { bytes: of.bytes, salt: of.salt, from: segmentHeaderBytes, pieceBytes };
    await new SegmentReader(reader, segment).read(
      (record) => writing.record(record),
      async () => {
        const bytes = writing.take();
        if (bytes === undefined) return;
        if (writer === undefined) {
          // What an attempt that failed left behind.
          await files.remove(path);
          writer = await files.openAppend(path);
          await writer.append(
            encodeSegmentHeader({ kind: "ids", number: of.number, base: of.base, salt }),
          );
        }
        await writer.append(bytes);
      },
    );
    // Narrowing does not see what callbacks assign.
    const opened = writer as LogFileWriter | undefined;
    await opened?.dataSync();
  } finally {
    await reader.close();
    await (writer as LogFileWriter | undefined)?.close();
  }
  if (writing.count === 0) return undefined;
  await files.syncDirectory(names.directory);
  const file = newSegment({ number: of.number, base: of.base, salt });
  return { ...file, acked: writing.count, ackedAtMs: of.ackedAtMs };
}

/** Turns the records of a segment into those of its file of ids. */
class IdsWriting {
  readonly #salt: number;
  readonly #nowMs: number;
  readonly #windowMs: number;
  #bytes = new Uint8Array(pieceBytes);
  #filled = 0;
  /** The record of ids that is being filled. */
  readonly #record = new Uint8Array(recordBytesMax);
  #recordFilled = 0;
  #stampMs = 0;
  count = 0;

  constructor(parts: IdsFileParts, salt: number) {
    this.#salt = salt;
    this.#nowMs = parts.clock.now();
    this.#windowMs = parts.windowMs;
  }

  record(found: FoundRecord): void {
    if ((found.kind & kindMask) === recordKind.client) {
      // A name may be given again, and counts for what comes after it.
      this.#endRecord();
      this.#put(recordKind.client, found.bytes.subarray(found.bodyAt, found.end));
    } else if (isIdKnown(found.kind)) {
      this.#id(found);
    }
  }

  /** What is to be written; undefined while there is no id. */
  take(): Uint8Array | undefined {
    this.#endRecord();
    if (this.count === 0 || this.#filled === 0) return undefined;
    const bytes = this.#bytes.slice(0, this.#filled);
    this.#filled = 0;
    return bytes;
  }

  #id(found: FoundRecord): void {
    const { bytes, bodyAt, end } = found;
    const stampAt = bodyAt - stampBytes;
    const stampMs = u48At(bytes, stampAt);
    if (this.#nowMs - stampMs >= this.#windowMs) return;
    if (this.#recordFilled + idBytesMax > recordBytesMax) this.#endRecord();
    const record = this.#record;
    if (this.#recordFilled === 0) {
      putU48(record, 0, stampMs);
      this.#recordFilled = 6;
      this.#stampMs = stampMs;
    }
    let at = putVarint(record, this.#recordFilled, found.name);
    putU32(record, at, u32At(bytes, stampAt - idHashBytes));
    putU32(record, at + 4, u32At(bytes, stampAt - idHashBytes + 4));
    putU32(record, at + idHashBytes, found.bodyCrc);
    at = putVarint(record, at + idHashBytes + 4, zigzag(stampMs - this.#stampMs));
    this.#recordFilled = putVarint(record, at, end - bodyAt);
    this.#stampMs = stampMs;
    this.count++;
  }

  #endRecord(): void {
    if (this.#recordFilled === 0) return;
    this.#put(recordKind.ids, this.#record.subarray(0, this.#recordFilled));
    this.#recordFilled = 0;
  }

  #put(kind: number, body: Uint8Array): void {
    const width = varintWidth(body.length);
    const needed = 5 + width + body.length;
    if (this.#filled + needed > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length + needed);
      larger.set(this.#bytes.subarray(0, this.#filled));
      this.#bytes = larger;
    }
    const at = this.#filled;
    const bytes = this.#bytes;
    bytes[at + 4] = kind;
    putWideVarint(bytes, at + 5, body.length, width);
    const bodyAt = at + 5 + width;
    bytes.set(body, bodyAt);
    putU32(bytes, at, recordCrc(bytes, { at, bodyAt, bodyCrc: crc32(body), salt: this.#salt }));
    this.#filled += needed;
  }
}
