import type { Clock } from "../../ports/clock.ts";
import { stepBytes, stepSlots } from "./log_limits.ts";
import type { MemoryBlock } from "./memory_blocks.ts";
import type { MessageMemory } from "./message_memory.ts";
import type { Slot } from "./message_log_types.ts";
import { rowOf } from "./message_table.ts";

/** Memory that may be held beside twice what waits: below it nothing is moved. */
const slackBytes = 16 * 1024 * 1024;

/** Blocks grow by this before it is worth to look again. */
const lookBytes = 1024 * 1024;

/** Between two stretches of work, the sockets have their turn. */
const pauseMs = 1;

/**
 * Moves messages out of memory blocks that are mostly empty: a few that stay for long would keep the
 * room of all that came with them. Never more than twice the bytes that wait, and the slack.
 */
export class MemoryTidying {
  readonly #memory: MessageMemory;
  readonly #clock: Clock;
  /** Blocks of more than so many bytes are a reason to look. */
  #lookAt = slackBytes;
  #sparse = new Set<MemoryBlock>();
  #from: Slot = 0;
  #cancel: (() => void) | undefined;
  #isClosed = false;

  constructor(memory: MessageMemory, clock: Clock) {
    this.#memory = memory;
    this.#clock = clock;
  }

  /** To be called after each append: one comparison, nearly always. */
  look(): void {
    if (this.#memory.blocks.bytes > this.#lookAt) this.#judge();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
  }

  #judge(): void {
    const { blocks, bytes } = this.#memory;
    this.#lookAt = blocks.bytes + lookBytes;
    if (this.#isClosed || this.#cancel !== undefined) return;
    if (blocks.bytes <= 2 * bytes + slackBytes) return;
    for (const block of blocks.all()) {
      if (block !== undefined && block !== blocks.tail && block.liveBytes * 2 < block.used) {
        this.#sparse.add(block);
      }
    }
    this.#from = 0;
    this.#later();
  }

  #later(): void {
    this.#cancel = this.#clock.after(pauseMs, () => {
      this.#cancel = undefined;
      this.#step();
    });
  }

  #step(): void {
    const memory = this.#memory;
    const { table, blocks } = memory;
    const end = Math.min(table.end, this.#from + stepSlots);
    let slot = this.#from;
    for (let moved = 0; slot < end && moved < stepBytes; slot++) {
      if (!memory.isLive(slot)) continue;
      const page = table.page(slot);
      const row = rowOf(slot);
      if (!this.#sparse.has(blocks.at(page.block[row]!))) continue;
      memory.move(slot);
      moved += page.bodyBytes[row]!;
    }
    this.#from = slot;
    if (slot < table.end) return this.#later();
    this.#sparse.clear();
    this.#lookAt = Math.max(slackBytes, blocks.bytes + lookBytes);
  }
}
