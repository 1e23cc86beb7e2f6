import { crc32Between } from "../../base/crc32.ts";
import { writeBase64 } from "../../wire/base64.ts";
import { recordHeadBytesMax } from "./record_format.ts";

/**
 * The body of a large message, put together piece by piece in memory that the log then takes over
 * as it is, with room for the head of its record before it.
 */
export class MessageBody {
  readonly memory: Uint8Array<ArrayBuffer>;
  /** Where the body begins in it. */
  readonly from: number = recordHeadBytesMax;
  /** CRC-32 of what is there so far. */
  crc = 0;
  #at: number = recordHeadBytesMax;

  /** Room for a body of so many bytes, all of which must then be written. */
  constructor(bytes: number) {
    this.memory = new Uint8Array(recordHeadBytesMax + bytes);
  }

  /** Bytes of the body. */
  get length(): number {
    return this.memory.length - this.from;
  }

  /** Puts bytes behind those that are there. */
  add(bytes: Uint8Array): void {
    this.memory.set(bytes, this.#at);
    this.#wrote(bytes.length);
  }

  /** Puts the base64 of bytes `from` … `to` behind them. */
  addBase64(bytes: Uint8Array, from: number, to: number): void {
    this.#wrote(writeBase64(bytes, { from, to }, this.memory, this.#at) - this.#at);
  }

  /** Gives the memory back at once: a collector would not hurry. Nothing is left of the body. */
  free(): void {
    this.memory.buffer.transfer(0);
  }

  /** Whether all of it is there. */
  get isWhole(): boolean {
    return this.#at === this.memory.length;
  }

  #wrote(bytes: number): void {
    this.crc = crc32Between(this.memory, this.#at, this.#at + bytes, this.crc);
    this.#at += bytes;
  }
}
