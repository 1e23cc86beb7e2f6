import type { Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/log.ts";
import { idBytes, type IdsFileParts, writeIdsFile } from "./ids_file.ts";
import { cheapShare, copyCost, type LogLimits, retryMs } from "./log_limits.ts";
import type { LogWriter } from "./log_writer.ts";
import type { MessageMemory } from "./message_memory.ts";
import type { Slot } from "./message_log_types.ts";
import { rowOf } from "./message_table.ts";
import { recordHeadBytesMax } from "./record_format.ts";
import type { Segment } from "./segment.ts";

/** Between looks at what changes with time alone. */
const lookMs = 1_000;

/**
 * Keeps the log small. Segments go strictly from the oldest on, since a later one may say of an
 * earlier one's messages that they left: an empty one at once, unless its ids have to stay known; one
 * that is not when too much of the whole log is dead, after what is live in it was copied forward and
 * its ids were written to a file of their own.
 */
export class LogUpkeep {
  readonly #parts: IdsFileParts & { readonly clock: Clock; readonly logger: Logger };
  readonly #memory: MessageMemory;
  readonly #writer: LogWriter;
  readonly #limits: LogLimits;
  /** Files of ids, oldest first. */
  readonly #ids: Segment[];
  #lookedAt = -Infinity;
  #lookedCount = 0;
  #isBusy = false;
  #isClosed = false;
  #work: Promise<void> = Promise.resolve();

  constructor(
    parts: IdsFileParts & {
      readonly logger: Logger;
      readonly memory: MessageMemory;
      readonly writer: LogWriter;
      readonly limits: LogLimits;
      readonly ids: readonly Segment[];
    },
  ) {
    this.#parts = parts;
    this.#memory = parts.memory;
    this.#writer = parts.writer;
    this.#limits = parts.limits;
    this.#ids = [...parts.ids];
  }

  /** To be called after each batch; nearly always there is nothing to do. */
  look(): void {
    if (this.#isBusy || this.#isClosed || !this.#writer.isWell) return;
    const { segments } = this.#writer.placer;
    const now = this.#parts.clock.monotonic();
    const isDue = now >= this.#lookedAt + lookMs || segments.count !== this.#lookedCount;
    if (!isDue) return;
    this.#lookedAt = now;
    this.#isBusy = true;
    this.#work = this.#run();
  }

  /** No more files are touched when it resolves. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#work;
  }

  async #run(): Promise<void> {
    try {
      await this.#dropIds();
      while (await this.#dropOldest());
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#parts.logger.warn({ error: reason }, "the message log cannot be tidied up for now");
      this.#lookedAt = this.#parts.clock.monotonic() + retryMs;
    }
    this.#lookedCount = this.#writer.placer.segments.count;
    this.#isBusy = false;
  }

  async #dropIds(): Promise<void> {
    const { files, names } = this.#parts;
    for (let file = this.#ids[0]; file !== undefined; file = this.#ids[0]) {
      if (this.#hasNeededIds(file)) return;
      await files.remove(names.path(names.ids(file.number)));
      this.#ids.shift();
    }
  }

  /** Returns whether it went and the next may be looked at. */
  async #dropOldest(): Promise<boolean> {
    const { files, names } = this.#parts;
    const { segments } = this.#writer.placer;
    const { oldest } = segments;
    const open = this.#writer.openSegment;
    const isOld = oldest !== undefined && open !== undefined && oldest.number < open.number;
    if (!isOld || this.#isClosed || !this.#writer.isWell) return false;
    const hasIds = this.#hasNeededIds(oldest);
    if ((oldest.live > 0 || hasIds) && !this.#isTooMuch(oldest, hasIds)) return false;
    if (hasIds) {
      const ids = await writeIdsFile(this.#parts, oldest);
      if (ids !== undefined) this.#ids.push(ids);
      // It is not to be written again when the rest fails.
      oldest.acked = 0;
    }
    if (oldest.live > 0) await this.#copyForward(oldest);
    if (oldest.live > 0 || this.#isClosed || !this.#writer.isWell) return false;
    await files.remove(names.path(names.segment(oldest.number)));
    // Were the removal undone and a later one's not, messages that left would be back.
    await files.syncDirectory(names.directory);
    segments.remove(oldest);
    return true;
  }

  async #copyForward(segment: Segment): Promise<void> {
    const { table } = this.#memory;
    const { placer } = this.#writer;
    const isMeant = (slot: Slot) => table.page(slot).segment[rowOf(slot)] === segment.number;
    for (let from = 0; from < table.end && segment.live > 0;) {
      from = placer.rewriteFrom(from, isMeant);
      // Also lets others run between two steps.
      await this.#writer.flush();
      if (this.#isClosed || !this.#writer.isWell) return;
    }
  }

  #hasNeededIds(segment: Segment): boolean {
    if (segment.acked === 0) return false;
    const now = this.#parts.clock.monotonic();
    if (now - segment.ackedAtMs >= this.#parts.windowMs) return false;
    let newer = 0;
    for (const other of this.#ids) if (other.number > segment.number) newer += other.acked;
    for (const other of this.#writer.placer.segments.all()) {
      if (other.number > segment.number) newer += other.acked;
    }
    return newer < this.#limits.idsMax;
  }

  /** Whether more is dead than may be for what it costs to give up the oldest. */
  #isTooMuch(oldest: Segment, hasIds: boolean): boolean {
    const { segments } = this.#writer.placer;
    const { deadBytesMin, deadBytesMax, segmentBytes, segmentsMax } = this.#limits;
    let bytes = 0;
    let live = 0;
    for (const segment of segments.all()) {
      bytes += segment.bytes;
      live += liveBytes(segment);
    }
    const dead = bytes - live;
    if (segments.count - Math.floor(bytes / segmentBytes) > segmentsMax) return true;
    if (dead > Math.max(deadBytesMax, 3 * live)) return true;
    const cost = liveBytes(oldest) * copyCost + (hasIds ? oldest.acked * idBytes : 0);
    return dead > deadBytesMin && cost * cheapShare <= oldest.bytes;
  }
}

function liveBytes(segment: Segment): number {
  return segment.liveBytes + segment.live * recordHeadBytesMax;
}
