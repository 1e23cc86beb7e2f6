/** A piece of memory that records are put into one after the other. */
export interface MemoryBlock {
  /** Its number while it is in use. */
  index: number;
  readonly bytes: Uint8Array;
  used: number;
  /** Messages in it that are not released, and the bytes of their bodies. */
  live: number;
  liveBytes: number;
  /** Stretches of it that are still to be written to disk. */
  pins: number;
}

/** Big enough that a block costs nothing beside its records, small enough that the last few in one
 * do not keep much. */
export const blockBytes = 256 * 1024;

/** A record above this gets a block of its own size: less is lost at the ends of the others. */
const ownBlockBytesMin = 32 * 1024;

/** Empty blocks that are kept for the next records instead of being made again. */
const spareBlocksMax = 16;

/** The blocks: room is taken at the end of the newest, and a block without messages is given back. */
export class MemoryBlocks {
  readonly #blocks: (MemoryBlock | undefined)[] = [];
  readonly #freeIndexes: number[] = [];
  readonly #spare: Uint8Array[] = [];
  #tail: MemoryBlock;
  #bytes = 0;

  constructor() {
    this.#tail = this.#add(new Uint8Array(blockBytes));
  }

  /** Of all blocks in use. */
  get bytes(): number {
    return this.#bytes;
  }

  get tail(): MemoryBlock {
    return this.#tail;
  }

  at(index: number): MemoryBlock {
    return this.#blocks[index]!;
  }

  all(): readonly (MemoryBlock | undefined)[] {
    return this.#blocks;
  }

  /** A block with room for so many bytes behind `used`. */
  withRoom(bytes: number): MemoryBlock {
    const tail = this.#tail;
    if (tail.used + bytes <= tail.bytes.length) return tail;
    if (bytes > ownBlockBytesMin) return this.#add(new Uint8Array(bytes));
    this.#tail = this.#add(this.#spare.pop() ?? new Uint8Array(blockBytes));
    this.tidy(tail);
    return this.#tail;
  }

  /** A block out of memory that was made elsewhere, for one record. */
  adopt(bytes: Uint8Array): MemoryBlock {
    return this.#add(bytes);
  }

  /** To be called when a message of the block went, or a stretch of it was written. */
  tidy(block: MemoryBlock): void {
    if (block.live > 0 || block.pins > 0) return;
    if (block === this.#tail) {
      block.used = 0;
      return;
    }
    if (this.#blocks[block.index] !== block) return;
    this.#blocks[block.index] = undefined;
    this.#freeIndexes.push(block.index);
    this.#bytes -= block.bytes.length;
    if (block.bytes.length === blockBytes && this.#spare.length < spareBlocksMax) {
      this.#spare.push(block.bytes);
    }
  }

  #add(bytes: Uint8Array): MemoryBlock {
    const index = this.#freeIndexes.pop() ?? this.#blocks.length;
    const block = { index, bytes, used: 0, live: 0, liveBytes: 0, pins: 0 };
    this.#blocks[index] = block;
    this.#bytes += bytes.length;
    return block;
  }
}
