/** Why bytes are not the CBOR item that was expected. */
export type CborFault =
  /** The bytes end within the item. */
  | "cut_short"
  /** Bytes follow the item. */
  | "trailing_bytes"
  /** Reserved encodings, a break out of place, wrong chunks (RFC 8949 appendix C). */
  | "ill_formed"
  | "nested_too_deep"
  | "too_many_items"
  /** More bytes than allowed, counted or declared. */
  | "too_large"
  /** A text string that is not UTF-8. */
  | "bad_utf8";

/** The item nests no deeper than this unless told otherwise (game server, "Wire"). */
export const cborNestingMax = 32;

/** Major types (RFC 8949 §3.1). */
export const major = {
  unsigned: 0,
  negative: 1,
  bytes: 2,
  text: 3,
  array: 4,
  map: 5,
  tag: 6,
  simple: 7,
} as const;

/** The byte that ends an item of indefinite length. */
export const breakByte = 0xff;

/**
 * The head of an item: what kind it is and how much follows (RFC 8949 §3). It is read in as many
 * pieces as it comes in, and no byte of it twice.
 */
export class CborHead {
  major = 0;
  /** The low five bits of the first byte: how the argument is written. */
  info = 0;
  /** The upper and lower 32 bits of the argument; 0 for indefinite lengths. */
  high = 0;
  low = 0;
  status: "whole" | "begun" | "ill_formed" = "whole";
  #bytesLeft = 0;

  /** Exact up to 2^53. */
  get argument(): number {
    return this.high * 0x1_0000_0000 + this.low;
  }

  /** True of a break too, which has major type 7. */
  get indefinite(): boolean {
    return this.info === 31;
  }

  /** Reads from `at`, where there must be a byte, and tells where it stopped; see `status`. */
  read(bytes: Uint8Array, at: number): number {
    let next = at;
    if (this.#bytesLeft === 0) {
      const first = bytes[next++]!;
      this.major = first >> 5;
      this.info = first & 31;
      this.high = 0;
      this.low = this.info;
      this.status = "whole";
      if (this.info < 24) return next;
      this.low = 0;
      if (this.info > 27) {
        this.status = this.#judgeIndefinite();
        return next;
      }
      this.#bytesLeft = 1 << (this.info - 24);
    }
    while (this.#bytesLeft > 0 && next < bytes.length) {
      this.high = ((this.high << 8) | (this.low >>> 24)) >>> 0;
      this.low = ((this.low << 8) | bytes[next++]!) >>> 0;
      this.#bytesLeft--;
    }
    this.status = this.#bytesLeft > 0 ? "begun" : this.#judgeSimple();
    return next;
  }

  #judgeIndefinite(): "whole" | "ill_formed" {
    const kind = this.major;
    return this.info < 31 || kind === major.unsigned || kind === major.negative ||
        kind === major.tag
      ? "ill_formed"
      : "whole";
  }

  /** A simple value below 32 has no two-byte form (RFC 8949 §3.3). */
  #judgeSimple(): "whole" | "ill_formed" {
    return this.major === major.simple && this.info === 24 && this.low < 32
      ? "ill_formed"
      : "whole";
  }
}
