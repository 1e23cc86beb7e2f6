import type { LogFilesPort } from "../../ports/log_file.ts";
import type { LogNames } from "../log/log_names.ts";
import { readRecord } from "./history_record.ts";
import type { HistoryBlock, HistoryRecord, HistorySegment } from "./history_types.ts";

/** Two records nearer than this are read in one go with what is between them. */
const gapBytesMax = 16 * 1024;

/** Read in one go, at most, if it is more than one record. */
const readBytesMax = 1024 * 1024;

/** Reads of one file under way at the same time: each alone is mostly waiting, and far apart there
 * is one for each record. */
const readsAtOnce = 16;

/** Records that are read in one go: `first` … `next` of those that are wanted of a file. */
interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly first: number;
  readonly next: number;
}

/** Where a message's record is, and the id that it must have. */
export interface RecordPlace {
  readonly block: HistoryBlock;
  readonly at: number;
  readonly bytes: number;
  readonly idLow: number;
  readonly idHigh: number;
}

/** Reads records, from memory or from the files. Damaged ones are undefined. */
export class HistoryReader {
  readonly #files: LogFilesPort;
  readonly #names: LogNames | undefined;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  damaged = 0;
  /** Calls of the disk that failed; what they were for counts as damaged as well. */
  failures = 0;

  /** Without names nothing is on disk. */
  constructor(files: LogFilesPort, names: LogNames | undefined) {
    this.#files = files;
    this.#names = names;
  }

  /** Those that are all in memory. */
  recordsInMemory(places: readonly RecordPlace[]): (HistoryRecord | undefined)[] {
    return places.map((place) => this.#record(place, place.block.bytes, place.at));
  }

  /** The others; what is near each other in one file is read together. The segments must be pinned. */
  async records(places: readonly RecordPlace[]): Promise<(HistoryRecord | undefined)[]> {
    const found = new Array<HistoryRecord | undefined>(places.length);
    const bySegment = new Map<HistorySegment, number[]>();
    for (let i = 0; i < places.length; i++) {
      const { block, at } = places[i]!;
      if (block.bytes !== undefined) {
        found[i] = this.#record(places[i]!, block.bytes, at);
        continue;
      }
      const known = bySegment.get(block.segment);
      if (known === undefined) bySegment.set(block.segment, [i]);
      else known.push(i);
    }
    await Promise.all(
      Array.from(bySegment, ([segment, picked]) => this.#read(segment, places, picked, found)),
    );
    return found;
  }

  async #read(
    segment: HistorySegment,
    places: readonly RecordPlace[],
    picked: number[],
    found: (HistoryRecord | undefined)[],
  ): Promise<void> {
    const names = this.#names;
    const positionOf = (i: number) => places[i]!.block.fileAt + places[i]!.at;
    picked.sort((one, other) => positionOf(one) - positionOf(other));
    if (names === undefined || segment.number === 0) {
      this.damaged += picked.length;
      return;
    }
    let file;
    try {
      file = await this.#files.openRead(names.path(names.segment(segment.number)));
    } catch {
      // It is counted: there is nobody else to tell.
      this.failures++;
      this.damaged += picked.length;
      return;
    }
    const stretches = stretchesOf(
      picked.map((i) => ({ at: positionOf(i), bytes: places[i]!.bytes })),
    );
    let taken = 0;
    const readNext = async () => {
      for (let stretch = stretches[taken++]; stretch !== undefined; stretch = stretches[taken++]) {
        const { from, to, first, next } = stretch;
        const bytes = new Uint8Array(to - from);
        const read = await file.read(bytes, from).catch(() => {
          // As for the file itself.
          this.failures++;
          return 0;
        });
        const there = bytes.subarray(0, read);
        for (const i of picked.slice(first, next)) {
          found[i] = this.#record(places[i]!, there, positionOf(i) - from);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(readsAtOnce, stretches.length) }, readNext));
    await file.close();
  }

  #record(
    place: RecordPlace,
    bytes: Uint8Array | undefined,
    at: number,
  ): HistoryRecord | undefined {
    const end = at + place.bytes;
    const { salt, base } = place.block.segment;
    const isChecked = bytes === place.block.bytes;
    const record = bytes && readRecord(bytes, { at, end, salt, base, isChecked });
    if (record?.idLow !== place.idLow || record.idHigh !== place.idHigh) {
      this.damaged++;
      return undefined;
    }
    // A text and not the bytes: a block of memory may be used for others soon.
    const text = this.#decoder.decode(bytes!.subarray(record.textAt, end));
    return { ...record, text };
  }
}

/** Of records in order of their positions: what is near each other is one stretch. */
function stretchesOf(records: readonly { at: number; bytes: number }[]): Stretch[] {
  const stretches: Stretch[] = [];
  for (let first = 0; first < records.length;) {
    const from = records[first]!.at;
    let to = from;
    let next = first;
    for (; next < records.length; next++) {
      const { at, bytes } = records[next]!;
      const isFar = at > to + gapBytesMax || at + bytes > from + readBytesMax;
      if (next > first && isFar) break;
      to = Math.max(to, at + bytes);
    }
    stretches.push({ from, to, first, next });
    first = next;
  }
  return stretches;
}
