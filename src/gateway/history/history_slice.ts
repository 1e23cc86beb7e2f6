import type { HistoryIndex } from "./history_index.ts";
import type { HistoryBlocks } from "./history_blocks.ts";
import type { HistoryReader, RecordPlace } from "./history_reader.ts";
import type { HistoryRecord, Row } from "./history_types.ts";

/**
 * Messages of one client as they were when it was made, oldest first, to be read piece by piece.
 * What it names stays on disk until `release`.
 */
export class HistorySlice {
  /** It was to begin after a message that is not here. */
  readonly hasGap: boolean;
  readonly #places: readonly RecordPlace[];
  readonly #reader: HistoryReader;
  #isReleased = false;

  constructor(
    rows: readonly Row[],
    parts: { index: HistoryIndex; blocks: HistoryBlocks; reader: HistoryReader; hasGap: boolean },
  ) {
    const { index, blocks } = parts;
    this.hasGap = parts.hasGap;
    this.#reader = parts.reader;
    this.#places = rows.map((row) => ({
      block: blocks.blockAt(index.block(row)),
      at: index.at(row),
      bytes: index.bytes(row),
      idLow: index.idLow(row),
      idHigh: index.idHigh(row),
    }));
    for (const { block } of this.#places) block.segment.pins++;
  }

  get count(): number {
    return this.#places.length;
  }

  /** How many messages from one on are a piece of about so many bytes; at least one. */
  pieceFrom(from: number, bytesMax: number, countMax: number): number {
    const places = this.#places;
    let bytes = 0;
    let at = from;
    while (at < places.length && at - from < countMax) {
      bytes += places[at]!.bytes;
      if (bytes > bytesMax && at > from) break;
      at++;
    }
    return at - from;
  }

  /** Where all of them are in memory: at once; undefined when the disk is needed. */
  inMemory(from: number, count: number): (HistoryRecord | undefined)[] | undefined {
    const places = this.#places.slice(from, from + count);
    if (places.some(({ block }) => block.bytes === undefined)) return undefined;
    return this.#reader.recordsInMemory(places);
  }

  /** A message that cannot be read is undefined. */
  read(from: number, count: number): Promise<(HistoryRecord | undefined)[]> {
    return this.#reader.records(this.#places.slice(from, from + count));
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    for (const { block } of this.#places) block.segment.pins--;
  }
}
