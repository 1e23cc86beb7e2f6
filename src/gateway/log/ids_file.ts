import { hashMessageId } from "../dedup_window.ts";
import { crc32 } from "../../base/crc32.ts";
import type { Clock } from "../../ports/clock.ts";
import type { LogFilesPort, LogFileWriter } from "../../ports/log_file.ts";
import type { Random } from "../../ports/random.ts";
import type { LogNames } from "./log_names.ts";
import {
  ackAskedFlag,
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
} from "./record_format.ts";
import { newSegment, type Segment } from "./segment.ts";
import { type FoundRecord, SegmentReader } from "./segment_reader.ts";
import { encodeSegmentHeader, segmentHeaderBytes } from "./segment_header.ts";

/** Read at once, so that the serving thread is held for less than a millisecond. */
const pieceBytes = 64 * 1024;

export interface IdsFileParts {
  readonly files: LogFilesPort;
  readonly names: LogNames;
  readonly clock: Clock;
  readonly random: Random;
  readonly windowMs: number;
  messageIdIn(direction: "up" | "down", body: string): string;
}

/**
 * Writes the ids of a segment, those that have to stay known, to a file of their own: about 30 bytes
 * each in place of the whole messages. Returns what is to be known of the new file; undefined when
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
  readonly #parts: IdsFileParts;
  readonly #salt: number;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #bytes = new Uint8Array(pieceBytes);
  #filled = 0;
  count = 0;

  constructor(parts: IdsFileParts, salt: number) {
    this.#parts = parts;
    this.#salt = salt;
  }

  record(found: FoundRecord): void {
    const kind = found.kind & kindMask;
    if (kind === recordKind.client) {
      this.#put(recordKind.client, found.bytes.subarray(found.bodyAt, found.end));
    } else if (found.kind & ackAskedFlag && (kind === recordKind.up || kind === recordKind.down)) {
      this.#message(found, kind === recordKind.up ? "up" : "down");
    }
  }

  /** What is to be written; undefined while there is no id. */
  take(): Uint8Array | undefined {
    if (this.count === 0 || this.#filled === 0) return undefined;
    const bytes = this.#bytes.slice(0, this.#filled);
    this.#filled = 0;
    return bytes;
  }

  #message(found: FoundRecord, direction: "up" | "down"): void {
    const { bytes, bodyAt, end } = found;
    const stampMs = u48At(bytes, bodyAt - stampBytes);
    if (this.#parts.clock.now() - stampMs >= this.#parts.windowMs) return;
    const body = this.#decoder.decode(bytes.subarray(bodyAt, end));
    const messageId = this.#parts.messageIdIn(direction, body);
    if (messageId === "") return;
    const { low, high } = hashMessageId(messageId);
    const record = new Uint8Array(5 + 18 + 5);
    const at = putVarint(record, 0, found.name);
    putU32(record, at, low);
    putU32(record, at + 4, high);
    putU32(record, at + 8, found.bodyCrc);
    putU48(record, at + 12, stampMs);
    const recordEnd = putVarint(record, at + 18, end - bodyAt);
    this.#put(recordKind.id, record.subarray(0, recordEnd));
    this.count++;
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
